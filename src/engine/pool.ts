import { availableParallelism } from 'node:os';
import { workerData } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { RegistryError } from '../shared/errors.ts';
import { Registry, type RegistryHandle } from './registry.ts';

type PiscinaOptions = NonNullable<ConstructorParameters<typeof Piscina>[0]>;

/** Piscina's own options, but for those a pool whose threads own names cannot do without. */
export interface PoolOptions
  extends Omit<PiscinaOptions, 'atomics' | 'filename' | 'idleTimeout' | 'maxThreads' | 'minThreads' | 'workerData'> {
  /** The module with the tasks. It calls `attachedRegistry` where it is loaded, which is when a thread starts. */
  readonly filename: string;
  /** Threads, from start to end. Default: as many as the machine has cores. */
  readonly threads?: number;
  /** Given to each thread beside the registry. */
  readonly workerData?: object;
}

const KEY = 'rollcall';

/**
 * A Piscina pool whose threads share a registry and stay: left to itself Piscina ends idle threads, and their names
 * with them, and lets the event loop of a waiting thread stand still, and its timers with it.
 * @example
 * const pool = createPool(registry, { filename: fileURLToPath(new URL('./task.js', import.meta.url)) });
 * // task.js
 * const registry = attachedRegistry();
 * export default (id) => registry.whereis('server', id)?.config;
 */
export function createPool(registry: Registry, options: PoolOptions): Piscina {
  const { threads = availableParallelism(), workerData: given, ...rest } = options;
  return new Piscina({
    ...rest,
    minThreads: threads,
    maxThreads: threads,
    idleTimeout: Number.POSITIVE_INFINITY,
    atomics: 'async',
    workerData: { ...given, [KEY]: registry.handle },
  });
}

let attached: Registry | undefined;

/** In a task of such a pool: this thread's registry, attached on the first call.
 *  @throws {RegistryError} `INCOMPATIBLE_HANDLE` in any other thread */
export function attachedRegistry(): Registry {
  if (attached === undefined) {
    const handle: RegistryHandle | undefined = workerData?.[KEY];
    if (handle === undefined) {
      throw new RegistryError('INCOMPATIBLE_HANDLE', 'this is no thread of a pool made by createPool(registry, …)');
    }
    attached = Registry.attach(handle);
  }
  return attached;
}
