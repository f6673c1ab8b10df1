import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Registry, RegistryHandle } from '../../src/engine/index.ts';
import { addToChecksum, type Contestant } from './sampler.ts';

/** What the threads can do, again and again. */
export const operations = ['map', 'read', 'mix1', 'mix10', 'update', 'cycle'] as const;
export type Operation = (typeof operations)[number];

/** Words of the memory in which the team is told what to do. A new `round` starts as many threads as its low byte says:
 *  one word, so that a thread which wakes late never takes one round's number for another's. */
export const Control = { round: 0, operation: 1, shape: 2, roundMs: 3, operationsMin: 4, done: 5, words: 16 } as const;
export const activeIn = (round: number): number => round & 0xff;
const ROUND_STEP = 0x100;
/** Doubles in which each thread says what it did; a cache line each. */
export const Result = { operations: 0, startedMs: 1, endedMs: 2, checksum: 3, words: 8 } as const;

export interface TeamData {
  readonly handle: RegistryHandle;
  readonly thread: number;
  readonly control: SharedArrayBuffer;
  readonly results: SharedArrayBuffer;
  /** By shape: the numbers of the names that are read and updated. */
  readonly shapes: readonly Int32Array[];
}

/** Threads that are attached to one registry and work in step. They sleep between rounds. */
export class Team implements AsyncDisposable {
  readonly #workers: readonly Worker[];
  readonly #control = new Int32Array(new SharedArrayBuffer(Control.words * 4));
  readonly #results: Float64Array<SharedArrayBuffer>;
  readonly #names: readonly number[];
  #failure: Error | undefined;

  private constructor(registry: Registry, threads: number, shapes: readonly Int32Array[]) {
    this.#names = shapes.map((numbers) => numbers.length);
    this.#results = new Float64Array(new SharedArrayBuffer(threads * Result.words * 8));
    this.#workers = Array.from({ length: threads }, (_, thread) => {
      const { handle } = registry;
      const control = this.#control.buffer;
      const workerData: TeamData = { handle, thread, control, results: this.#results.buffer, shapes };
      const worker = new Worker(new URL('./team.worker.ts', import.meta.url), { workerData });
      worker.on('error', (error) => {
        this.#failure = error;
        Atomics.notify(this.#control, Control.done);
      });
      return worker;
    });
  }

  static async start(registry: Registry, threads: number, shapes: readonly Int32Array[]): Promise<Team> {
    const team = new Team(registry, threads, shapes);
    await Promise.all(team.#workers.map((worker) => once(worker, 'message')));
    return team;
  }

  /** All threads go through all names once, so that no lookup cache fills while it is measured. */
  async warm(operation: Operation, shape: number): Promise<void> {
    this.#control[Control.operationsMin] = this.#names[shape];
    await this.contestant('warm-up', operation, shape, this.#workers.length).round(0);
    this.#control[Control.operationsMin] = 0;
  }

  /** So many threads at once. Its time an operation is that of all together, from the first's start to the last's end:
   *  threads that have to share a core may well run one after the other. */
  contestant(name: string, operation: Operation, shape: number, threads: number): Contestant {
    return {
      name,
      round: async (roundMs) => {
        const control = this.#control;
        control[Control.operation] = operations.indexOf(operation);
        control[Control.shape] = shape;
        control[Control.roundMs] = roundMs;
        Atomics.store(control, Control.done, 0);
        const round = (control[Control.round] & -ROUND_STEP) + ROUND_STEP;
        Atomics.store(control, Control.round, round | threads);
        Atomics.notify(control, Control.round);
        for (let ready = 0; ready !== threads; ready = Atomics.load(control, Control.done)) {
          if (this.#failure) throw this.#failure;
          const { async, value } = Atomics.waitAsync(control, Control.done, ready, 1_000); // also to notice a failure
          if (async) await value;
        }
        let done = 0;
        let startedMs = Number.POSITIVE_INFINITY;
        let endedMs = 0;
        for (let at = 0; at < threads * Result.words; at += Result.words) {
          done += this.#results[at + Result.operations];
          startedMs = Math.min(startedMs, this.#results[at + Result.startedMs]);
          endedMs = Math.max(endedMs, this.#results[at + Result.endedMs]);
          addToChecksum(this.#results[at + Result.checksum]);
        }
        return ((endedMs - startedMs) * 1e6) / done;
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}
