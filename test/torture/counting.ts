import type { Counter, Owner, Registry } from '../../src/engine/index.ts';
import type { Words } from './words.ts';
import { Row, rowAt } from './words.ts';

/** Counters of a torture run: one of all, and those of owners that come and go, whose counts are kept, or are gone with them. */
export const counters = { all: 'all', kept: 'kept', gone: 'gone' } as const;

const countsOfOwner = 24;

/** An owner that counts, until it has counted enough. */
interface Own {
  readonly owner: Owner;
  readonly kept: Counter;
  readonly gone: Counter;
  left: number;
}

/** Counts, and says so in shared words before and after: what was counted lies in between. */
export class Counting {
  readonly #registry: Registry;
  readonly #words: Words;
  readonly #row: number;
  readonly #all: Counter;
  #own: Own | undefined;

  constructor(registry: Registry, words: Words, row: number) {
    this.#registry = registry;
    this.#words = words;
    this.#row = row;
    this.#all = registry.counter(counters.all);
  }

  operate(): void {
    this.#count(this.#all, Row.allTried, Row.allCounted);
    if (this.#own === undefined || !this.#own.owner.alive) this.#own = this.#open();
    this.#count(this.#own.kept, Row.keptTried, Row.keptCounted);
    this.#own.gone.increment();
    if (--this.#own.left === 0) this.#own.owner.close();
  }

  #open(): Own {
    const owner = this.#registry.owner();
    const kept = this.#registry.counter(counters.kept, { owner, keep: true });
    const gone = this.#registry.counter(counters.gone, { owner });
    return { owner, kept, gone, left: countsOfOwner };
  }

  #count(counter: Counter, tried: number, counted: number): void {
    Atomics.add(this.#words, rowAt(this.#row, tried), 1);
    counter.increment();
    Atomics.add(this.#words, rowAt(this.#row, counted), 1);
  }
}
