/*
 * Random choices from one seed, printed, and replayed with ROLLCALL_SEED. Threads derive their own from it. (What
 * several threads do at once is replayed as far as each one's choices go, not as to how they interleave.)
 */

/** Mulberry32: 32 bits of state, good enough to choose commands, and the same everywhere. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** A whole number from 0 to `below` - 1. */
  below(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)];
  }
}

/** The seed of a test file; printed where the runner looks for it. */
export function seedOfRun(): number {
  const given = process.env.ROLLCALL_SEED;
  const seed = given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given);
  if (!Number.isInteger(seed)) throw new Error(`ROLLCALL_SEED is "${given}", which is no whole number`);
  console.log(`seed ${seed}`);
  return seed;
}
