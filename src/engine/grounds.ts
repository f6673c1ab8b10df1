import type { SharedOwner } from './entry.ts';
import type { Mortality } from './mortality.ts';

/** What an answer made of many entries rests on: words of the registry, and what they are while it holds; and deadlines. */
export class Grounds {
  /** Pairs: where a word lies, and what it is. */
  readonly words: number[] = [];
  /** Where in `words` the change sequences are, by where they lie. */
  readonly sequences: Map<number, number> = new Map<number, number>();
  readonly #threads = new Set<number>();
  readonly #mark = {};
  readonly mortality: Mortality;

  constructor(mortality: Mortality) {
    this.mortality = mortality;
  }

  /** A shard's change sequence, as it was before the entries were read. The first look at a shard counts. */
  addSequence(at: number, sequence: number): void {
    if (this.sequences.has(at)) return;
    this.sequences.set(at, this.words.length + 1);
    this.words.push(at, sequence);
  }

  /** An owner that was found to live, and that the answer would be another without. Owners may be very many, so that they
   *  are known again by a mark. */
  addOwner(owner: SharedOwner): void {
    if (owner.mark === this.#mark) return;
    owner.mark = this.#mark;
    this.words.push(owner.epochAt, owner.epoch);
    if (this.#threads.has(owner.threadEpochAt)) return;
    this.#threads.add(owner.threadEpochAt);
    this.words.push(owner.threadEpochAt, owner.threadEpoch);
  }
}
