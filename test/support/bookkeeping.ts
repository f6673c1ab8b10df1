import * as assert from 'uvu/assert';
import type { PartitionStats, Registry, RegistryHandle } from '../../src/engine/index.ts';
import { blockSizes } from '../../src/shared/arena.ts';
import {
  Control,
  ControlMap,
  Guard,
  Header,
  keyBytesInline,
  OwnerRow,
  OwnerState,
  Page,
  pageBytes,
  pageLarge,
  pageRow,
  pagesPerGroup,
  Record,
  Shard,
  ThreadInfo,
  Version,
} from '../../src/shared/layout.ts';
import { EMPTY, idOf, indexSize, indexStart, TOMBSTONE } from '../../src/shared/name-index.ts';
import { ShardMemory } from '../../src/shared/shard-memory.ts';
import { storedValueBytes } from '../../src/shared/value.ts';
import { until } from './waiting.ts';

/*
 * Bookkeeping of a whole registry, read straight from its memory while nobody writes: every record is in the index or
 * in the free list, every page and block is used or free, once, and every counter says what there is.
 */

const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** Checks every shard of a registry that is at rest: where anybody has ended, `auditOnceSwept` is the one. The coordinator may
 *  have a lock for a moment all the same, which is waited for. */
export function audit(handle: RegistryHandle): void {
  const control = new Int32Array(handle.control);
  const map = new ControlMap(control[Header.shards], control[Header.threadsMax], control[Header.ownersMax]);
  for (let waits = 0; isAnyLocked(control, map) && waits < 500; waits++) Atomics.wait(sleeper, 0, 0, 10);
  auditOwners(control);
  for (const [n, buffers] of handle.shards.entries()) {
    const memory = new ShardMemory(control, map.shard(n), buffers);
    auditShard(memory);
    auditTenancies(memory, map);
  }
}

/** Unregisters what is left, then checks that nothing is left: no entry, no byte, and all pages free. */
export function auditEmpty(registry: Registry, kinds: Iterable<string>): void {
  for (const kind of kinds) for (const { id } of [...registry.list(kind)]) registry.unregister(kind, id);
  assert.equal(total(registry.partitionStats()), { entries: 0, valueBytes: 0 });
  audit(registry.handle);
}

/** The same where the coordinator still has to sweep up after the dead. */
export async function auditEmptyOnceSwept(registry: Registry, kinds: Iterable<string>): Promise<void> {
  for (const kind of kinds) for (const { id } of [...registry.list(kind)]) registry.unregister(kind, id);
  await until('the dead are swept', () => total(registry.partitionStats()).entries === 0);
  await untilAtRest(registry.handle);
  auditEmpty(registry, kinds);
}

/** `audit`, once the coordinator has swept up after all who have died. */
export async function auditOnceSwept(handle: RegistryHandle): Promise<void> {
  await untilAtRest(handle);
  audit(handle);
}

async function untilAtRest(handle: RegistryHandle): Promise<void> {
  const control = new Int32Array(handle.control);
  const map = new ControlMap(control[Header.shards], control[Header.threadsMax], control[Header.ownersMax]);
  await until('the coordinator is at rest', () => isAtRest(control, map));
}

/** Whether no row of an owner or a thread is still to be freed, and nobody holds a lock. */
function isAtRest(control: Int32Array, map: ControlMap): boolean {
  if (isAnyLocked(control, map)) return false;
  for (let at = map.owners + OwnerRow.epoch; at < map.kinds; at += OwnerRow.words) {
    if ((Atomics.load(control, at) & OwnerState.mask) === OwnerState.dead) return false;
  }
  return true;
}

function isAnyLocked(control: Int32Array, map: ControlMap): boolean {
  const shards = Array.from({ length: control[Header.shards] }, (_, n) => map.shard(n) + Shard.guard);
  return [map.control + Control.guard, ...shards].some((guard) => Atomics.load(control, guard + Guard.lock) !== 0);
}

/** Checks the rows of threads and owners: each is in the list of free ones, or was never used, or has one tenant. */
export function auditOwners(control: Int32Array): void {
  const [threadsMax, ownersMax] = [control[Header.threadsMax], control[Header.ownersMax]];
  const map = new ControlMap(control[Header.shards], threadsMax, ownersMax);
  assert.is(control[map.control + Guard.lock], 0, 'nobody holds the control lock');
  assert.is(control[map.control + Guard.op], 0, 'no row is half claimed or freed');
  const word = (slot: number, field: number) => control[map.owners + slot * OwnerRow.words + field];
  const stateOf = (slot: number) => word(slot, OwnerRow.epoch) & OwnerState.mask;
  for (let slot = 0; slot < threadsMax; slot++) {
    const claim = control[map.threads + slot * ThreadInfo.words + ThreadInfo.claim];
    assert.is(claim !== 0, stateOf(slot) !== OwnerState.free, `row ${slot} is claimed while a thread has it`);
    if (stateOf(slot) !== OwnerState.alive) continue;
    assert.is(word(slot, OwnerRow.thread), slot, `thread row ${slot} names itself`);
    assert.is(word(slot, OwnerRow.threadEpoch), word(slot, OwnerRow.epoch), `thread row ${slot} names its epoch`);
  }
  const end = threadsMax + control[map.control + Control.ownersUsed];
  const free = new Set<number>();
  for (let slot = control[map.control + Control.ownerFree]; slot !== 0; slot = word(slot, OwnerRow.nextFree)) {
    assert.ok(slot >= threadsMax && slot < end, `free row ${slot} was used`);
    assert.not.ok(free.has(slot), `row ${slot} is free once`);
    free.add(slot);
  }
  for (let slot = threadsMax; slot < threadsMax + ownersMax; slot++) {
    const isFree = slot >= end || free.has(slot);
    assert.is(stateOf(slot) === OwnerState.free, isFree, `row ${slot} is free, or has a tenant`);
  }
}

/** No record names a tenancy whose row is free, or another's. */
function auditTenancies(memory: ShardMemory, map: ControlMap): void {
  for (let id = 1; id < memory.control[memory.at + Shard.recordsUsed]; id++) {
    const record = memory.recordAt(id);
    const word = (field: number) => memory.records[record + field];
    if ((word(Record.version) & Version.live) === 0) continue;
    const row = memory.control[map.owners + word(Record.owner) * OwnerRow.words + OwnerRow.epoch];
    const dead = word(Record.ownerEpoch) + OwnerState.dead - OwnerState.alive;
    assert.ok(row === word(Record.ownerEpoch) || row === dead, `the owner of record ${id} has its row`);
  }
}

export function total(stats: readonly PartitionStats[]): { entries: number; valueBytes: number } {
  const sum = (key: 'entries' | 'valueBytes') => stats.reduce((total, shard) => total + shard[key], 0);
  return { entries: sum('entries'), valueBytes: sum('valueBytes') };
}

/** Checks one shard. */
export function auditShard(memory: ShardMemory): void {
  const { control, at } = memory;
  assert.is(control[at + Shard.guard + Guard.lock], 0, 'nobody holds the lock');
  assert.is(control[at + Shard.guard + Guard.op], 0, 'no mutation is half done');
  assert.is(control[at + Shard.insertSequence] & 1, 0, 'no name is about to appear');
  assert.is(control[at + Shard.changeSequence] & 1, 0, 'no record is about to change');
  const live = auditRecords(memory);
  auditIndex(memory, live);
  auditArena(memory, blocksOf(memory, live));
}

/** @returns the ids of live records. */
function auditRecords(memory: ShardMemory): Set<number> {
  const { control, at } = memory;
  const used = control[at + Shard.recordsUsed];
  const live = new Set<number>();
  for (let id = 1; id < used; id++) {
    const record = memory.recordAt(id);
    if (memory.records[record + Record.version] & Version.live) live.add(id);
    assert.is(memory.records[record + Record.version] & Version.moved, 0, `the owner of record ${id} stands in it`);
  }
  const free = new Set<number>();
  for (let id = control[at + Shard.recordFree]; id !== 0; id = memory.records[memory.recordAt(id) + Record.born]) {
    assert.ok(id > 0 && id < used, `free record ${id} is one of ${used}`);
    assert.not.ok(free.has(id), `record ${id} is free twice`);
    assert.not.ok(live.has(id), `record ${id} is free and live`);
    free.add(id);
  }
  assert.is(free.size + live.size, used - 1, 'each record is live or free');
  assert.is(control[at + Shard.entries], live.size, 'entries are counted');
  return live;
}

function auditIndex(memory: ShardMemory, live: ReadonlySet<number>): void {
  const { control, at } = memory;
  const descriptor = control[at + Shard.descriptor];
  const size = indexSize(descriptor);
  const start = indexStart(descriptor);
  memory.coverIndex(start + size);
  const words = memory.index.subarray(start, start + size);
  const found = new Set<number>();
  let tombstones = 0;
  for (const [slot, word] of words.entries()) {
    if (word === EMPTY) continue;
    if (word === TOMBSTONE) tombstones++;
    if (word === TOMBSTONE) continue;
    const id = idOf(word);
    assert.ok(live.has(id), `index slot ${slot} leads to live record ${id}`);
    assert.not.ok(found.has(id), `record ${id} is in the index twice`);
    found.add(id);
    const hash = memory.records[memory.recordAt(id) + Record.hash];
    for (let probe = hash & (size - 1); probe !== slot; probe = (probe + 1) & (size - 1)) {
      assert.is.not(words[probe], EMPTY, `a probe for record ${id} gets as far as slot ${slot}`);
    }
  }
  assert.is(found.size, live.size, 'each live record is in the index');
  assert.is(control[at + Shard.tombstones], tombstones, 'tombstones are counted');
}

interface Block {
  readonly block: number;
  readonly bytes: number;
}

/** The blocks that live records use: values and long names. */
function blocksOf(memory: ShardMemory, live: ReadonlySet<number>): Block[] {
  const blocks: Block[] = [];
  for (const id of live) {
    const record = memory.recordAt(id);
    const { records } = memory;
    const value = records[record + Record.value + (records[record + Record.version] & Version.set)];
    if (value !== 0) blocks.push({ block: value, bytes: storedValueBytes(memory, value) });
    const nameBytes = records[record + Record.meta] & 0xff;
    if (nameBytes > keyBytesInline) blocks.push({ block: records[record + Record.key], bytes: (nameBytes + 3) & ~3 });
  }
  return blocks;
}

/** Checks that these blocks, and no others, are handed out. */
export function auditArena(memory: ShardMemory, blocks: readonly Block[]): void {
  const { control, at } = memory;
  const pagesUsed = control[at + Shard.pagesUsed];
  memory.coverArena(pagesUsed * pageBytes);
  const word = (page: number, field: number) => memory.arena[pageRow(page) + field];
  const unitsPerPage = pageBytes / 8;

  const usedBlocks = new Map<number, Set<number>>();
  const chained = new Set<number>();
  let bytesUsed = 0;
  for (const { block, bytes } of blocks) {
    let page = Math.floor(block / unitsPerPage);
    assert.ok(holdsValues(page) && page < pagesUsed, `block ${block} lies in a page that is used`);
    if (bytes > pageBytes / 2) {
      for (let left = Math.ceil(bytes / pageBytes); left > 0; left--) {
        assert.is(word(page, Page.kind), pageLarge, `page ${page} is of a large value`);
        assert.not.ok(chained.has(page), `page ${page} is of one value`);
        chained.add(page);
        bytesUsed += pageBytes;
        page = word(page, Page.next);
      }
      continue;
    }
    const size = blockSizes[word(page, Page.kind) - 1];
    assert.is(
      size,
      blockSizes.find((size) => size >= bytes),
      `${bytes} bytes lie in a block of their size`,
    );
    const inPage = usedBlocks.get(page) ?? new Set();
    const offset = (block - page * unitsPerPage) * 8;
    assert.is(offset % size, 0, 'a block starts where a block of its page can');
    assert.not.ok(inPage.has(offset / size), `block ${block} is used once`);
    usedBlocks.set(page, inPage.add(offset / size));
    bytesUsed += size;
  }
  assert.is(control[at + Shard.valueBytes], bytesUsed, 'value bytes are counted');
  for (const [sizeClass, size] of blockSizes.entries()) {
    const spare = control[at + Shard.spare + sizeClass];
    if (spare === 0) continue;
    const page = Math.floor(spare / unitsPerPage);
    const inPage = usedBlocks.get(page);
    assert.ok(inPage, `spare block ${spare} does not keep page ${page} alone`);
    const n = ((spare - page * unitsPerPage) * 8) / size;
    assert.ok(word(page, Page.kind) === sizeClass + 1 && Number.isInteger(n), `spare block ${spare} has its size`);
    assert.not.ok(inPage.has(n), `spare block ${spare} is nobody’s`);
    inPage.add(n);
  }

  const free = new Set<number>();
  for (let page = control[at + Shard.pageFree]; page !== 0; page = word(page, Page.next)) {
    assert.not.ok(free.has(page), `page ${page} is free once`);
    assert.is(word(page, Page.kind), 0, `free page ${page} has no kind`);
    free.add(page);
  }
  const withRoom = auditPartialLists(memory);
  let pages = 0;
  for (let page = 1; page < pagesUsed; page++) {
    if (!holdsValues(page)) continue;
    pages++;
    const kind = word(page, Page.kind);
    if (kind === 0) assert.ok(free.has(page), `page ${page} is free`);
    else if (kind === pageLarge) assert.ok(chained.has(page), `page ${page} is of a large value that lives`);
    else auditPage(memory, page, usedBlocks.get(page) ?? new Set(), withRoom.has(page));
  }
  assert.is(free.size + chained.size + usedBlocks.size, pages, 'each page is used or free');
}

/** Whether a page is not the one with the rows of its group. */
const holdsValues = (page: number): boolean => page > 0 && page % pagesPerGroup !== 0;

function auditPage(memory: ShardMemory, page: number, used: ReadonlySet<number>, listed: boolean): void {
  const row = pageRow(page);
  const size = blockSizes[memory.arena[row + Page.kind] - 1];
  const capacity = Math.floor(pageBytes / size);
  const fresh = memory.arena[row + Page.fresh];
  assert.is(memory.arena[row + Page.used], used.size, `page ${page} counts its blocks`);
  assert.is(listed, used.size < capacity, `page ${page} is listed while it has room`);
  const free = new Set<number>();
  for (let block = memory.arena[row + Page.free]; block !== 0; block = memory.arena[block * 2]) {
    const n = ((block - (page * pageBytes) / 8) * 8) / size;
    assert.ok(Number.isInteger(n) && n >= 0 && n < fresh, `free block ${block} is one of page ${page}`);
    assert.not.ok(used.has(n) || free.has(n), `block ${block} is free once`);
    free.add(n);
  }
  assert.is(used.size + free.size, fresh, `each block of page ${page} is used, free or fresh`);
}

/** @returns the pages in the lists of those with room. */
function auditPartialLists(memory: ShardMemory): Set<number> {
  const listed = new Set<number>();
  for (const sizeClass of blockSizes.keys()) {
    let previous = 0;
    for (let page = memory.control[memory.at + Shard.partial + sizeClass]; page !== 0; ) {
      const row = pageRow(page);
      assert.not.ok(listed.has(page), `page ${page} is listed once`);
      assert.is(memory.arena[row + Page.kind], sizeClass + 1, `page ${page} is in the list of its size`);
      assert.is(memory.arena[row + Page.previous], previous, `page ${page} knows the page before`);
      listed.add(page);
      previous = page;
      page = memory.arena[row + Page.next];
    }
  }
  return listed;
}
