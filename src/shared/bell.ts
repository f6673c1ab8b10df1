import { loadFirst } from './ordering.ts';

/**
 * How a sleeping thread is woken, without a message and without a timer.
 *
 * One word per thread (`ThreadInfo.bell`). Whoever has published something for a thread rings; who has nothing to do
 * says that it sleeps, and only then looks once more:
 * ```
 * sleeper                              ringer
 *   bell = asleep                        publish
 *   is there anything?  yes: awake       bell = asleep?  → compareExchange to awake, notify
 *   wait while bell = asleep
 * ```
 * All four are sequentially consistent, so one of them sees the other: either the sleeper finds what was published,
 * or the ringer finds it asleep. The one whose compareExchange succeeds notifies, so many ringers wake it once.
 *
 * A ringer that ends between publishing and notifying wakes nobody. So whoever buries a thread wakes every sleeper
 * (`wake`), and one that was cut off and lives on does it in its next turn (`Mailbox.ringAgain`). To be woken for nothing does no harm: a sleeper looks
 * before it believes.
 */
export const BellState = { awake: 0, asleep: 1 } as const;

/** Wakes the thread whose bell it is, if it sleeps. Call it after publishing. */
export function ring(words: Int32Array, at: number): void {
  if (loadFirst(words, at) !== BellState.asleep) return; // after an atomic store, which no later load comes before
  if (Atomics.compareExchange(words, at, BellState.asleep, BellState.awake) !== BellState.asleep) return;
  Atomics.notify(words, at);
}

/** Wakes it, whatever its bell says: also one that has looked and does not wait yet, which the word keeps from it. */
export function wake(words: Int32Array, at: number): void {
  Atomics.store(words, at, BellState.awake);
  Atomics.notify(words, at);
}
