import { Worker } from 'node:worker_threads';
import type { Registry, RegistryHandle } from '../../engine/index.ts';
import type { Tasks } from './tasks.ts';

/** What a thread of the tour is given. */
export interface ThreadData {
  readonly handle: RegistryHandle;
  readonly name: string;
  readonly done: Int32Array;
}

/** What it is asked to do. */
export interface Task {
  readonly task: keyof Tasks;
  readonly argument: unknown;
}

/** What the main thread's Map has for the id that a thread has posted. */
export interface MapAnswer {
  readonly threadId: number | undefined;
}

/** A thread that does not start, or stands still, ends the tour after so long: far more than it takes on a busy machine. */
export const TIMEOUT_MS = 30_000;

/** A worker thread of the tour. It is told what to do as any thread can tell any other: by calls to its name. */
export class DemoThread implements AsyncDisposable {
  readonly name: string;
  readonly id: number;
  readonly #registry: Registry;
  readonly #worker: Worker;

  private constructor(registry: Registry, name: string, worker: Worker) {
    this.#registry = registry;
    this.name = name;
    this.#worker = worker;
    this.id = worker.threadId;
  }

  /** @param map what the main thread answers from when it is asked by `postMessage` */
  static async start(
    registry: Registry,
    name: string,
    map: ReadonlyMap<string, number>,
    done: Int32Array,
  ): Promise<DemoThread> {
    const { handle } = registry;
    const workerData: ThreadData = { handle, name, done };
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'; // from source, or from dist/
    const worker = new Worker(new URL(`./demo.worker.${extension}`, import.meta.url), { workerData, name });
    worker.on('message', (id: string) => worker.postMessage({ threadId: map.get(id) } satisfies MapAnswer));
    const thread = new DemoThread(registry, name, worker);
    await registry.awaitName('thread', name, { timeoutMs: TIMEOUT_MS });
    return thread;
  }

  /** Has it do something. Sent before this returns. */
  ask<Name extends keyof Tasks>(
    task: Name,
    argument?: Parameters<Tasks[Name]>[1],
  ): Promise<Awaited<ReturnType<Tasks[Name]>>> {
    const request: Task = { task, argument };
    return this.#registry.messages.call('thread', this.name, request, { timeoutMs: TIMEOUT_MS });
  }

  /** Ends it wherever it is: it does not clean up. */
  async kill(): Promise<void> {
    await this.#worker.terminate();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}
