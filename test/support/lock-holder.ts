import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { RegistryHandle } from '../../src/engine/index.ts';

export interface Hold {
  /** Whose locks, all at once. */
  readonly shards: readonly number[];
  /** Milliseconds after which they are given back for a moment, and taken again. */
  readonly holdMs?: number;
}

const GO = 0;
const HELD = 1;

/** A thread that is stopped inside shards for as long as the test wants: what makes others wait. */
export class LockHolder implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #gate: Int32Array<SharedArrayBuffer>;

  private constructor(worker: Worker, gate: Int32Array<SharedArrayBuffer>) {
    this.#worker = worker;
    this.#gate = gate;
  }

  static async start(handle: RegistryHandle): Promise<LockHolder> {
    const gate = new Int32Array(new SharedArrayBuffer(8));
    const worker = new Worker(new URL('./lock-holder.worker.ts', import.meta.url), { workerData: { handle, gate } });
    await once(worker, 'message');
    return new LockHolder(worker, gate);
  }

  /** Resolves when they are held for the first time. */
  async hold(hold: Hold): Promise<void> {
    Atomics.store(this.#gate, GO, 0);
    const before = Atomics.load(this.#gate, HELD);
    this.#worker.postMessage(hold);
    await Atomics.waitAsync(this.#gate, HELD, before).value;
  }

  /** How often they were taken. */
  get times(): number {
    return Atomics.load(this.#gate, HELD);
  }

  async release(): Promise<void> {
    const released = once(this.#worker, 'message');
    this.releaseNow();
    await released;
  }

  /** The same without waiting for it, for tests that stay on the stack. */
  releaseNow(): void {
    Atomics.store(this.#gate, GO, 1);
    Atomics.notify(this.#gate, GO);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }
}
