import { availableParallelism } from 'node:os';
import { Piscina } from 'piscina';

/** A pool that runs the functions of `explore.task.ts`, one thread a core. */
export function explorerPool(): Piscina {
  return new Piscina({
    filename: new URL('./explore.task.ts', import.meta.url).href,
    minThreads: availableParallelism(),
    maxThreads: availableParallelism(),
  });
}
