import { corrupt } from '../shared/errors.ts';
import { InternalKind, isInternal, kindRows } from '../shared/internal-kinds.ts';
import { COORDINATOR_SLOT, Control, deadlineAt, Record, Version } from '../shared/layout.ts';
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
  /** Names by kind: of each kind that there ever was, as it does not end with its names. */
  readonly kinds: ReadonlyMap<string, number>;
  /** Members by group; not of the automatic groups. */
  readonly groups: ReadonlyMap<string, number>;
  readonly owners: number;
  readonly threads: readonly Omit<ThreadFigures, 'waitingBytes'>[];
}

/**
 * @internal Counts what lives, in one pass over the records and one over the owners, with no lock: each is judged at its own moment.
 * No config is read. @throws {RegistryError} `CORRUPT`
 */
export function takeCensus(table: Table): Census {
  const names = new Uint32Array(table.owners.threadsMax);
  const owners = new Uint32Array(table.owners.threadsMax);
  const kinds = new Uint32Array(kindRows + 1 + Object.keys(InternalKind).length);
  const groups: Groups = new Map();
  for (const reader of table.readers) countRecords(table, reader, kinds, groups, names);
  return {
    kinds: namedKinds(table, kinds),
    groups,
    owners: countOwners(table, owners),
    threads: threadSlots(table).map((slot) => ({
      threadId: table.owners.threadIdOf(slot),
      slot,
      names: names[slot],
      owners: owners[slot],
    })),
  };
}

type Groups = Map<string, number>;

function namedKinds({ kinds }: Table, counts: Uint32Array): Map<string, number> {
  return new Map([...kinds.named()].map(([kind, id]) => [kind, counts[id]]));
}

/** Many records in a row have the same owner: it is judged once for them. */
function countRecords(
  { owners }: Table,
  reader: ShardReader,
  kinds: Uint32Array,
  groups: Groups,
  names: Uint32Array,
): void {
  const { memory } = reader;
  const used = memory.recordsUsed();
  let [owner, epoch, thread] = [-1, -1, -1]; // thread -1: it is dead
  for (let id = 1; id < used; id++) {
    const at = memory.recordAt(id);
    const { records } = memory;
    const version = records[at + Record.version];
    if ((version & Version.live) === 0 || owners.clock.isOver(records, deadlineAt(at, version))) continue;
    const [slot, tenancy] = [reader.ownerOf(at, version), reader.ownerEpochOf(at, version)];
    if (slot !== owner || tenancy !== epoch) {
      [owner, epoch] = [slot, tenancy];
      thread = owners.alive(owner, epoch) ? threadOf(owners.thread(owner), names.length) : -1;
    }
    if (thread === -1) continue;
    const kind = records[at + Record.meta] >>> 8;
    if (kind >= kinds.length) throw corrupt(`kind ${kind} of record ${id}`);
    kinds[kind]++;
    if (!isInternal(kind)) names[thread]++;
    if (kind !== InternalKind.membership) continue;
    const entry = reader.entryAt(id, kind);
    if (entry === undefined) continue;
    const { group } = parseMembership(entry);
    groups.set(group, (groups.get(group) ?? 0) + 1);
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
