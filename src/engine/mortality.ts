import { hasPassed } from '../shared/clock.ts';
import { loadAfter } from '../shared/ordering.ts';
import type { ShardReader } from '../shared/shard-reader.ts';
import type { SharedOwner } from './entry.ts';

interface Deadline {
  readonly words: Int32Array;
  readonly at: number;
  /** Whether it had passed when it was met. */
  readonly passed: boolean;
}

/**
 * The deadlines that an answer made of many entries rests on, as of one time. Those that had passed too: a renewal that comes
 * late brings back what was left out. Where nothing has a deadline no clock is read.
 */
export class Mortality {
  readonly #deadlines: Deadline[] = [];
  readonly #owners = new Map<SharedOwner, boolean>();
  readonly #reader: ShardReader;
  /** Read when the first deadline is met. */
  #time: number | undefined;

  /** @param reader any of the registry: it knows the time */
  constructor(reader: ShardReader) {
    this.#reader = reader;
  }

  /** Whether a deadline (0: none) has passed. Loaded after the clock is read: one that was renewed in between has not. */
  isPast(words: Int32Array, at: number): boolean {
    if (words[at] === 0) return false;
    this.#time ??= this.#reader.time();
    const passed = hasPassed(loadAfter(words, at), this.#time);
    this.#deadlines.push({ words, at, passed });
    return passed;
  }

  /** The same of an owner that lives, which has a deadline all its life or never. */
  isOver(owner: SharedOwner, control: Int32Array): boolean {
    if (owner.expiry(control) === 0) return false;
    const known = this.#owners.get(owner);
    if (known !== undefined) return known;
    const over = this.isPast(control, owner.expiryAt);
    this.#owners.set(owner, over);
    return over;
  }

  /** Whether the same ones have passed at this moment. */
  isAsNow(): boolean {
    if (this.#deadlines.length === 0) return true;
    const time = this.#reader.time();
    for (const { words, at, passed } of this.#deadlines) {
      if (hasPassed(loadAfter(words, at), time) !== passed) return false;
    }
    return true;
  }
}
