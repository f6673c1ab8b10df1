// @timeout 300
import { Worker } from 'node:worker_threads';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Registry } from '../../src/engine/index.ts';
import { type Event, isLinearizable, nothing } from '../model/linearizability.ts';
import type { Operation } from '../model/world.ts';
import { auditEmptyOnceSwept } from '../support/bookkeeping.ts';
import { Random, seedOfRun } from '../support/random.ts';
import {
  At,
  answers,
  CONFIG,
  eventsMax,
  type HistoriesData,
  names,
  operations,
  randomMax,
  Word,
} from './tasks/histories.ts';

/*
 * Histories of real threads: three do a few operations at the same time on two names, in many rounds, and note when each
 * began, when it ended and what it answered. Now and then one is killed meanwhile. Each history must be explained by some
 * order of its operations: the same sequential registry and the same search that judge the explorer's.
 */
const test = suite('histories');
const seed = seedOfRun();
const random = new Random(seed);
const rounds = 3_000;
const killEvery = 25;
const threads = 3;

class Thread {
  readonly history = new Int32Array(new SharedArrayBuffer(eventsMax * At.words * 4));
  readonly worker: Worker;
  failure: unknown;

  constructor(registry: Registry, thread: number, words: Int32Array) {
    const { history } = this;
    const workerData: HistoriesData = { handle: registry.handle, thread, words, history, seed: random.below(2 ** 31) };
    this.worker = new Worker(new URL('./tasks/histories.ts', import.meta.url), { workerData });
    this.worker.unref(); // a failed test ends all the same
    this.worker.on('error', (error) => {
      this.failure = error;
    });
  }

  /** What it did in this round, and was told; an operation that a kill cut off has no end. */
  events(thread: number): Event[] {
    const events: Event[] = [];
    for (let at = 0; at < this.history.length && this.history[at + At.operation] !== 0; at += At.words) {
      const name = operations[this.history[at + At.operation] - 1];
      const operation = {
        op: name,
        name: names[this.history[at + At.name]],
        config: `${this.history[at + At.config]}`,
      };
      const end = this.history[at + At.end];
      const answer = this.history[at + At.answer];
      events.push({
        thread,
        operation: modelled(operation),
        start: this.history[at + At.start],
        end: end === 0 ? undefined : end,
        result: end === 0 ? undefined : answer >= CONFIG ? `${answer - CONFIG}` : answers[answer],
      });
    }
    return events;
  }
}

function modelled({ op, name, config }: { op: (typeof operations)[number]; name: string; config: string }): Operation {
  if (op === 'registerOwned') return { op: 'register', name, config, owned: true };
  if (op === 'ref') return { op: 'whereis', name };
  if (op === 'closeOwner' || op === 'openOwner') return { op };
  return { op, name, config } as Operation;
}

/** Waits until so many threads have come to the end of the round. */
function untilDone(words: Int32Array, count: number, all: readonly Thread[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = () => {
      const failed = all.find(({ failure }) => failure !== undefined);
      if (failed) reject(failed.failure);
      else if (Atomics.load(words, Word.done) >= count) resolve();
      else setImmediate(look);
    };
    look();
  });
}

test(`${rounds} rounds of ${threads} threads, one killed in every ${killEvery}th`, async () => {
  await using registry = await Registry.open({ shards: 1, alarmedPercentMax: 100 });
  const words = new Int32Array(new SharedArrayBuffer(Word.count * 4));
  const all = Array.from({ length: threads }, (_, n) => new Thread(registry, n, words));
  let [events, overlapping, cut] = [0, 0, 0];
  for (let round = 1; round <= rounds; round++) {
    await untilDone(words, threads, all);
    for (const id of names) registry.unregister('name', id);
    for (const { history } of all) history.fill(0);
    Atomics.store(words, Word.done, 0);
    Atomics.store(words, Word.clock, 1);
    Atomics.store(words, Word.round, round);
    Atomics.notify(words, Word.round);

    const deaths: Event[] = [];
    const victim = round % killEvery === 0 ? random.below(threads) : -1;
    if (victim !== -1) {
      const moment = random.below(2 * threads * randomMax);
      for (let spins = 0; Atomics.load(words, Word.clock) < moment && spins < 100_000; spins++);
      const start = Atomics.add(words, Word.clock, 1);
      await all[victim].worker.terminate();
      const end = Atomics.add(words, Word.clock, 1);
      deaths.push({ thread: threads, operation: { op: 'bury', thread: victim }, start, end, result: 'done' });
    }
    Atomics.store(words, Word.buried, round);
    Atomics.notify(words, Word.buried);
    await untilDone(words, victim === -1 ? threads : threads - 1, all);
    const history = [...all.flatMap((thread, n) => thread.events(n)), ...deaths];
    cut += history.filter(({ end }) => end === undefined).length;
    events += history.length;
    overlapping += history.filter((one) => history.some((other) => isDuring(one, other))).length;
    for (const name of names) expectLinearizable(history, name, round);
    if (victim !== -1) {
      all[victim] = new Thread(registry, victim, words);
    }
  }
  console.log(`${events} operations, ${overlapping} beside one of another thread, ${cut} cut off by a kill`);
  assert.ok(overlapping > events / 100, 'the threads met');
  for (const { worker } of all) await worker.terminate();
  await auditEmptyOnceSwept(registry, ['name']);
});

const isDuring = (one: Event, other: Event): boolean =>
  one.thread !== other.thread && one.start < (other.end ?? Number.POSITIVE_INFINITY) && other.start < (one.end ?? 0);

/** The history of one name: linearizability is local, so each object may be judged alone (Herlihy and Wing, 1990). */
function expectLinearizable(history: readonly Event[], name: string, round: number): void {
  const ofName = history.filter(({ operation }) => !('name' in operation) || operation.name === name);
  if (isLinearizable(ofName, nothing)) return;
  const lines = ofName.map(
    ({ thread, operation, start, end, result }) =>
      `  ${start}–${end ?? '†'} thread ${thread}: ${JSON.stringify(operation)} → ${result ?? 'killed'}`,
  );
  assert.unreachable(`round ${round}: no order of these operations gives these answers\n${lines.join('\n')}`);
}

test.run();
