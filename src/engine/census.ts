import { corrupt } from '../shared/errors.ts';
import { InternalKind, isInternal } from '../shared/internal-kinds.ts';
import { COORDINATOR_SLOT, Control, Record, Version } from '../shared/layout.ts';
import type { ShardReader } from '../shared/shard-reader.ts';
import type { Table } from '../shared/table.ts';
import { parseMembership } from './membership.ts';

/** A thread that is attached: one attachment each. */
export interface ThreadFigures {
  /** `worker_threads.threadId`. */
  readonly threadId: number;
  readonly slot: number;
  /** Names that it or its owners have. */
  readonly names: number;
  /** Owners smaller than the thread that live in it. */
  readonly owners: number;
  /** Bytes of messages sent to it that it has not read. */
  readonly waitingBytes: number;
}

/** @internal What stands in a registry, counted. */
export interface Census {
  /** Names by kind. */
  readonly kinds: ReadonlyMap<string, number>;
  /** Members by group; not of the automatic groups. */
  readonly groups: ReadonlyMap<string, number>;
  readonly bindings: number;
  readonly owners: number;
  readonly threads: readonly Omit<ThreadFigures, 'waitingBytes'>[];
}

/**
 * Counts what lives, in one pass over the records and one over the owners, with no lock: each is judged at its own moment.
 * No config is read. @throws {RegistryError} `CORRUPT`
 */
export function takeCensus(table: Table): Census {
  const names = new Uint32Array(table.owners.threadsMax);
  const owners = new Uint32Array(table.owners.threadsMax);
  const kinds = new Map<number, number>();
  const groups = new Map<string, number>();
  for (const reader of table.readers) countRecords(table, reader, kinds, groups, names);
  return {
    kinds: new Map([...kinds].filter(([kind]) => !isInternal(kind)).map(([kind, n]) => [table.kinds.name(kind), n])),
    groups,
    bindings: kinds.get(InternalKind.binding) ?? 0,
    owners: countOwners(table, owners),
    threads: threadSlots(table).map((slot) => ({
      threadId: table.owners.threadIdOf(slot),
      slot,
      names: names[slot],
      owners: owners[slot],
    })),
  };
}

function countRecords(
  { owners }: Table,
  reader: ShardReader,
  kinds: Map<number, number>,
  groups: Map<string, number>,
  names: Uint32Array,
): void {
  const { memory } = reader;
  const used = memory.recordsUsed();
  for (let id = 1; id < used; id++) {
    const at = memory.recordAt(id);
    const { records } = memory;
    if ((records[at + Record.version] & Version.live) === 0) continue;
    const kind = records[at + Record.meta] >>> 8;
    const owner = records[at + Record.owner];
    if (!owners.alive(owner, records[at + Record.ownerEpoch])) continue;
    add(kinds, kind);
    if (!isInternal(kind)) names[threadOf(owners.thread(owner), names.length)]++;
    if (kind !== InternalKind.membership) continue;
    const entry = reader.entryAt(id, kind);
    if (entry !== undefined) add(groups, parseMembership(entry).group);
  }
}

/** @returns how many there are */
function countOwners({ control, map, owners }: Table, byThread: Uint32Array): number {
  const used = control[map.control + Control.ownersUsed];
  if (used >>> 0 > owners.ownersMax) throw corrupt(`${used} rows of owners`);
  let count = 0;
  for (let slot = owners.threadsMax; slot < owners.threadsMax + used; slot++) {
    const epoch = owners.epoch(slot);
    if (!owners.isAlive(epoch) || !owners.alive(slot, epoch)) continue;
    byThread[threadOf(owners.thread(slot), byThread.length)]++;
    count++;
  }
  return count;
}

function threadSlots({ owners }: Table): number[] {
  const slots = Array.from({ length: owners.threadsMax }, (_, slot) => slot);
  return slots.filter((slot) => slot !== COORDINATOR_SLOT && owners.isAlive(owners.epoch(slot)));
}

function threadOf(thread: number, threadsMax: number): number {
  if (thread >>> 0 < threadsMax) return thread;
  throw corrupt(`thread ${thread} of an owner`);
}

function add<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
