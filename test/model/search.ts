/** Who decides, wherever a run has a choice: which of `options` it takes. */
export interface Guide {
  /** Another run begins. */
  begin(): void;
  /** @param going whether option 0 is to let the running thread go on
   *  @param left preemptions that may still be made
   *  @param state names the state of memory, threads and history
   *  @throws what ends the run: nothing new can come */
  choose(options: number, going: boolean, left: number, state: () => number): number;
  /** The option that was taken last is a preemption. */
  preempted(): void;
}

/** How many complete interleavings there are from a choice on, by the number of preemptions they make from there. */
type Counts = number[];

/** A state that was met with so many preemptions left. */
interface Seen {
  readonly left: number;
  readonly counts: Counts;
}

interface Choice {
  taken: number;
  /** Preemptions the option taken costs. */
  cost: number;
  readonly options: number;
  readonly seen: Seen;
}

/** Thrown to end a run in a state from which all was explored before, with as many preemptions left. */
export const metBefore = Symbol('met before');

/**
 * Depth-first search through all choices. A state that was met before, with at least as many preemptions left, is not
 * explored again, but the interleavings that go on from it are counted: how many there are is known from the first time.
 */
export class Search implements Guide {
  runs = 0;
  readonly #path: Choice[] = [];
  readonly #met = new Map<number, Seen>();
  readonly #total: Counts = [];
  #taken = 0;

  /** Different states in which there was a choice. */
  get states(): number {
    return this.#met.size;
  }

  /** Complete interleavings of all runs so far. */
  get interleavings(): number {
    return this.#total.reduce((sum, count) => sum + count, 0);
  }

  begin(): void {
    this.#taken = 0;
    this.runs++;
  }

  choose(options: number, _going: boolean, left: number, state: () => number): number {
    const again = this.#path[this.#taken];
    if (again === undefined) {
      const key = state();
      const met = this.#met.get(key);
      if (met !== undefined && met.left >= left) {
        this.#count(met.counts.slice(0, left + 1));
        throw metBefore;
      }
      const seen = { left, counts: [] };
      this.#met.set(key, seen);
      this.#path.push({ taken: 0, cost: 0, options, seen });
    }
    return this.#path[this.#taken++].taken;
  }

  preempted(): void {
    this.#path[this.#taken - 1].cost = 1;
  }

  /** The run came to its end. */
  ended(): void {
    this.#count([1]);
  }

  /** Goes on to the next path. @returns false after the last */
  next(): boolean {
    for (let last = this.#path.at(-1); last !== undefined; last = this.#path.at(-1)) {
      last.cost = 0;
      if (++last.taken < last.options) return true;
      this.#path.pop();
      this.#count(last.seen.counts);
    }
    return false;
  }

  /** Adds to what the choice that was taken last leads to. */
  #count(counts: Counts): void {
    const last = this.#path.at(-1);
    const sums = last?.seen.counts ?? this.#total;
    const cost = last?.cost ?? 0;
    for (const [preemptions, count] of counts.entries()) {
      sums[preemptions + cost] = (sums[preemptions + cost] ?? 0) + count;
    }
  }
}

/**
 * Chooses at random. A run that changed threads whenever it could would never get far into any of them, so each run
 * draws how readily it does: from at every second chance to at every 128th (compare Burckhardt et al., "A randomized
 * scheduler with probabilistic guarantees of finding bugs", 2010).
 */
export class Walk implements Guide {
  readonly #random: (bound: number) => number;
  #chances = 2;

  /** @param random a whole number below `bound` */
  constructor(random: (bound: number) => number) {
    this.#random = random;
  }

  begin(): void {
    this.#chances = 2 << (2 * this.#random(4));
  }

  choose(options: number, going: boolean): number {
    if (!going) return this.#random(options);
    return this.#random(this.#chances) === 0 ? 1 + this.#random(options - 1) : 0;
  }

  preempted(): void {}
}
