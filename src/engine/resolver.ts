import { Shard as At, Header, OwnerRow, Record, RegistryState } from '../shared/layout.ts';
import { versionToken } from '../shared/shard.ts';
import type { RawEntry, ShardReader } from '../shared/shard-reader.ts';
import type { Table } from '../shared/table.ts';
import { type OwnerInfo, SharedEntry } from './entry.ts';
import { Resolution } from './resolution.ts';

/** Looks names up in shared memory, without any cache. */
export class Resolver {
  readonly #table: Table;

  constructor(table: Table) {
    this.#table = table;
  }

  /** @returns what a name stands for, to be kept and checked; undefined when it is absent and that cannot be kept. */
  resolve(kind: string, id: string): Resolution | undefined {
    const reader = this.#readerOf(kind, id);
    if (reader === undefined) return undefined;
    // Both before the read: a change in between makes the answer look stale, never fresh.
    const sequence = reader.insertSequence();
    const wraps = reader.wraps();
    const record = reader.read(this.#table.key);
    if (record === 0) return sequence & 1 ? undefined : this.#absence(reader, sequence);
    const presence = this.#presence(kind, id, reader, record, wraps);
    // The owner's words were read last: if it has died since, they may be those of its slot's next tenant.
    return this.#table.owners.alive(reader.owner, reader.ownerEpoch) ? presence : this.resolve(kind, id);
  }

  /** Whether a name is registered: no value is copied. */
  has(kind: string, id: string): boolean {
    const reader = this.#readerOf(kind, id);
    return reader !== undefined && reader.find(this.#table.key) !== 0;
  }

  /** The shard a name lives in; undefined when no name of its kind was ever registered. */
  #readerOf(kind: string, id: string): ShardReader | undefined {
    const table = this.#table;
    const kindId = table.kinds.find(kind);
    table.key.encode(kindId, id);
    return kindId === 0 ? undefined : table.readers[table.shardOf(table.key.hash)];
  }

  entryOf(raw: RawEntry): SharedEntry {
    const owner = this.owner(raw.owner, raw.ownerEpoch);
    const kind = this.#table.kinds.name(raw.kind);
    return new SharedEntry(kind, raw.name, versionToken(raw.record, raw.version), owner, raw.text);
  }

  owner(slot: number, epoch: number): OwnerInfo {
    const { owners } = this.#table;
    return Object.freeze({ threadId: owners.threadIdOf(owners.thread(slot)), slot, epoch });
  }

  #presence(kind: string, id: string, reader: ShardReader, record: number, wraps: number): Resolution {
    const { control, owners } = this.#table;
    const { memory, version, owner, ownerEpoch, text } = reader;
    const entry = new SharedEntry(kind, id, versionToken(record, version), this.owner(owner, ownerEpoch), text);
    const ownerAt = owners.epochAt(owner);
    // If the slot has changed hands these words are another's: then the owner's epoch has moved and nothing holds.
    const thread = owners.thread(owner);
    const threadEpoch = control[ownerAt - OwnerRow.epoch + OwnerRow.threadEpoch];
    return new Resolution(
      entry,
      memory.records,
      record * Record.words + Record.version,
      version,
      control,
      memory.at + At.wraps,
      wraps,
      ownerAt,
      ownerEpoch,
      owners.epochAt(thread),
      threadEpoch,
    );
  }

  #absence(reader: ShardReader, sequence: number): Resolution {
    const { control } = this.#table;
    const at = reader.memory.at + At.insertSequence;
    const { state } = Header;
    const { open } = RegistryState;
    return new Resolution(undefined, control, at, sequence, control, state, open, state, open, state, open);
  }
}
