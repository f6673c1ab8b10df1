import { Header } from './layout.ts';

/**
 * When the coordinator is to sweep what has expired: `Header.nextDeadline` is no later than any deadline there is.
 *
 * Whoever sets a deadline notes it here before the entry can be found; whoever sweeps takes the word away first and
 * notes again each deadline that it leaves. So none is forgotten, but for those of a thread that dies between the two:
 * one that sets a deadline has its names swept for that, and after a coordinator the next one sweeps. Nothing that is found or not depends on this: what has expired is not found from that moment on.
 *
 * A call may be cut off between setting the word and waking the sweeper, and its thread live on. Its own deadline is
 * nothing to wake for then, as its entry is not there yet; but all later ones would be too late to move the word. So whoever finds
 * a sooner one there wakes the sweeper when it sleeps on another. The sweeper says what it sleeps on before it compares
 * that with the word and sleeps: it meets the word, or is met.
 */
export class Deadlines {
  readonly #words: Int32Array<SharedArrayBuffer>;

  constructor(words: Int32Array<SharedArrayBuffer>) {
    this.#words = words;
  }

  /** There is one more. 0 is none. */
  note(deadline: number): void {
    if (deadline === 0) return;
    this.#words[Header.anyDeadline] = 1;
    for (;;) {
      const next = Atomics.load(this.#words, Header.nextDeadline);
      const isSooner = next === 0 || ((deadline - next) | 0) < 0;
      if (!isSooner && !this.#sleepsOnOther(next)) return;
      if (!isSooner || Atomics.compareExchange(this.#words, Header.nextDeadline, next, deadline) === next) break;
    }
    Atomics.notify(this.#words, Header.nextDeadline);
  }

  #sleepsOnOther(next: number): boolean {
    const words = this.#words;
    return Atomics.load(words, Header.sweeperAsleep) !== 0 && Atomics.load(words, Header.deadlineAwaited) !== next;
  }

  /** Whether there has ever been one. (`next` is 0 also while a sweep is under way.) */
  get any(): boolean {
    return this.#words[Header.anyDeadline] !== 0;
  }

  /** 0: there is none. */
  next(): number {
    return Atomics.load(this.#words, Header.nextDeadline);
  }

  /** A sweep begins. */
  forgetNext(): void {
    Atomics.store(this.#words, Header.nextDeadline, 0);
  }

  /** Resolves when the next deadline is no longer `seen`, or after so many milliseconds. For the sweeper alone. */
  async changed(seen: number, timeoutMs: number): Promise<void> {
    const words = this.#words;
    Atomics.store(words, Header.deadlineAwaited, seen);
    Atomics.store(words, Header.sweeperAsleep, 1);
    await Atomics.waitAsync(words, Header.nextDeadline, seen, timeoutMs).value;
    Atomics.store(words, Header.sweeperAsleep, 0);
  }
}
