/**
 * What a shard measures of itself: a block of its own in the control buffer, apart from the words that writes touch.
 *
 * The first line and the histograms are written by the holder of the shard's lock with plain stores and no journal:
 * they decide nothing, so a sample that is lost with its thread is one sample less. The second line is the
 * coordinator's. Anybody reads; each word is right by itself.
 */
export const Monitor = {
  /** Longest write and wait, in ticks (see histogram.ts). */
  writeMax: 0,
  waitMax: 1,
  /** Searches of the index that were sampled, and the index words they looked at. */
  searches: 2,
  probes: 3,
  /** Moving average of a write, in nanoseconds, over about the last `recentWrites` of them. */
  writeMean: 4,
  /** Reasons for which the shard is alarmed (`AlarmReason`), 0 when it is not. */
  alarm: 16,
  /** Of the recent past, while the coordinator watches: microseconds that 99 % of lock waits took at most, mean
   *  microseconds of a write, milliseconds since the present holder was first seen with others waiting. */
  recentWaitP99: 17,
  recentWriteMean: 18,
  heldMs: 19,
  /** Counts by bucket: `histogramBuckets` words each. */
  writes: 32,
  waits: 272,
  words: 512,
} as const;

export const AlarmReason = { lockWait: 1, writeLatency: 2, lockHeld: 4 } as const;

/** Buckets of a histogram: see histogram.ts. */
export const histogramBuckets = 240;
