import type { Registry } from '../../src/engine/index.ts';
import { Table } from '../../src/shared/table.ts';
import { kind } from './fixtures.ts';

/**
 * The engine below its public calls, for what no call shows alone: a cold lookup without the cache in front of it, and
 * the words themselves. Takes a thread's row of the registry until it is disposed of.
 */
export class Internals implements Disposable {
  readonly table: Table;
  readonly #kindId: number;

  constructor(registry: Registry) {
    this.table = new Table(registry.handle);
    this.#kindId = this.table.kinds.find(kind);
  }

  /** The slot of a name's owner, or -1: hash, probe, compare, validate; no config, no cache, no object. */
  ownerOf(id: string): number {
    const { key } = this.table;
    key.encode(this.#kindId, id);
    const reader = this.table.readers[this.table.shardOf(key.hash)];
    return reader.find(key) === 0 ? -1 : reader.owner;
  }

  [Symbol.dispose](): void {
    this.table.detach();
  }
}
