import { Worker } from 'node:worker_threads';
import { Registry } from 'rollcall';

/** An HTTP server of several threads that share a port and a registry. */
export interface Server extends AsyncDisposable {
  readonly url: string;
  /** The workers, by their `threadId`. */
  readonly threads: ReadonlyMap<number, Worker>;
  kill(threadId: number): Promise<void>;
}

/** @param port 0 takes any free one */
export async function startServer({ threads: count = 4, port = 0 } = {}): Promise<Server> {
  const registry = await Registry.open();
  const threads = new Map<number, Worker>();

  /** Resolves with the port when the thread listens: it says so in the registry. */
  async function startThread(port: number): Promise<number> {
    const workerData = { handle: registry.handle, port };
    const worker = new Worker(new URL('./server.worker.ts', import.meta.url), { workerData });
    const { threadId } = worker;
    threads.set(threadId, worker);
    // Without this an error that a thread does not catch would end the process, not the thread alone.
    worker.on('error', (error) => console.error(`thread ${threadId} ended:`, error));
    worker.on('exit', () => threads.delete(threadId));
    const { config } = await registry.awaitName<{ port: number }>('listener', String(threadId), { timeoutMs: 30_000 });
    if (config === undefined) throw new Error('a listener has a port');
    return config.port;
  }

  const listening = await startThread(port);
  await Promise.all(Array.from({ length: count - 1 }, () => startThread(listening)));

  return {
    url: `http://127.0.0.1:${listening}`,
    threads,
    async kill(threadId) {
      await threads.get(threadId)?.terminate();
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...threads.values()].map((worker) => worker.terminate()));
      await registry.close();
    },
  };
}
