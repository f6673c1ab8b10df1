import type { Worker } from 'node:worker_threads';

type Listener = (threadId: number) => void;

const listeners = new Set<Listener>();

function onWorker(worker: Worker): void {
  const { threadId } = worker; // it is -1 once the worker has exited
  worker.once('exit', () => {
    for (const listener of listeners) listener(threadId);
  });
}

/**
 * Tells of the exit of every worker that this thread starts from now on, before anyone who waits for it hears of it.
 * @returns how to stop that.
 */
export function watchWorkers(listener: Listener): () => void {
  if (listeners.size === 0) process.on('worker', onWorker);
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) process.off('worker', onWorker);
  };
}
