const bucketsPerDoubling = 8;

/** Many durations in little memory: counted in buckets an eighth of a doubling wide, so quantiles are right to 9 %. */
export class Durations {
  /** Bucket n holds durations up to 2^(n / 8) µs; the last, 2^32 µs, is over an hour. */
  readonly counts: Uint32Array = new Uint32Array(32 * bucketsPerDoubling + 1);
  count = 0;
  longestMs = 0;

  add(ms: number): void {
    this.counts[Math.ceil(Math.log2(Math.max(ms * 1000, 1)) * bucketsPerDoubling)]++;
    this.count++;
    if (ms > this.longestMs) this.longestMs = ms;
  }

  /** Adds all of another, which may have come as a plain copy from its thread. */
  merge({ counts, count, longestMs }: Pick<Durations, 'counts' | 'count' | 'longestMs'>): void {
    for (const [bucket, n] of counts.entries()) this.counts[bucket] += n;
    this.count += count;
    this.longestMs = Math.max(this.longestMs, longestMs);
  }

  /** Milliseconds that this share of the durations does not exceed. */
  quantileMs(share: number): number {
    let left = Math.ceil(this.count * share);
    for (const [bucket, n] of this.counts.entries()) {
      left -= n;
      if (left <= 0) return Math.min(2 ** (bucket / bucketsPerDoubling) / 1000, this.longestMs);
    }
    return this.longestMs;
  }
}
