import type { JsonValue } from '../shared/codec.ts';
import type { RawEntry } from '../shared/shard-reader.ts';
import { ShardView, type ViewIndex } from '../shared/shard-view.ts';
import type { Entry, SharedEntry, SharedOwner } from './entry.ts';
import type { Parts } from './parts.ts';

/** One change of a kind: a name is registered or has another config, or (without an entry) is gone. */
export interface Change<Config = JsonValue> {
  readonly kind: string;
  readonly id: string;
  readonly entry: Entry<Config> | undefined;
}

/** The records of one shard, by what they hold. */
class ShardChanges implements ViewIndex {
  readonly #kind: KindChanges;
  readonly #entries = new Map<number, SharedEntry>();

  constructor(kind: KindChanges) {
    this.#kind = kind;
  }

  placed(raw: RawEntry): void {
    const entry = this.#kind.entryOf(raw);
    const before = this.#entries.get(raw.record);
    if (before !== undefined && before.id !== entry.id) this.#kind.gone(before);
    this.#entries.set(raw.record, entry);
    this.#kind.here(entry);
  }

  vacated(record: number): void {
    const before = this.#entries.get(record);
    if (before === undefined) return;
    this.#kind.gone(before);
    this.#entries.delete(record);
  }

  cleared(): void {
    for (const entry of this.#entries.values()) this.#kind.gone(entry);
    this.#entries.clear();
  }
}

/**
 * @internal What has changed among the entries of a kind since one reader was told last: first every entry there is, then name by name
 * what differs from what was told. So however much changes, what is kept to be told is a name each.
 */
export class KindChanges {
  readonly #parts: Parts;
  readonly #kind: string;
  #views: readonly ShardView[] = [];
  /** What the names stand for now, as far as views tell. */
  readonly #current = new Map<string, SharedEntry>();
  /** The versions that were told; and names that may differ from them. */
  readonly #told = new Map<string, number>();
  readonly #differing = new Set<string>();
  /** Goes on where the last look ended: from the start, each would pass over all that the set has lost. */
  #walk = this.#differing.values();
  readonly #ids = new Map<SharedOwner, Set<string>>();
  /** The count of deaths when all owners were last looked at; -1: never. */
  #deaths = -1;

  constructor(parts: Parts, kind: string) {
    this.#parts = parts;
    this.#kind = kind;
  }

  /** The next change that was not told; undefined when all were. @throws {RegistryError} `CORRUPT`, `BUSY` */
  next(): { readonly value: Change } | undefined {
    this.#catchUp();
    while (this.#differing.size > 0) {
      const { value: id } = this.#walk.next();
      if (id === undefined) {
        this.#walk = this.#differing.values();
        continue;
      }
      const entry = this.#current.get(id);
      const told = this.#told.get(id);
      if (entry?.version !== told) {
        if (entry === undefined) this.#told.delete(id);
        else this.#told.set(id, entry.version);
      }
      this.#differing.delete(id); // last: what a `vm` time-out cuts off is looked at again
      if (entry?.version !== told) return { value: { kind: this.#kind, id, entry } };
    }
    return undefined;
  }

  entryOf(raw: RawEntry): SharedEntry {
    return this.#parts.resolver.entryOf(raw);
  }

  here(entry: SharedEntry): void {
    const owner = entry.sharedOwner;
    const ids = this.#ids.get(owner) ?? new Set();
    this.#ids.set(owner, ids.add(entry.id));
    this.#differing.add(entry.id);
    this.#current.set(entry.id, entry);
  }

  /** A name moves from record to record: it is gone only if nothing has come in the place of this entry. */
  gone(entry: SharedEntry): void {
    const { id } = entry;
    if (this.#current.get(id) !== entry) return;
    this.#differing.add(id);
    this.#current.delete(id);
    const ids = this.#ids.get(entry.sharedOwner);
    ids?.delete(id);
    if (ids?.size === 0) this.#ids.delete(entry.sharedOwner);
  }

  #catchUp(): void {
    const { table } = this.#parts;
    if (this.#views.length === 0) {
      const kind = table.kinds.find(this.#kind);
      if (kind === 0) return; // nothing of it was ever registered
      const { shards, readers } = table;
      this.#views = shards.map((shard, n) => new ShardView(shard, readers[n], kind, new ShardChanges(this)));
    }
    // Before the views: an entry is told of only if its owner lives, so whoever dies after that is counted after this.
    // (A death is counted after it has happened, and then rings.)
    const deaths = table.owners.deaths();
    for (const view of this.#views) view.catchUp();
    if (deaths === this.#deaths) return;
    for (const [owner, ids] of this.#ids) {
      if (owner.lives(table.control)) continue;
      for (const id of ids) {
        if (this.#current.get(id)?.sharedOwner !== owner) continue;
        this.#differing.add(id);
        this.#current.delete(id);
      }
      this.#ids.delete(owner);
    }
    this.#deaths = deaths; // last: what a `vm` time-out cuts off is done again
  }
}
