import { Header } from './layout.ts';
import { loadFirst, settleStores } from './ordering.ts';

/** The lower bits of the bell's word: nobody sleeps, somebody does or is about to, and woken they may be not yet. */
const State = { quiet: 0, armed: 1, rung: 2, mask: 3, step: 4 } as const;

/**
 * The bell that wakes who watches for changes: one word for the whole registry, a number and a state.
 *
 * ```
 * who waits     arm: quiet → armed · look at what is waited for · sleep while the word is that armed number
 * who changes   commit · look at the word: armed → rung · wake all · rung → quiet, the next number
 * who finds it rung, waiting or changing   wake all · rung → quiet
 * ```
 * No wake-up is lost. The commit and the arming are read-modify-writes and each side looks after its own, so one of
 * them sees the other: either the change is met by the look, or the armed word is met by who changed. A sleeper never
 * sleeps on a number that was rung, as none returns (but after 2^30 rings between arming and sleeping). Many may sleep
 * on one number; whoever rings wakes them all, and the next to sleep arms the word anew.
 *
 * The word stays rung until all have been woken: so a call that is cut off in between, by a thread that lives on, is made up
 * for by the next change or the next who waits, and none before (nor if it is cut off between its commit and the bell).
 * A thread that is killed there rings by its death.
 * While nobody watches, a change costs one load of a word that nobody writes.
 */
export class WatchBell {
  readonly #words: Int32Array<SharedArrayBuffer>;

  constructor(words: Int32Array<SharedArrayBuffer>) {
    this.#words = words;
  }

  /** After a change, or a death. */
  ring(): void {
    const word = loadFirst(this.#words, Header.watchBell);
    if ((word & State.mask) !== State.quiet) this.#wake(word);
  }

  /** `word` is armed, or rung already. If it has moved on meanwhile, others wake, or have woken. */
  #wake(word: number): void {
    const words = this.#words;
    const rung = (word & ~State.mask) | State.rung;
    Atomics.compareExchange(words, Header.watchBell, word, rung);
    Atomics.notify(words, Header.watchBell);
    Atomics.compareExchange(words, Header.watchBell, rung, rung - State.rung + State.step);
  }

  /** Says that this thread is about to sleep. What it waits for it looks at after this.
   *  @returns what to sleep on */
  arm(): number {
    const words = this.#words;
    for (;;) {
      const word = Atomics.load(words, Header.watchBell);
      const state = word & State.mask;
      if (state === State.rung) this.#wake(word);
      else if (
        state === State.armed ||
        Atomics.compareExchange(words, Header.watchBell, word, word | State.armed) === word
      ) {
        settleStores();
        return word | State.armed;
      }
    }
  }

  /** Resolves when it was rung after `arm` gave `armed`. Keeps no process alive. */
  async rung(armed: number): Promise<void> {
    await Atomics.waitAsync(this.#words, Header.watchBell, armed).value;
  }
}
