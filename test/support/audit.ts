import { blockSizes, tablePages } from '../../src/shared/arena.ts';
import {
  Guard,
  Header,
  keyBytesInline,
  Page,
  pageBytes,
  pageLarge,
  Record,
  Shard,
  Version,
} from '../../src/shared/layout.ts';
import { EMPTY, entryWord, idOf, indexSize, indexStart, TOMBSTONE } from '../../src/shared/name-index.ts';

/** The words of one shard that nobody is writing. */
export interface ShardWords {
  readonly control: Int32Array;
  readonly at: number;
  readonly records: Int32Array;
  readonly index: Int32Array;
  readonly arena: Int32Array;
}

/**
 * Counts every record, index slot and arena block of a shard at rest: each is in use by exactly one thing or free, and
 * every counter says so.
 * @returns what is wrong, in words; nothing when all is well.
 */
export function auditShard(shard: ShardWords): string[] {
  const { control, at } = shard;
  const wrong: string[] = [];
  const expect = (what: string, found: number, wanted: number) => {
    if (found !== wanted) wrong.push(`${what}: ${found} instead of ${wanted}`);
  };
  expect('lock', control[at + Guard.lock], 0);
  expect('open operation', control[at + Guard.op], 0);
  expect('insert sequence parity', control[at + Shard.insertSequence] & 1, 0);
  const live = auditRecords(shard, expect);
  auditIndex(shard, live, expect);
  auditArena(shard, live, expect);
  return wrong;
}

type Expect = (what: string, found: number, wanted: number) => void;

function auditRecords({ control, at, records }: ShardWords, expect: Expect): number[] {
  const used = control[at + Shard.recordsUsed];
  const live: number[] = [];
  for (let id = 1; id < used; id++) if (records[id * Record.words + Record.version] & Version.live) live.push(id);
  const free = new Set<number>();
  for (
    let id = control[at + Shard.recordFree];
    id !== 0 && !free.has(id);
    id = records[id * Record.words + Record.born]
  ) {
    if (records[id * Record.words + Record.version] & Version.live) expect(`free record ${id} is live`, 1, 0);
    free.add(id);
  }
  expect('live and free records', live.length + free.size, used - 1);
  expect('entries counted', control[at + Shard.entries], live.length);
  return live;
}

function auditIndex({ control, at, records, index }: ShardWords, live: number[], expect: Expect): void {
  const descriptor = control[at + Shard.descriptor];
  const size = indexSize(descriptor);
  const start = indexStart(descriptor);
  const seen = new Map<number, number>();
  let tombstones = 0;
  for (let slot = 0; slot < size; slot++) {
    const word = index[start + slot];
    if (word === TOMBSTONE) tombstones++;
    else if (word !== EMPTY) seen.set(idOf(word), (seen.get(idOf(word)) ?? 0) + 1);
  }
  expect('tombstones counted', control[at + Shard.tombstones], tombstones);
  expect('records in the index', seen.size, live.length);
  for (const id of live) {
    expect(`slots of record ${id}`, seen.get(id) ?? 0, 1);
    const hash = records[id * Record.words + Record.hash];
    let slot = hash & (size - 1);
    while (index[start + slot] !== entryWord(hash, id) && index[start + slot] !== EMPTY) slot = (slot + 1) & (size - 1);
    expect(`record ${id} is reached from its slot`, index[start + slot], entryWord(hash, id));
  }
}

function auditArena({ control, at, records, arena }: ShardWords, live: number[], expect: Expect): void {
  const blocks = new Map<number, number>();
  let bytesWanted = 0;
  const use = (block: number, bytes: number) => {
    blocks.set(block, (blocks.get(block) ?? 0) + 1);
    const size = blockSizes.find((candidate) => candidate >= bytes);
    bytesWanted += size ?? Math.ceil(bytes / pageBytes) * pageBytes;
  };
  for (const id of live) {
    const record = id * Record.words;
    const block = records[record + Record.value + (records[record + Record.version] & Version.set)];
    if (block !== 0) use(block, 4 + (arena[block * 2] & 0x3fffffff));
    const nameBytes = records[record + Record.meta] & 0xff;
    if (nameBytes > keyBytesInline) use(records[record + Record.key], (nameBytes + 3) & ~3);
  }
  for (const [block, owners] of blocks) expect(`owners of block ${block}`, owners, 1);
  expect('value bytes counted', control[at + Shard.valueBytes], bytesWanted);

  const first = tablePages(control[Header.pagesPerShardMax]);
  const end = control[at + Shard.pagesUsed];
  const freePages = new Set<number>();
  for (
    let page = control[at + Shard.pageFree];
    page !== 0 && !freePages.has(page);
    page = arena[page * Page.words + Page.next]
  )
    freePages.add(page);
  let usedBlocks = 0;
  for (let page = first; page < end; page++) {
    const row = page * Page.words;
    const kind = arena[row + Page.kind];
    expect(`page ${page} is on the free list`, freePages.has(page) ? 1 : 0, kind === 0 ? 1 : 0);
    if (kind === 0 || kind === pageLarge) continue;
    usedBlocks += arena[row + Page.used];
    let free = 0;
    for (let block = arena[row + Page.free]; block !== 0 && free <= pageBytes; block = arena[block * 2]) free++;
    expect(`blocks of page ${page}`, arena[row + Page.used] + free, arena[row + Page.fresh]);
  }
  const small = [...blocks.keys()].filter(
    (block) => arena[Math.floor((block * 8) / pageBytes) * Page.words] !== pageLarge,
  );
  expect('blocks in use', usedBlocks, small.length);
}
