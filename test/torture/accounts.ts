import type { Registry } from '../../src/engine/index.ts';
import { Lanes } from '../../src/shared/lanes.ts';
import {
  ControlMap,
  CounterRow,
  Counters,
  Header,
  OwnerRow,
  OwnerState,
  Page,
  pageBytes,
  pageRow,
  pagesPerGroup,
  Record,
  Shard,
} from '../../src/shared/layout.ts';
import { OwnerTable } from '../../src/shared/owner-table.ts';
import { Owners } from '../../src/shared/owners.ts';
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
  /** Rows of counters. */
  readonly counters: Account;
  /** Lanes that are open, and those that anybody can open. */
  readonly lanes: Account;
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
  return { records, pages, valueBytes, counters: countersOf(control, map), lanes: lanesOf(registry) };
}

function countersOf(control: Int32Array, map: ControlMap): Account {
  const total = control[map.counters + Counters.used];
  let used = 0;
  for (let row = 0; row < total; row++) {
    used += control[map.counters + Counters.words + row * CounterRow.words + CounterRow.epoch] & 1;
  }
  return { used, free: total - used, total };
}

function lanesOf(registry: Registry): Account {
  const { used, total } = openLanes(registry);
  return { used: used.length, free: total - used.length, total };
}

/** A lane that somebody uses, between the tenants of two thread rows; whether these live is told by their rows alone. */
export interface OpenLane {
  readonly sender: number;
  readonly receiver: number;
  readonly senderLives: boolean;
  readonly receiverLives: boolean;
  readonly waitingBytes: number;
}

/** The lanes of a registry, as somebody counts them who uses none. */
export function openLanes({ handle }: Registry): { used: OpenLane[]; total: number } {
  const control = new Int32Array(handle.control);
  const [threadsMax, ownersMax] = [control[Header.threadsMax], control[Header.ownersMax]];
  const map = new ControlMap(control[Header.shards], threadsMax, ownersMax);
  const owners = new Owners(control, map, threadsMax, ownersMax);
  const lanes = new Lanes(handle.lanes, control, map, owners, new OwnerTable(control, map, owners));
  const lives = (slot: number) =>
    (Atomics.load(control, map.owners + slot * OwnerRow.words + OwnerRow.epoch) & OwnerState.mask) === OwnerState.alive;
  const used = lanes.figures().map(({ sender, receiver, waitingBytes }) => {
    return { sender, receiver, waitingBytes, senderLives: lives(sender), receiverLives: lives(receiver) };
  });
  return { used, total: lanes.count };
}
