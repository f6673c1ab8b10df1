import type { SharedEntry } from './entry.ts';

/**
 * The answer to one lookup, with the few words of shared memory that tell whether it still holds.
 *
 * A name found: its record's version, its shard's count of version wraps, its owner's epoch, that owner's thread's
 * epoch. None of these ever returns to an old value (a version only with another count of wraps; the
 * insert sequence after 2^31 registrations in one shard between two looks), so if all are what
 * they were, they have been so all along and the entry is the answer at this moment. A name not found: the shard's
 * insert sequence, which every appearance of a name moves; the other three then say that the registry is open.
 *
 * Plain loads, which cost a tenth of atomic ones: each word is checked for itself, so no order among them is relied
 * on; 32-bit loads do not tear; and a stale word is no staler than the answer of any lookup that ended a moment ago.
 */
export class Resolution {
  readonly entry: SharedEntry | undefined;
  readonly #words: Int32Array;
  readonly #at: number;
  readonly #version: number;
  readonly #control: Int32Array;
  readonly #wrapsAt: number;
  readonly #wraps: number;
  readonly #ownerAt: number;
  readonly #ownerEpoch: number;
  readonly #threadAt: number;
  readonly #threadEpoch: number;

  constructor(
    entry: SharedEntry | undefined,
    words: Int32Array,
    at: number,
    version: number,
    control: Int32Array,
    wrapsAt: number,
    wraps: number,
    ownerAt: number,
    ownerEpoch: number,
    threadAt: number,
    threadEpoch: number,
  ) {
    this.entry = entry;
    this.#words = words;
    this.#at = at;
    this.#version = version;
    this.#control = control;
    this.#wrapsAt = wrapsAt;
    this.#wraps = wraps;
    this.#ownerAt = ownerAt;
    this.#ownerEpoch = ownerEpoch;
    this.#threadAt = threadAt;
    this.#threadEpoch = threadEpoch;
  }

  holds(): boolean {
    const control = this.#control;
    return (
      this.#words[this.#at] === this.#version &&
      control[this.#ownerAt] === this.#ownerEpoch &&
      control[this.#threadAt] === this.#threadEpoch &&
      control[this.#wrapsAt] === this.#wraps
    );
  }
}
