import { monotonicMs } from '../shared/clock.ts';
import { isCorrupt } from '../shared/errors.ts';
import { bucketOf, readCounts, totalOf } from '../shared/histogram.ts';
import { limits } from '../shared/limits.ts';
import { histogramBuckets, Monitor } from '../shared/monitor-layout.ts';
import type { Table } from '../shared/table.ts';
import { type ThreadFigures, takeCensus } from './census.ts';
import { readContention, type ShardContention } from './contention.ts';
import type { Registry } from './registry.ts';
import { type LatencyStats, latencyOf, microseconds, type PartitionStats, readPartitionStats } from './stats.ts';

/** One shard: what it counts, and how contended it is. */
export interface ShardFigures extends PartitionStats, ShardContention {}

/** Durations of all shards together. */
export interface Distribution extends LatencyStats {
  /** Pairs of a duration in microseconds and how many took no longer, ascending; `count` is the number of all. */
  readonly buckets: readonly (readonly [upToUs: number, count: number])[];
}

/** A whole registry in numbers: plain data, so it can be sent as JSON. */
export interface Figures {
  readonly pid: number;
  /** Milliseconds of the monotonic clock, the same in all threads: for differences. */
  readonly takenMs: number;
  /** How many names there are, of all kinds. */
  readonly names: number;
  /** All kinds that there ever was a name of, those with the most names first. */
  readonly kinds: readonly { readonly kind: string; readonly names: number }[];
  /** Groups that owners and names have joined, and their members; the automatic groups are left out. */
  readonly groups: {
    readonly count: number;
    readonly members: number;
    /** The 100 with the most members. */
    readonly largest: readonly { readonly group: string; readonly members: number }[];
  };
  /** Transports that are bound to a server, by `bind` or by their config; undefined when a lock was needed to tell, and not to be had. */
  readonly bindings: number | undefined;
  readonly threads: readonly ThreadFigures[];
  readonly threadsMax: number;
  /** Owners smaller than a thread. */
  readonly owners: number;
  readonly ownersMax: number;
  readonly admission: { readonly state: 'open' | 'closed'; readonly mode: 'auto' | 'forced' };
  /** How many shards are alarmed. */
  readonly alarmed: number;
  /** Sums of the counters; undefined when their lock was not to be had. */
  readonly counters: readonly { readonly name: string; readonly value: number }[] | undefined;
  /** Lanes between pairs of threads that have talked, and the bytes in them that were not read yet by receivers that live. */
  readonly lanes: {
    readonly open: number;
    readonly max: number;
    readonly waitingBytes: number;
    /** How full the fullest ring is, from 0 to 1. At 1 its sender is told `MAILBOX_FULL`. */
    readonly fullest: number;
  };
  /** Shared memory that is committed, in bytes. */
  readonly memory: { readonly controlBytes: number; readonly shardBytes: number; readonly laneBytes: number };
  /** Writes, lock waits included, and lock waits. */
  readonly writes: Distribution;
  readonly lockWaits: Distribution;
  readonly shards: readonly ShardFigures[];
}

/** Reads all of it. No moment is common to it: each number is right by itself.
 *  @throws {RegistryError} `CORRUPT` */
export function readFigures(table: Table, { admission, counters, bindings }: Registry): Figures {
  const census = takeCensus(table);
  const contention = readContention(table);
  const shards = readPartitionStats(table).map((stats, n) => ({ ...stats, ...contention.shards[n] }));
  const lanes = table.mailbox.lanes();
  // What is in the lane of a receiver that has ended waits for nobody, least of all for the next tenant of its slot.
  const read = lanes.filter(({ receiver, receiverEpoch }) => table.owners.epoch(receiver) === receiverEpoch);
  const waiting = new Map<number, number>();
  for (const { receiver, waitingBytes } of read) {
    waiting.set(receiver, (waiting.get(receiver) ?? 0) + waitingBytes);
  }
  return {
    pid: process.pid,
    takenMs: monotonicMs(),
    names: sum(census.kinds.values()),
    kinds: descending(census.kinds).map(([kind, names]) => ({ kind, names })),
    groups: {
      count: census.groups.size,
      members: sum(census.groups.values()),
      largest: descending(census.groups)
        .slice(0, limits.groupsToldMax)
        .map(([group, members]) => ({ group, members })),
    },
    bindings: unlessBusy(() => bindings.count()),
    threads: census.threads.map((thread) => ({ ...thread, waitingBytes: waiting.get(thread.slot) ?? 0 })),
    threadsMax: table.owners.threadsMax - 1, // the coordinator's row is not for others
    owners: census.owners,
    ownersMax: table.owners.ownersMax,
    admission: { state: admission.state, mode: admission.mode },
    alarmed: contention.alarmed,
    counters: unlessBusy(() => counters.names().map((name) => ({ name, value: counters.sum(name) }))),
    lanes: {
      open: lanes.length,
      max: table.mailbox.lanesMax,
      waitingBytes: sum(waiting.values()),
      fullest: read.reduce((most, { fullest }) => Math.max(most, fullest), 0),
    },
    memory: {
      controlBytes: table.control.byteLength,
      shardBytes: sum(shards.map(({ bytesCommitted }) => bytesCommitted)),
      laneBytes: table.mailbox.laneBytes,
    },
    writes: distribution(table, Monitor.writes, Monitor.writeMax),
    lockWaits: distribution(table, Monitor.waits, Monitor.waitMax),
    shards,
  };
}

/** A lock may be held by a thread that is stopped: the other figures are wanted then all the more. */
function unlessBusy<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isCorrupt(error)) throw error;
    return undefined;
  }
}

/** Buckets from 1 µs to 17 s, each twice as long as the one before. */
const bucketTicks: readonly number[] = Array.from({ length: 25 }, (_, n) => 2 ** (n + 6));

function distribution({ control, map, shards }: Table, at: number, maxAt: number): Distribution {
  const counts = new Float64Array(histogramBuckets);
  let maxTicks = 0;
  for (const shard of shards.keys()) {
    const monitor = map.monitor(shard);
    for (const [bucket, count] of readCounts(control, monitor + at).entries()) counts[bucket] += count;
    maxTicks = Math.max(maxTicks, control[monitor + maxAt] >>> 0);
  }
  const upTo = (ticks: number): number => totalOf(counts.subarray(0, bucketOf(ticks)));
  return { ...latencyOf(counts, maxTicks), buckets: bucketTicks.map((ticks) => [microseconds(ticks), upTo(ticks)]) };
}

const descending = (counts: ReadonlyMap<string, number>): [string, number][] =>
  [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));

function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}
