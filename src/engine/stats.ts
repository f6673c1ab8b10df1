import { Shard as At } from '../shared/layout.ts';
import { indexSize } from '../shared/name-index.ts';
import type { Table } from '../shared/table.ts';

/** What one shard counts. Counters run from the registry's opening and wrap at 2^32. */
export interface PartitionStats {
  readonly shard: number;
  /** Entries in the index; those of dead owners count until they are swept. */
  readonly entries: number;
  /** Index slots, how many of them are tombstones, and the share that is in use. */
  readonly slots: number;
  readonly tombstones: number;
  readonly loadFactor: number;
  readonly registrations: number;
  readonly updates: number;
  readonly removals: number;
  /** Entries of dead owners that were removed. */
  readonly swept: number;
  /** Times a writer did not get the lock at once, and times it took it from a holder that had died. */
  readonly lockWaits: number;
  readonly lockSteals: number;
  /** Times the index was rebuilt. */
  readonly resizes: number;
  /** Bytes of configs and long names handed out, and bytes of shared memory committed. */
  readonly valueBytes: number;
  readonly bytesCommitted: number;
}

/** Reads the counters of every shard; each word is right, but they are not read at one moment. */
export function readPartitionStats(table: Table): PartitionStats[] {
  return table.shards.map(({ memory }, shard) => {
    const word = (at: number) => memory.control[memory.at + at] >>> 0;
    const slots = indexSize(word(At.descriptor));
    const entries = word(At.entries);
    const tombstones = word(At.tombstones);
    return {
      shard,
      entries,
      slots,
      tombstones,
      loadFactor: (entries + tombstones) / slots,
      registrations: word(At.registrations),
      updates: word(At.updates),
      removals: word(At.removals),
      swept: word(At.swept),
      lockWaits: word(At.lockWaits),
      lockSteals: word(At.lockSteals),
      resizes: word(At.resizes),
      valueBytes: word(At.valueBytes),
      bytesCommitted: memory.bytesCommitted,
    };
  });
}
