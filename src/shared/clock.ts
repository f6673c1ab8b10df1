import { performance } from 'node:perf_hooks';
import { Header } from './layout.ts';
import { loadAfter } from './ordering.ts';

/** Milliseconds of a tick, the unit of deadlines. */
export const tickMs = 8;

/**
 * This thread's `performance.now` and the process's monotonic clock, which no one sets, differ by when the thread began.
 * A thread may lose its processor between two looks, and would be so much behind for ever: so the one is looked at
 * before and after the other, until both are close together, and the closest of some tries counts.
 */
export function measureOffsetMs(now: () => number, monotonicNow: () => number): number {
  let closestMs = Number.POSITIVE_INFINITY;
  let offsetMs = 0;
  for (let tries = 0; tries < OFFSET_TRIES && closestMs > OFFSET_ERROR_MS; tries++) {
    const before = now();
    const monotonic = monotonicNow();
    const after = now();
    if (after - before >= closestMs) continue;
    closestMs = after - before;
    offsetMs = monotonic - (before + after) / 2;
  }
  return offsetMs;
}

/** Some µs are what the three looks take; of a tick nobody notices so little. */
const OFFSET_ERROR_MS = 0.05;
const OFFSET_TRIES = 100;
const offsetMs = measureOffsetMs(
  () => performance.now(),
  () => Number(process.hrtime.bigint()) / 1e6,
);

/** The time of the machine's monotonic clock, the same in every thread. */
export const monotonicMs = (): number => performance.now() + offsetMs;

/** Ticks that a time to live lasts, at least one, rounded up: nothing expires before its time. */
export const ticksToLive = (ttlMs: number): number => Math.ceil(ttlMs / tickMs) + 1;

/** Whether a deadline (0: none) has passed at a time. */
export const hasPassed = (deadline: number, time: number): boolean => deadline !== 0 && ((time - deadline) | 0) >= 0;

/**
 * The clock by which entries expire: ticks since the registry was opened, the same in every thread, in 32 bits that wrap
 * after 397 days. A deadline is at most `limits.ttlMsMax` ahead, and is told from one that has passed for the 198 days
 * after it: what has expired is swept long before. 0 is no deadline.
 */
export class Clock {
  readonly #openedMs: number;

  constructor(words: Int32Array<SharedArrayBuffer>) {
    this.#openedMs = (words[Header.openedMs] >>> 0) + (words[Header.openedMs + 1] >>> 0) * 2 ** 32;
  }

  /** The time now, in ticks. */
  time(): number {
    return Math.floor((monotonicMs() - this.#openedMs) / tickMs) | 0;
  }

  /** Whether the deadline at `at` has passed. Reads no clock where there is none. The deadline is loaded after the clock was
   *  read: one that was renewed in between is not taken for over. */
  isOver(words: Int32Array, at: number): boolean {
    if (words[at] === 0) return false;
    const time = this.time();
    return hasPassed(loadAfter(words, at), time);
  }

  /** The deadline after so many ticks; 0 of 0. */
  deadline(ticks: number): number {
    if (ticks === 0) return 0;
    return (this.time() + ticks) | 0 || 1;
  }
}
