import { corrupt } from '../shared/errors.ts';
import { isInternal } from '../shared/internal-kinds.ts';
import { Shard as At, Header, Record, RegistryState } from '../shared/layout.ts';
import { limits } from '../shared/limits.ts';
import { versionToken } from '../shared/shard.ts';
import type { RawEntry, ShardReader } from '../shared/shard-reader.ts';
import type { Table } from '../shared/table.ts';
import { type ShardWords, SharedEntry, SharedOwner } from './entry.ts';

/** Owners that are remembered, by slot: entries of one owner share it. A power of two. */
const OWNERS_KEPT = 256;

/** In place of the name that the registry's own kinds do not have. */
const OWN = '';

/** One shard as lookups see it. */
interface ShardView {
  readonly reader: ShardReader;
  readonly entries: ShardWords;
  readonly absences: ShardWords;
}

/** Looks names up in shared memory, without any cache. */
export class Resolver {
  readonly #table: Table;
  readonly #shards: readonly ShardView[];
  readonly #owners: (SharedOwner | undefined)[] = new Array(OWNERS_KEPT).fill(undefined);
  /** In place of an owner, of names that nobody has: it lives while the registry is open. */
  readonly #nobody: SharedOwner;

  constructor(table: Table) {
    this.#table = table;
    this.#shards = table.readers.map((reader) => {
      const { at, control, records } = reader.memory;
      const wrapsAt = at + At.wraps;
      return {
        reader,
        entries: { reader, sequenceAt: at + At.changeSequence, wrapsAt, records },
        absences: { reader, sequenceAt: at + At.insertSequence, wrapsAt, records: control },
      };
    });
    const open = { threadId: -1, slot: -1, epoch: RegistryState.open };
    this.#nobody = new SharedOwner(open, Header.state, Header.state, RegistryState.open, 0);
  }

  /** @returns what a name stands for, to be kept and checked; undefined when it is absent and that cannot be kept. */
  resolve(kind: string, id: string): SharedEntry | undefined {
    return this.#resolve(this.#table.kinds.find(kind), kind, id);
  }

  /** The same for an entry of one of the registry's own kinds. */
  resolveOwn(kindId: number, id: string): SharedEntry | undefined {
    return this.#resolve(kindId, OWN, id);
  }

  #resolve(kindId: number, kind: string, id: string): SharedEntry | undefined {
    const shard = this.#shardOf(kindId, id);
    if (shard === undefined) return undefined;
    const { reader } = shard;
    for (let retries = 0; retries < limits.readRetriesMax; retries++) {
      // All before the read: a change in between makes the answer look stale, never fresh.
      const inserts = reader.insertSequence();
      const sequence = reader.changeSequence();
      const wraps = reader.wraps();
      const record = reader.read(this.#table.key);
      if (record === 0) {
        if (inserts & 1 || reader.over) return undefined;
        const proof = { sequence: inserts, wraps, versionAt: 0, version: 0, born: 0, mortal: false };
        return new SharedEntry(kind, id, -1, undefined, this.#nobody, shard.absences, proof);
      }
      const { version, text, born, memory } = reader;
      const owner = this.owner(reader.owner, reader.ownerEpoch);
      if (shard.entries.records !== memory.records) shard.entries.records = memory.records; // it has grown
      // The owner's words were read last: if it has died since, they may be those of its slot's next tenant.
      if (!this.#table.owners.alive(reader.owner, reader.ownerEpoch)) continue;
      const mortal = reader.expiry !== 0 || this.#table.owners.expiry(reader.owner) !== 0;
      const proof = { sequence, wraps, versionAt: record * Record.words + Record.version, version, born, mortal };
      return new SharedEntry(kind, id, versionToken(record, version), text, owner, shard.entries, proof);
    }
    throw corrupt(`the owner of a name of kind ${kind} changes without end`);
  }

  /** Whether a name is registered: no value is copied. */
  has(kind: string, id: string): boolean {
    const shard = this.#shardOf(this.#table.kinds.find(kind), id);
    return shard !== undefined && shard.reader.find(this.#table.key) !== 0;
  }

  /** The shard a name lives in; undefined when no name of its kind was ever registered. */
  #shardOf(kindId: number, id: string): ShardView | undefined {
    const table = this.#table;
    table.key.encode(kindId, id);
    return kindId === 0 ? undefined : this.#shards[table.shardOf(table.key.hash)];
  }

  /** An entry that is listed: nobody asks whether it still holds. */
  entryOf({ record, version, born, kind, name, text, owner, ownerEpoch }: RawEntry): SharedEntry {
    const { entries } = this.#shards[0];
    const proof = {
      sequence: 0,
      wraps: 0,
      versionAt: record * Record.words + Record.version,
      version,
      born,
      mortal: false,
    };
    const owned = this.owner(owner, ownerEpoch);
    const kindName = isInternal(kind) ? OWN : this.#table.kinds.name(kind);
    return new SharedEntry(kindName, name, versionToken(record, version), text, owned, entries, proof);
  }

  /** If the slot has changed hands what is read here is another's: then its epoch has moved, and this owner is dead. */
  owner(slot: number, epoch: number): SharedOwner {
    const kept = this.#owners[slot & (OWNERS_KEPT - 1)];
    if (kept?.info.slot === slot && kept.info.epoch === epoch) return kept;
    const { owners } = this.#table;
    const thread = owners.thread(slot);
    const info = { threadId: owners.threadIdOf(thread), slot, epoch };
    const words = [
      owners.epochAt(slot),
      owners.epochAt(thread),
      owners.threadEpoch(slot),
      owners.expiryAt(slot),
    ] as const;
    const owner = new SharedOwner(info, ...words);
    this.#owners[slot & (OWNERS_KEPT - 1)] = owner;
    return owner;
  }
}
