import type { Resolution } from './resolution.ts';

/**
 * Names of one kind in two generations. What is found in the old one moves to the young one; when the young ones are
 * full the old ones are dropped: names in use stay, at the cost of no bookkeeping on a hit.
 */
export class KindCache {
  young = new Map<string, Resolution>();
  old = new Map<string, Resolution>();
}

/** A thread's resolutions by kind and id, bounded. */
export class LookupCache {
  /** Names in one generation, over all kinds; a thread keeps at most twice as many, at about 350 bytes and the
   *  decoded config each. Large enough for 100,000 names looked up at random. */
  static readonly generationMax: number = 131_072;

  readonly #kinds = new Map<string, KindCache>();
  #young = 0;

  /** The names of a kind. Only for kinds that were registered, so there are at most `limits.kindsMax`. */
  kind(kind: string): KindCache {
    let cache = this.#kinds.get(kind);
    if (cache === undefined) {
      cache = new KindCache();
      this.#kinds.set(kind, cache);
    }
    return cache;
  }

  keep(names: KindCache, id: string, resolution: Resolution): void {
    const before = names.young.size;
    names.young.set(id, resolution);
    if (names.young.size === before) return;
    if (++this.#young > LookupCache.generationMax) this.#rotate();
  }

  /** Names cached now. */
  get size(): number {
    let size = 0;
    for (const { young, old } of this.#kinds.values()) size += young.size + old.size;
    return size;
  }

  #rotate(): void {
    for (const names of this.#kinds.values()) {
      names.old = names.young;
      names.young = new Map();
    }
    this.#young = 0;
  }
}
