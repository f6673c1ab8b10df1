import type { RawEntry } from '../shared/shard-reader.ts';
import { ShardView, type ViewIndex } from '../shared/shard-view.ts';
import type { Table } from '../shared/table.ts';
import { type Answer, answerFrom, type Source } from './answer.ts';
import type { SharedEntry } from './entry.ts';
import type { Grounds } from './grounds.ts';
import type { Resolver } from './resolver.ts';

/** All entries of a kind in one shard, as a thread knows them. */
class ShardEntries implements ViewIndex {
  readonly entries: Map<number, SharedEntry> = new Map<number, SharedEntry>();
  /** Where deadlines lie, of those that have one. */
  readonly deadlines: Map<number, number> = new Map<number, number>();
  readonly #resolver: Resolver;

  constructor(resolver: Resolver) {
    this.#resolver = resolver;
  }

  placed(raw: RawEntry): void {
    this.entries.set(raw.record, this.#resolver.entryOf(raw));
    if (raw.expiryAt === 0) this.deadlines.delete(raw.record);
    else this.deadlines.set(raw.record, raw.expiryAt);
  }

  vacated(record: number): void {
    this.entries.delete(record);
    this.deadlines.delete(record);
  }

  cleared(): void {
    this.entries.clear();
    this.deadlines.clear();
  }
}

/** All entries of a kind in all shards, as a thread knows them. What has not changed stays the same object. */
export class KindIndex implements Source<readonly SharedEntry[]> {
  readonly views: readonly ShardView[];
  readonly #shards: readonly ShardEntries[];
  readonly #control: Int32Array;
  #answer: Answer<readonly SharedEntry[]> | undefined;

  constructor(table: Table, resolver: Resolver, kind: number) {
    this.#control = table.control;
    this.#shards = table.shards.map(() => new ShardEntries(resolver));
    this.views = table.shards.map((shard, n) => new ShardView(shard, table.readers[n], kind, this.#shards[n]));
  }

  /** The entries of those who live and whose time is not over, as they stood together at one moment; the same array until one has changed.
   *  @throws {RegistryError} `CORRUPT`, `BUSY`: see `answerFrom` */
  living(): readonly SharedEntry[] {
    let answer = this.#answer;
    if (answer === undefined || !answer.holds(this.#control)) {
      answer = answerFrom(this.#control, this.views, this);
      this.#answer = answer;
    }
    return answer.value;
  }

  collect(control: Int32Array, grounds: Grounds): readonly SharedEntry[] {
    const living: SharedEntry[] = [];
    for (const [n, { entries, deadlines }] of this.#shards.entries()) {
      const { records } = this.views[n].reader.memory;
      for (const [record, entry] of entries) {
        const owner = entry.sharedOwner;
        if (!owner.lives(control) || grounds.mortality.isOver(owner, control)) continue;
        const expiryAt = deadlines.size === 0 ? undefined : deadlines.get(record);
        if (expiryAt !== undefined && grounds.mortality.isPast(records, expiryAt)) continue;
        grounds.addOwner(owner);
        living.push(entry);
      }
    }
    return living;
  }
}
