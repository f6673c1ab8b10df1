import { availableParallelism } from 'node:os';
import { isAbsolute } from 'node:path';
import { inspect } from 'node:util';
import { workerData } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { nameCodesInStacks, RegistryError, type RegistryErrorCode } from '../shared/errors.ts';
import { checkObject } from './options.ts';
import { Registry, type RegistryHandle } from './registry.ts';

type PiscinaOptions = NonNullable<ConstructorParameters<typeof Piscina>[0]>;
type RunOptions = Parameters<Piscina['run']>[1];

/** Piscina's options that a pool whose threads own names cannot leave to its user. */
const SETTLED = ['atomics', 'idleTimeout', 'maxThreads', 'minThreads'] as const;

/** Piscina's own options, but for those a pool whose threads own names cannot do without. */
export interface PoolOptions extends Omit<PiscinaOptions, (typeof SETTLED)[number] | 'filename' | 'workerData'> {
  /** The module with the tasks, by absolute path or `file:` URL. It calls `attachedRegistry` where it is loaded, which is
   *  when a thread starts. */
  readonly filename: string | URL;
  /** Threads, from start to end. Default: as many as the machine has cores. */
  readonly threads?: number;
  /** Given to each thread beside the registry. */
  readonly workerData?: object;
}

const KEY = 'rollcall';

/**
 * A Piscina pool whose threads share a registry and stay: left to itself Piscina ends idle threads, and their names
 * with them, and lets the event loop of a waiting thread stand still, and its timers with it. Close it before the registry.
 *
 * A `RegistryError` that ends a task arrives as one, with its `code`; an `AlreadyRegisteredError` without its owner.
 * @throws {RegistryError} `INVALID_OPTION`
 * @example
 * const pool = createPool(registry, { filename: new URL('./task.js', import.meta.url) });
 * // task.js
 * const registry = attachedRegistry();
 * export default (id) => registry.whereis('server', id)?.config;
 */
export function createPool(registry: Registry, options: PoolOptions): Piscina {
  checkPoolOptions(options);
  const { filename, threads = availableParallelism(), workerData: given, ...rest } = options;
  return new Pool({
    ...rest,
    filename: String(filename),
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
    nameCodesInStacks();
    attached = Registry.attach(handle);
  }
  return attached;
}

/** Tasks' errors come as structured clones, plain `Error`s: those that were ours become ours again. */
class Pool extends Piscina {
  override run(task: unknown, options?: RunOptions): Promise<unknown> {
    return super.run(task, options).catch((error: unknown) => {
      throw revived(error);
    });
  }
}

function revived(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof RegistryError) return error;
  const code = /^RegistryError \[([A-Z_]+)\]: /.exec(error.stack ?? '')?.[1];
  if (code === undefined) return error;
  const { message, stack } = error;
  const options = 'cause' in error ? { cause: error.cause } : {};
  return Object.assign(new RegistryError(code as RegistryErrorCode, message, options), { stack });
}

function checkPoolOptions(options: PoolOptions): void {
  checkObject(options);
  const { filename, threads } = options;
  const text = filename instanceof URL ? filename.href : filename;
  if (typeof text !== 'string' || !(isAbsolute(text) || text.startsWith('file:'))) {
    const want = 'the absolute path or file: URL of the module with the tasks';
    throw new RegistryError('INVALID_OPTION', `filename is ${inspect(filename)}: ${want}`);
  }
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1)) {
    throw new RegistryError('INVALID_OPTION', `threads is ${inspect(threads)}: a whole number from 1`);
  }
  const settled = SETTLED.find((name) => name in options);
  if (settled === undefined) return;
  const why = settled.endsWith('Threads') ? 'the pool keeps its size, which is `threads`' : 'the pool decides it';
  throw new RegistryError('INVALID_OPTION', `${settled} cannot be given: ${why}`);
}
