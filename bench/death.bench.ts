import { hrtime } from 'node:process';
import { Worker } from 'node:worker_threads';
import { Registry } from '../src/engine/index.ts';
import type { Context } from './lib/benchmark.ts';
import type { DeathData, LastSeen } from './lib/death.worker.ts';
import { kind, nameOf } from './lib/fixtures.ts';
import { type Goal, valueAtMost } from './lib/rows.ts';
import { type Figure, figureOf } from './lib/sampler.ts';
import { Erlang, missingErlang } from './peers/ets.ts';

export const name = 'death';
export const summary = 'a thread with many names is killed: how long others still find them';
const KILLS = 7;
export const method = `${KILLS} kills of each sort, in turns`;

const READERS = 2;
const BLOCKED_MS_MAX = 10_000;

const count = (names: number): string => names.toLocaleString('en-US');

/** How long one kill took. */
interface Times {
  /** Microseconds from the moment the death was detected (its epoch moved) to the end of the last lookup that found a name. */
  readonly sinceDetection: number;
  /** Milliseconds from the call of `terminate()`, so the thread's way to its end is in it. */
  readonly sinceKill: number;
}

export async function run(context: Context): Promise<void> {
  const { effort, rows } = context;
  const many = effort.size(1_000_000, 5_000);
  const few = 1_000;
  const kills = effort.size(KILLS, 1);
  context.note(`${READERS} threads look names up without rest; medians of ${kills} kills, in turns`);
  const series = new Map<string, Times[]>();
  for (let n = 0; n < kills; n++) {
    for (const names of [many, few]) {
      for (const blocked of [false, true]) {
        const key = `${names} ${blocked}`;
        const times = await kill(context, names, blocked);
        series.set(key, [...(series.get(key) ?? []), times]);
        const how = `${count(names)} names, main thread ${blocked ? 'blocked' : 'free'}`;
        const took = `${times.sinceKill.toFixed(1)} ms since the kill, ${times.sinceDetection.toFixed(1)} µs since detection`;
        context.note(`kill ${n + 1} of ${kills}, ${how}: ${took}`);
      }
    }
  }
  const figure = (names: number, blocked: boolean, of: keyof Times): Figure =>
    figureOf(series.get(`${names} ${blocked}`)!.map((times) => times[of]));
  // No ratio of many names and few: either may be a moment too short for the clock.
  for (const names of [many, few]) {
    for (const blocked of [false, true]) {
      const main = `main thread ${blocked ? 'blocked' : 'free'}`;
      const judge = (goal: Goal) => (names === many ? { goal, headline: blocked } : {});
      rows.add(
        `${count(names)} names, detection to last answer, ${main}`,
        figure(names, blocked, 'sinceDetection'),
        undefined,
        'µs',
        { ...judge(valueAtMost(1_000)), note: 'detection counts from the last look before it' },
      );
      rows.add(
        `${count(names)} names, kill to last answer, ${main}`,
        figure(names, blocked, 'sinceKill'),
        undefined,
        'ms',
        {
          ...judge(valueAtMost(100)),
          note: 'from the call of terminate()',
        },
      );
    }
  }
  await compareWithEts(context, many, figure(many, false, 'sinceKill'));
}

/** One owner, its readers, one kill. */
async function kill(context: Context, names: number, blocked: boolean): Promise<Times> {
  await using registry = await Registry.open();
  await using stack = new AsyncDisposableStack();
  context.resources.defer(() => stack.disposeAsync()); // an interruption ends the threads, too
  const start = async (role: DeathData['role']) => {
    const workerData: DeathData = { handle: registry.handle, role, names };
    const worker = new Worker(new URL('./lib/death.worker.ts', import.meta.url), { workerData });
    stack.defer(async () => void (await worker.terminate()));
    return worker;
  };
  const owner = await start('owner');
  await message(owner, (text) => text === 'registered');
  const readers = await Promise.all(Array.from({ length: READERS }, () => start('reader')));
  await Promise.all(readers.map((reader) => message(reader, (text) => text === 'reading')));

  const seen = Promise.all(readers.map((reader) => message<LastSeen>(reader, (value) => typeof value === 'object')));
  const killedNs = Number(hrtime.bigint());
  const ended = owner.terminate();
  if (blocked) blockUntil(() => !registry.has(kind, nameOf(0)));
  await ended;
  const last = await seen;
  const answerNs = Math.max(...last.map((reader) => reader.answerNs));
  const detectedNs = Math.max(...last.map((reader) => reader.ownerAliveNs));
  // Readers that happened not to run found their last names before: that is no time at all.
  const nsSince = (ns: number) => Math.max(0, answerNs - ns);
  return { sinceDetection: nsSince(detectedNs) / 1e3, sinceKill: nsSince(killedNs) / 1e6 };
}

/** The first message of a thread that is `wanted`. */
function message<Message>(worker: Worker, wanted: (message: unknown) => boolean): Promise<Message> {
  const { promise, resolve, reject } = Promise.withResolvers<Message>();
  worker.on('message', (value) => wanted(value) && resolve(value));
  worker.on('error', reject);
  worker.on('exit', () => reject(new Error('a thread of the benchmark ended early')));
  return promise;
}

/** Keeps this thread's event loop from running. */
function blockUntil(done: () => boolean): void {
  const word = new Int32Array(new SharedArrayBuffer(4));
  const deadlineMs = performance.now() + BLOCKED_MS_MAX;
  while (!done()) {
    if (performance.now() > deadlineMs) throw new Error(`names were still found after ${BLOCKED_MS_MAX} ms`);
    Atomics.wait(word, 0, 0, 1);
  }
}

async function compareWithEts(context: Context, names: number, ours: Figure): Promise<void> {
  const missing = await missingErlang();
  if (missing !== undefined) return context.note(`Erlang ETS is skipped: ${missing}`);
  const erlang = context.resources.use(new Erlang({ names: [], hot: [nameOf(0)] }));
  await erlang.started;
  const times: number[] = [];
  for (let n = 0; n < context.effort.size(5, 1); n++) times.push(await erlang.death(names));
  const peer = { name: `ETS, gproc-style, kill of a process with ${count(names)} names`, figure: figureOf(times) };
  context.rows.add(`${count(names)} names, kill to last answer, main thread free`, ours, peer, 'ms', {
    note: 'measured one after the other; the gproc way deletes the rows once it hears of the death, and shows them until then',
  });
}
