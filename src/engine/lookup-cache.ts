import type { SharedEntry } from './entry.ts';

/**
 * Names of one kind in two generations. What is found in the old one moves to the young one; when the young ones are
 * full the old ones are dropped: names in use stay, at the cost of no bookkeeping on a hit.
 */
export class KindCache {
  young = new Map<string, SharedEntry>();
  old = new Map<string, SharedEntry>();
}

/** Bytes a cached name takes besides its config: two maps' slots, the entry, its proof. */
const NAME_BYTES = 300;
/** What a decoded config takes, to its JSON text. */
const DECODED_FACTOR = 2;

/** A thread's answers by kind and id, bounded in number and in estimated bytes. */
export class LookupCache {
  /** Of one generation, over all kinds; a thread keeps two. Large enough for 100,000 names looked up at random. */
  static readonly generationNamesMax: number = 131_072;
  static readonly generationBytesMax: number = 1 << 26;

  readonly #kinds = new Map<string, KindCache>();
  #names = 0;
  #bytes = 0;

  /** The names of a kind. Only for kinds that were registered, so there are at most `limits.kindsMax`. */
  kind(kind: string): KindCache {
    let cache = this.#kinds.get(kind);
    if (cache === undefined) {
      cache = new KindCache();
      this.#kinds.set(kind, cache);
    }
    return cache;
  }

  /** Keeps what a lookup found. A name that is looked up after each of many changes counts each time: its generation
   *  ends the sooner, which costs the others a move. */
  keep(names: KindCache, id: string, answer: SharedEntry): void {
    names.young.set(id, answer);
    this.#names++;
    this.#bytes += NAME_BYTES + DECODED_FACTOR * answer.textLength;
    if (this.#names > LookupCache.generationNamesMax || this.#bytes > LookupCache.generationBytesMax) this.#rotate();
  }

  #rotate(): void {
    for (const names of this.#kinds.values()) {
      names.old = names.young;
      names.young = new Map();
    }
    this.#names = 0;
    this.#bytes = 0;
  }
}
