import { meanOf, quantileOf, readCounts, tickNs, totalOf } from '../shared/histogram.ts';
import { Shard as At } from '../shared/layout.ts';
import { Monitor } from '../shared/monitor-layout.ts';
import { indexSize } from '../shared/name-index.ts';
import type { Table } from '../shared/table.ts';

/** Durations since the registry was opened or its statistics were reset, in microseconds. p50, p99 and mean are right to
 *  6.25 %, the longest is exact; all are 0 when there was none. */
export interface LatencyStats {
  /** How many were measured. */
  readonly count: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
  readonly meanUs: number;
}

/** What one shard counts, since the registry was opened or `resetStats` was called. Counts wrap at 2^32. */
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
  /** Times the lock was taken: for writes, sweeps, and lists that found no quiet moment. */
  readonly lockTakings: number;
  /** How long lock waits took: of each of them that ended with the lock. */
  readonly lockWaitLatency: LatencyStats;
  /** How long writes took their callers, lock waits included. One in 16 of the uncontended is measured and counts for all
   *  16, so the count is about that of all writes. */
  readonly writeLatency: LatencyStats;
  /** Mean of the recent writes, about 256, in microseconds. */
  readonly recentWriteMeanUs: number;
  /** Index words that a write's search looked at, on average of a sample: 1 where no names collide. */
  readonly probesMean: number;
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
    const monitorAt = table.map.monitor(shard);
    const measured = (at: number) => memory.control[monitorAt + at] >>> 0;
    const latency = (at: number, maxAt: number) =>
      latencyOf(readCounts(memory.control, monitorAt + at), measured(maxAt));
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
      lockTakings: word(At.takings),
      lockWaitLatency: latency(Monitor.waits, Monitor.waitMax),
      writeLatency: latency(Monitor.writes, Monitor.writeMax),
      recentWriteMeanUs: measured(Monitor.writeMean) / 1_000,
      probesMean: measured(Monitor.probes) / Math.max(1, measured(Monitor.searches)),
      resizes: word(At.resizes),
      valueBytes: word(At.valueBytes),
      bytesCommitted: memory.bytesCommitted,
    };
  });
}

/** @internal Ticks of a histogram. */
export const microseconds = (ticks: number): number => (ticks * tickNs) / 1_000;

/** @internal What the counts of a histogram's buckets say, whose longest duration was so many ticks. */
export function latencyOf(counts: Uint32Array | Float64Array, maxTicks: number): LatencyStats {
  return {
    count: totalOf(counts),
    // The middle of a bucket may lie above what fell into it.
    p50Us: microseconds(Math.min(quantileOf(counts, 0.5), maxTicks)),
    p99Us: microseconds(Math.min(quantileOf(counts, 0.99), maxTicks)),
    maxUs: microseconds(maxTicks),
    meanUs: microseconds(meanOf(counts)),
  };
}
