import { inspect } from 'node:util';
import { ticksToLive } from '../shared/clock.ts';
import type { JsonInput } from '../shared/codec.ts';
import { RegistryError } from '../shared/errors.ts';
import { defaults, limits } from '../shared/limits.ts';
import type { TableOptions } from '../shared/table.ts';
import type { Owner } from './owner.ts';

/** What `Registry.open` may be told. Memory grows as names come: these are limits, not sizes. */
export interface RegistryOptions {
  /** Parts with a lock of their own: a power of two from 1 to 256. Default 16. */
  readonly shards?: number;
  /** Names in one shard; a registry holds about `shards` times as many. Default and limit 1,048,575. */
  readonly entriesPerShardMax?: number;
  /** Stored bytes of one config: its JSON text in Latin-1, or in UTF-16 when it has other characters. Default 65,536. */
  readonly configBytesMax?: number;
  /** Memory for the configs and long names of one shard, in bytes. Default 268,435,456 (256 MiB). */
  readonly valueBytesPerShardMax?: number;
  /** Attachments at the same time, the opener's among them. Default 256, limit 4,093. */
  readonly threadsMax?: number;
  /** Owners smaller than a thread, at the same time. Default 65,536, limit 1,048,576. */
  readonly ownersMax?: number;
  /** Bytes of one message. Each pair of threads that talk gets a ring of twice as much or more. Default 32,768, limit 1,048,576. */
  readonly messageBytesMax?: number;
  /** A shard is alarmed when the p99 of its recent lock waits is so many milliseconds, or one thread holds its lock for so
   *  long while others wait. Default 50. */
  readonly alarmLockWaitMs?: number;
  /** A shard is alarmed when its writes take so many milliseconds on average. Default 100. */
  readonly alarmWriteMeanMs?: number;
  /** While more of the shards than so many percent are alarmed, new names are refused. Default 50; 100: never. */
  readonly alarmedPercentMax?: number;
}

/** How an owner is made. */
export interface OwnerOptions {
  /** Milliseconds after which the owner ends, and all it has, unless it is renewed: up to 90 days, in steps of 8 ms. By
   *  default it lives until it is closed or its thread ends. */
  readonly ttlMs?: number | undefined;
}

/** How a name is registered. */
export interface RegisterOptions {
  /** What lookups give: any JSON value up to `configBytesMax`, or `encodeConfig`'s result. */
  readonly config?: JsonInput | undefined;
  /** Who owns the name; by default this thread. */
  readonly owner?: Owner | undefined;
  /** Milliseconds after which the name is gone, unless it is renewed: up to 90 days, in steps of 8 ms. By default it stays as
   *  long as its owner. */
  readonly ttlMs?: number | undefined;
  /** Unregisters the name when it aborts. */
  readonly signal?: AbortSignal | undefined;
}

const bounds: Record<keyof RegistryOptions, readonly [min: number, max: number]> = {
  shards: [1, limits.shardsMax],
  entriesPerShardMax: [1, limits.entriesPerShardMax],
  configBytesMax: [1, limits.configBytesMax],
  valueBytesPerShardMax: [limits.valueBytesPerShardMin, limits.valueBytesPerShardMax],
  threadsMax: [1, limits.threadsMax],
  ownersMax: [0, limits.ownersMax],
  messageBytesMax: [1, limits.messageBytesMax],
  alarmLockWaitMs: [1, limits.alarmMsMax],
  alarmWriteMeanMs: [1, limits.alarmMsMax],
  alarmedPercentMax: [0, 100],
};

/** @throws {RegistryError} `INVALID_OPTION` naming the option, its value and its range. */
export function resolveOptions(options: RegistryOptions): TableOptions {
  checkObject(options);
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(bounds, name)) throw unknownOption(name, Object.keys(bounds));
    if (value === undefined) continue;
    const [min, max] = bounds[name as keyof RegistryOptions];
    if (!Number.isInteger(value) || value < min || value > max) {
      throw new RegistryError('INVALID_OPTION', `${name} is ${inspect(value)}: a whole number from ${min} to ${max}`);
    }
  }
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const resolved: TableOptions = { ...defaults, ...given };
  if ((resolved.shards & (resolved.shards - 1)) !== 0) {
    throw new RegistryError(
      'INVALID_OPTION',
      `shards is ${resolved.shards}: a power of two from 1 to ${limits.shardsMax}`,
    );
  }
  return resolved;
}

/** Called for every registration, so it allocates nothing. @throws {RegistryError} `INVALID_OPTION` */
export function checkRegisterOptions(options: RegisterOptions): void {
  checkObject(options);
  for (const name in options) {
    if (name === 'config' || name === 'owner' || name === 'signal' || name === 'ttlMs') continue;
    if (Object.hasOwn(options, name)) throw unknownOption(name, ['config', 'owner', 'ttlMs', 'signal']);
  }
}

/** A time to live in ticks of the clock; 0: none. @throws {RegistryError} `INVALID_OPTION` */
export function resolveTtl(ttlMs: number | undefined): number {
  if (ttlMs === undefined) return 0;
  if (typeof ttlMs === 'number' && ttlMs > 0 && ttlMs <= limits.ttlMsMax) return ticksToLive(ttlMs);
  throw new RegistryError(
    'INVALID_OPTION',
    `ttlMs is ${inspect(ttlMs)}: milliseconds above 0, which count in eights, at most ${limits.ttlMsMax} (90 days)`,
  );
}

/** @throws {RegistryError} `INVALID_OPTION` */
export function checkTimeout(timeoutMs: number | undefined): void {
  if (timeoutMs === undefined) return;
  if (Number.isFinite(timeoutMs) && timeoutMs >= 0 && timeoutMs <= limits.timeoutMsMax) return;
  const bound = limits.timeoutMsMax.toLocaleString('en-US');
  throw new RegistryError('INVALID_OPTION', `timeoutMs is ${inspect(timeoutMs)}: milliseconds from 0 to ${bound}`);
}

/** @throws {RegistryError} `INVALID_OPTION` */
export function checkSignal(signal: unknown): void {
  if (signal === undefined || signal instanceof AbortSignal) return;
  throw new RegistryError('INVALID_OPTION', `signal is ${inspect(signal)}: an AbortSignal`);
}

/** @throws {RegistryError} `INVALID_OPTION` */
export function checkVersion(version: number): number {
  if (Number.isSafeInteger(version) && version > 0) return version;
  throw new RegistryError('INVALID_OPTION', `version is ${inspect(version)}: pass the version of an Entry`);
}

/** @throws {RegistryError} `INVALID_OPTION` */
export function checkObject(options: unknown): void {
  if (typeof options === 'object' && options !== null) return;
  throw new RegistryError('INVALID_OPTION', `options are an object, not ${inspect(options)}`);
}

/** That options are an object of those that are known. @throws {RegistryError} `INVALID_OPTION` */
export function checkKnown(options: object, known: readonly string[]): void {
  checkObject(options);
  for (const name of Object.keys(options)) if (!known.includes(name)) throw unknownOption(name, known);
}

function unknownOption(name: string, known: readonly string[]): RegistryError {
  return new RegistryError('INVALID_OPTION', `unknown option ${name}: known are ${known.join(', ')}`);
}
