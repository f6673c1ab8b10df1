export interface BackoffOptions {
  baseMs: number;
  maxMs: number;
  random?: () => number;
}

/** Exponential back-off with jitter: each delay lies between half of the doubled ceiling and the ceiling. */
export class Backoff {
  readonly #options: BackoffOptions;
  #attempts = 0;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /** The delay before the next attempt, in milliseconds. */
  next(): number {
    const { baseMs, maxMs, random = Math.random } = this.#options;
    // 2 ** 1024 is Infinity, and min() handles it: no need to bound the count.
    const ceilingMs = Math.min(maxMs, baseMs * 2 ** this.#attempts);
    this.#attempts += 1;
    return ceilingMs / 2 + (random() * ceilingMs) / 2;
  }

  /** Start anew: what was restarted has been stable. */
  reset(): void {
    this.#attempts = 0;
  }
}
