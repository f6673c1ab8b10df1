import { histogramBuckets } from './monitor-layout.ts';

/**
 * Latency histograms in the manner of HdrHistogram: each power of two is cut into `SUB` equal buckets, so a value is
 * known to within 1 / (2 × SUB) = 6.25 % of itself (and 8 ns), from 16 ns to 68 s, in 960 bytes.
 */
const SUB_BITS = 3;
const SUB = 1 << SUB_BITS;

/** Nanoseconds of a tick, the unit of what is recorded: 32 bits of them are more than any wait may take. */
export const tickNs = 16;
const ticksMax = 0xffffffff;

/** A duration in ticks, from 0 to 68 s. */
export function ticksOf(ms: number): number {
  return Math.min(Math.max(0, Math.round(ms * (1e6 / tickNs))), ticksMax);
}

/** The bucket of a duration. */
export function bucketOf(ticks: number): number {
  if (ticks < SUB) return ticks;
  const shift = 31 - Math.clz32(ticks) - SUB_BITS;
  return shift * SUB + (ticks >>> shift);
}

/** The middle of a bucket, in ticks. */
export function middleOf(bucket: number): number {
  if (bucket < 2 * SUB) return bucket;
  const width = 2 ** (Math.floor(bucket / SUB) - 1);
  return (SUB + (bucket % SUB) + 0.5) * width;
}

/** Counts by bucket, as they stood when they were read. */
export type Counts = Uint32Array;

/** Copies the counts of a histogram at `at`. */
export function readCounts(words: Int32Array, at: number): Counts {
  return new Uint32Array(words.subarray(at, at + histogramBuckets));
}

/** What was counted between two readings; all of the later one where the histogram was reset in between. */
export function countsSince(before: Counts, now: Counts): Counts {
  return now.map((count, n) => (((count - before[n]) | 0) < 0 ? count : count - before[n]));
}

export function totalOf(counts: Counts | Float64Array): number {
  let sum = 0;
  for (const count of counts) sum += count;
  return sum;
}

/** The mean in ticks; 0 of none. */
export function meanOf(counts: Counts | Float64Array): number {
  let sum = 0;
  for (const [bucket, count] of counts.entries()) sum += count * middleOf(bucket);
  return sum === 0 ? 0 : sum / totalOf(counts);
}

/** The duration in ticks that a share of all counted ones do not exceed; 0 of none. */
export function quantileOf(counts: Counts | Float64Array, share: number): number {
  const rank = Math.max(1, Math.ceil(totalOf(counts) * share));
  let seen = 0;
  for (const [bucket, count] of counts.entries()) {
    seen += count;
    if (seen >= rank) return middleOf(bucket);
  }
  return 0;
}
