import { Header } from './layout.ts';
import { loadFirst, settleStores } from './ordering.ts';

/**
 * The bell that wakes who watches for changes: one word for the whole registry, odd while somebody sleeps.
 *
 * ```
 * who waits     arm: even → odd · look at what is waited for · sleep while the word is that odd number
 * who changes   commit · look at the word: odd → the next even number, wake all
 * ```
 * No wake-up is lost. The commit and the arming are read-modify-writes and each side looks after its own, so one of
 * them sees the other: either the change is met by the look, or the armed word is met by who changed. A sleeper never
 * sleeps on a number that was rung, as none returns (but after 2^31 rings between arming and sleeping). Many may sleep
 * on one number; whoever rings wakes them all, and the next to sleep arms the word anew.
 *
 * A thread that is killed between its commit and the bell, or between the bell's number and the wake-up, rings by its
 * death, which is rung aloud: without a look whether anybody seems to sleep. While nobody watches, a change costs one
 * load of a word that nobody writes.
 */
export class WatchBell {
  readonly #words: Int32Array<SharedArrayBuffer>;

  constructor(words: Int32Array<SharedArrayBuffer>) {
    this.#words = words;
  }

  /** After a change. */
  ring(): void {
    const word = loadFirst(this.#words, Header.watchBell);
    if (word & 1) this.#wake(word);
  }

  /** After the death of a thread: it may have begun to ring. */
  ringAloud(): void {
    this.#wake(Atomics.load(this.#words, Header.watchBell));
  }

  #wake(word: number): void {
    if (word & 1) Atomics.compareExchange(this.#words, Header.watchBell, word, word + 1);
    Atomics.notify(this.#words, Header.watchBell);
  }

  /** Says that this thread is about to sleep. What it waits for it looks at after this.
   *  @returns what to sleep on */
  arm(): number {
    for (;;) {
      const word = Atomics.load(this.#words, Header.watchBell);
      if (!(word & 1) && Atomics.compareExchange(this.#words, Header.watchBell, word, word | 1) !== word) continue;
      settleStores();
      return word | 1;
    }
  }

  /** Resolves when it was rung after `arm` gave `armed`. Keeps no process alive. */
  async rung(armed: number): Promise<void> {
    await Atomics.waitAsync(this.#words, Header.watchBell, armed).value;
  }
}
