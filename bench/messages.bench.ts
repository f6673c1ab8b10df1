import { once } from 'node:events';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { Registry } from '../src/engine/index.ts';
import type { Context } from './lib/benchmark.ts';
import { kind, sampleConfig } from './lib/fixtures.ts';
import type { MessagesData } from './lib/messages.worker.ts';
import { speedupAtLeast, valueAtMost } from './lib/rows.ts';
import { addToChecksum, type Contestant, figureOf } from './lib/sampler.ts';

export const name = 'messages';
export const summary = 'messages and calls between two threads, beside postMessage; a flooded thread’s event loop';

/** Messages of a batch, after which the receiver is asked whether it has them all. */
const BATCH = 10_000;
const IN_FLIGHT = 100;
/** Milliseconds of rest after which both threads sleep. */
const REST_MS = 2;

export async function run(context: Context): Promise<void> {
  const { effort, rows, resources } = context;
  const registry = resources.use(await Registry.open());
  const start = async (role: MessagesData['role']) => {
    const workerData: MessagesData = { handle: registry.handle, role };
    const worker = new Worker(new URL('./lib/messages.worker.ts', import.meta.url), { workerData });
    resources.defer(async () => void (await worker.terminate()));
    await once(worker, 'message');
    return worker;
  };
  const receiver = await start('receiver');
  const { messages } = registry;
  const text = 'x'.repeat(100);
  const bytes = new Uint8Array(100).fill(7);

  /** Sends a batch again and again. @returns nanoseconds a message, from the first's sending to the last's handling */
  const oneWay = (title: string, sendAll: () => void | Promise<void>, count: () => Promise<number>): Contestant => ({
    name: title,
    async round(roundMs) {
      const startedMs = performance.now();
      let sent = 0;
      do {
        await sendAll();
        sent += BATCH;
        const counted = await count();
        if (counted !== BATCH) throw new Error(`${counted} of ${BATCH} messages arrived`);
      } while (performance.now() - startedMs < roundMs);
      addToChecksum(sent);
      return ((performance.now() - startedMs) * 1e6) / sent;
    },
  });
  const ourCount = async (): Promise<number> => {
    for (;;) {
      try {
        return await messages.call<number>(kind, 'receiver', 'count');
      } catch (error) {
        if ((error as { code?: string }).code !== 'MAILBOX_FULL') throw error;
        await nextTurn(); // the lane is full of what is to be counted
      }
    }
  };
  const answered = async (): Promise<unknown> => (await once(receiver, 'message'))[0];
  const portCount = () => {
    receiver.postMessage('count');
    return answered() as Promise<number>;
  };
  /** Our lane is bounded, so the sender waits whenever it is full; the port takes all there is. */
  const routeAll = (message: unknown) => async () => {
    for (let n = 0; n < BATCH; n++) {
      try {
        messages.route(kind, 'receiver', message);
      } catch (error) {
        if ((error as { code?: string }).code !== 'MAILBOX_FULL') throw error;
        await messages.routeAsync(kind, 'receiver', message);
      }
    }
  };
  const postAll = (message: unknown) => () => {
    for (let n = 0; n < BATCH; n++) receiver.postMessage(message);
  };
  for (const [what, message] of [
    ['a text of 100 bytes', text],
    ['100 bytes', bytes],
    ['an object of four fields', sampleConfig],
  ] as const) {
    const route = oneWay(`route, ${what}`, routeAll(message), ourCount);
    const post = oneWay(`postMessage, ${what}`, postAll(message), portCount);
    const figures = await context.measure(`one way, ${what}`, [route, post]);
    rows.times(figures, route, post, message === text ? { goal: speedupAtLeast(7), headline: true } : {});
  }

  /** Round trips, `inFlight` at a time, after so many milliseconds of rest. */
  const trips = (title: string, ask: () => Promise<unknown>, inFlight: number, restMs: number): Contestant => ({
    name: title,
    async round(roundMs) {
      const untilMs = performance.now() + roundMs;
      let tookMs = 0;
      let count = 0;
      do {
        if (restMs > 0) await sleep(restMs);
        const startedMs = performance.now();
        await Promise.all(Array.from({ length: inFlight }, ask));
        tookMs += performance.now() - startedMs;
        count += inFlight;
      } while (performance.now() < untilMs);
      addToChecksum(count);
      return (tookMs * 1e6) / count;
    },
  });
  const call = () => messages.call(kind, 'receiver', text);
  const pending: ((answer: unknown) => void)[] = [];
  const post = () => {
    receiver.postMessage({ echo: text });
    return new Promise((resolve) => pending.push(resolve));
  };
  const onAnswer = (answer: unknown) => pending.shift()?.(answer);
  receiver.on('message', onAnswer);
  for (const [what, inFlight, restMs, remarks] of [
    ['idle threads', 1, REST_MS, { goal: speedupAtLeast(1), headline: true }],
    ['busy threads', 1, 0, { goal: speedupAtLeast(5), headline: true }],
    [`${IN_FLIGHT} in flight`, IN_FLIGHT, 0, {}],
  ] as const) {
    const ours = trips(`call, ${what}`, call, inFlight, restMs);
    const theirs = trips(`postMessage and back, ${what}`, post, inFlight, restMs);
    const figures = await context.measure(`round trips, ${what}`, [ours, theirs]);
    rows.times(figures, ours, theirs, remarks);
  }
  receiver.off('message', onAnswer);

  await Promise.all([start('flooder'), start('flooder')]);
  await sleep(effort.size(200, 20));
  const delays: number[] = [];
  for (let round = 0; round < effort.rounds; round++) {
    receiver.postMessage('watch');
    await sleep(effort.size(200, 20));
    receiver.postMessage('watch');
    const { p99Ms, counted } = (await answered()) as { p99Ms: number; counted: number };
    addToChecksum(counted);
    delays.push(p99Ms);
  }
  rows.add('event-loop delay of a flooded thread, p99', figureOf(delays), undefined, 'ms', {
    goal: valueAtMost(20),
    note: 'two threads send without rest',
    headline: true,
  });
}
