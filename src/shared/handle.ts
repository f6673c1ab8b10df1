import { RegistryError } from './errors.ts';
import { areLanes } from './lanes.ts';
import { ControlMap, Header, LAYOUT_VERSION, MAGIC, Stamp } from './layout.ts';
import { limits } from './limits.ts';
import { type ShardBuffers, shardBytesMax } from './shard-memory.ts';
import type { TableBuffers } from './table.ts';

/* What came as a handle may be anything, and buffers of one registry fit another's: before any word is believed, each
 * buffer must say that it belongs to this registry, to this shard, as this part. */

const parts = ['records', 'index', 'arena'] as const satisfies readonly (keyof ShardBuffers)[];

/** Calls `each` with every word of every stamp, and what it must be. */
function eachStampWord(
  control: Int32Array,
  shards: readonly ShardBuffers[],
  each: (stamp: Int32Array, at: number, value: number) => void,
): void {
  for (const [n, buffers] of shards.entries()) {
    for (const [part, name] of parts.entries()) {
      const stamp = new Int32Array(buffers[name], 0, Stamp.words);
      for (let word = 0; word < 4; word++) each(stamp, Stamp.identity + word, control[Header.identity + word]);
      each(stamp, Stamp.shard, n);
      each(stamp, Stamp.part, part);
    }
  }
}

/** Marks the buffers of a new registry as its own. */
export function stampShards(control: Int32Array, shards: readonly ShardBuffers[]): void {
  eachStampWord(control, shards, (stamp, at, value) => {
    stamp[at] = value;
  });
}

/** The lanes are one more part, of no shard. */
const lanesStamp = [-1, parts.length] as const;

export function stampLanes(control: Int32Array, lanes: SharedArrayBuffer): void {
  const stamp = new Int32Array(lanes, 0, Stamp.words);
  for (let word = 0; word < 4; word++) stamp[Stamp.identity + word] = control[Header.identity + word];
  stamp.set(lanesStamp, Stamp.shard);
}

function areStampedLanes(control: Int32Array, lanes: SharedArrayBuffer): boolean {
  const stamp = new Int32Array(lanes, 0, Stamp.words);
  const identity = control.subarray(Header.identity, Header.identity + 4);
  return [...identity, ...lanesStamp].every((word, n) => stamp[n] === word);
}

function areStamped(control: Int32Array, shards: readonly ShardBuffers[]): boolean {
  let stamped = true;
  eachStampWord(control, shards, (stamp, at, value) => {
    stamped &&= stamp[at] === value;
  });
  return stamped;
}

/** @throws {RegistryError} `INCOMPATIBLE_HANDLE` unless these are all the buffers of one registry, in their places. */
export function checkHandle({ control, shards, lanes }: TableBuffers): void {
  const refuse = (why: string) =>
    new RegistryError('INCOMPATIBLE_HANDLE', `${why}: pass registry.handle of the same version of rollcall unchanged`);
  if (!(control instanceof SharedArrayBuffer) || control.byteLength < Header.words * 4 || !Array.isArray(shards)) {
    throw refuse('this is no registry handle');
  }
  const words = new Int32Array(control, 0, Header.words);
  if (words[Header.magic] !== MAGIC) throw refuse('this is no registry handle');
  if (words[Header.layoutVersion] !== LAYOUT_VERSION) {
    throw refuse(`the handle has memory layout ${words[Header.layoutVersion]}, this package ${LAYOUT_VERSION}`);
  }
  const map = new ControlMap(words[Header.shards], words[Header.threadsMax], words[Header.ownersMax]);
  const pagesMax = words[Header.pagesPerShardMax];
  const configBytesMax = words[Header.configBytesMax];
  const min = Stamp.words * 4;
  const max = shardBytesMax(words[Header.entriesPerShardMax], pagesMax);
  const whole =
    control.byteLength === map.words * 4 &&
    configBytesMax >= 1 &&
    configBytesMax <= limits.configBytesMax &&
    shards.length === words[Header.shards] &&
    Array.from(shards).every((shard) =>
      parts.every((part) => {
        const buffer: unknown = shard?.[part];
        return buffer instanceof SharedArrayBuffer && buffer.maxByteLength === max[part] && buffer.byteLength >= min;
      }),
    ) &&
    areStamped(words, shards) &&
    areLanes(lanes) &&
    areStampedLanes(words, lanes);
  if (!whole) throw refuse('the handle is damaged, or has buffers of another registry');
}
