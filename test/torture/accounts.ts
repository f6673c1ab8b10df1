import type { Registry } from '../../src/engine/index.ts';
import { ControlMap, Header, Page, pageBytes, pageRow, pagesPerGroup, Record, Shard } from '../../src/shared/layout.ts';
import { ShardMemory } from '../../src/shared/shard-memory.ts';
import { total } from '../support/bookkeeping.ts';

/** What a registry at rest has in use and free, counted one by one; `total` is all it ever took. */
export interface Account {
  readonly used: number;
  readonly free: number;
  readonly total: number;
}

export interface Accounts {
  readonly records: Account;
  /** Pages of the arenas. */
  readonly pages: Account;
  readonly valueBytes: number;
}

export function accountsOf(registry: Registry): Accounts {
  const { handle } = registry;
  const control = new Int32Array(handle.control);
  const map = new ControlMap(control[Header.shards], control[Header.threadsMax], control[Header.ownersMax]);
  const memories = handle.shards.map((buffers, n) => new ShardMemory(control, map.shard(n), buffers));
  const { entries, valueBytes } = total(registry.partitionStats());
  const records = { used: entries, free: 0, total: 0 };
  const pages = { used: 0, free: 0, total: 0 };
  for (const memory of memories) {
    const word = (field: number) => control[memory.at + field];
    const recordsUsed = word(Shard.recordsUsed);
    const pagesUsed = word(Shard.pagesUsed);
    memory.coverArena(pagesUsed * pageBytes);
    records.total += recordsUsed - 1; // record 0 is nobody's
    for (let id = word(Shard.recordFree); id !== 0; id = memory.records[memory.recordAt(id) + Record.born]) {
      records.free++;
    }
    for (let page = 0; page < pagesUsed; page++) {
      if (page % pagesPerGroup === 0) continue; // it holds rows
      pages.total++;
      if (memory.arena[pageRow(page) + Page.kind] === 0) pages.free++;
      else pages.used++;
    }
  }
  return { records, pages, valueBytes };
}
