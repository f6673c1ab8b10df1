import { type Transferable, Worker } from 'node:worker_threads';
import type { Registry, RegistryHandle } from '../../src/engine/index.ts';

/** What a task finds in its thread. */
export interface Remote {
  readonly Registry: typeof Registry;
  /** Attached when the thread was given a handle. Tasks may set it. */
  registry: Registry;
  /** For what a later task of the same thread needs. */
  // biome-ignore lint/suspicious/noExplicitAny: a task knows what it kept
  readonly kept: Record<string, any>;
}

type Task<Argument, Result> = (remote: Remote, argument: Argument) => Result | Promise<Result>;

/**
 * A worker thread that runs functions of the test. They are sent as source, so they see their arguments, globals, and
 * nothing else.
 * @example
 * await using thread = await Thread.start(registry.handle);
 * await thread.run(({ registry }, id) => registry.has('server', id), 'billing');
 */
export class Thread implements AsyncDisposable {
  readonly worker: Worker;
  /** Resolves when the thread has ended, by whatever cause. */
  readonly exit: Promise<void>;
  #answered: PromiseWithResolvers<unknown> = Promise.withResolvers();
  #failure: Error | undefined;

  private constructor(handle: RegistryHandle | undefined) {
    this.worker = new Worker(new URL('./remote.worker.ts', import.meta.url), { workerData: { handle } });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.exit = promise;
    this.#answered.promise.catch(() => {}); // nobody may be waiting when the thread ends
    this.worker.on('message', ({ result, error }) => {
      if (error === undefined) this.#answered.resolve(result);
      else this.#answered.reject(Object.assign(new Error(`${error.message}\n${error.stack}`), { code: error.code }));
    });
    this.worker.on('error', (error: Error) => {
      this.#failure = error;
    });
    this.worker.on('exit', (code) => {
      this.#answered.reject(this.#failure ?? new Error(`the thread ended with exit code ${code}`));
      resolve();
    });
  }

  static async start(handle?: RegistryHandle): Promise<Thread> {
    const thread = new Thread(handle);
    await thread.#answered.promise;
    return thread;
  }

  /** The same without waiting for it: for threads that are to end while they start. */
  static launch(handle?: RegistryHandle): Thread {
    return new Thread(handle);
  }

  /** Runs one function and waits for what it returns. One at a time. */
  async run<Argument, Result>(
    task: Task<Argument, Result>,
    argument?: Argument,
    transferList: readonly Transferable[] = [],
  ): Promise<Result> {
    this.send(task, argument, transferList);
    return (await this.#answered.promise) as Result;
  }

  /** The same without waiting: for what never ends. */
  send<Argument, Result>(
    task: Task<Argument, Result>,
    argument?: Argument,
    transferList: readonly Transferable[] = [],
  ): void {
    this.#answered = Promise.withResolvers();
    this.#answered.promise.catch(() => {});
    this.worker.postMessage({ source: String(task), argument }, transferList);
  }

  async end(): Promise<void> {
    await this.worker.terminate();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.end();
  }
}
