import fc from 'fast-check';
import {
  type ControlMap,
  CounterRow,
  Counters,
  Header,
  KindRow,
  LINE_WORDS,
  Page,
  pageBytes,
  pageRow,
  Record,
  Shard,
} from '../../src/shared/layout.ts';
import { Monitor } from '../../src/shared/monitor-layout.ts';
import { indexSize, indexStart } from '../../src/shared/name-index.ts';
import type { TableBuffers } from '../../src/shared/table.ts';

/*
 * Words of shared memory that no writer of ours would leave: which words, and what instead.
 */

/** The words of a table that are in use, by what they are: a hit on any of them matters. */
export type Regions = Readonly<{ [region in Region]: readonly Int32Array<SharedArrayBuffer>[] }>;

const regionNames = [
  'header',
  'controlGuard',
  'controlWords',
  'shardGuard',
  'shardWords',
  'partialListsAndSpares',
  'changeLog',
  'threads',
  'owners',
  'kinds',
  'monitors',
  'counters',
  'records',
  'index',
  'pageTable',
  'values',
] as const;
type Region = (typeof regionNames)[number];

export function regionsOf({ control, shards }: TableBuffers, map: ControlMap): Regions {
  const words = new Int32Array(control);
  const guardWords = Shard.descriptor;
  const perShard = shards.map(({ records, index, arena }, n) => {
    const at = map.shard(n);
    const descriptor = words[at + Shard.descriptor];
    const start = indexStart(descriptor);
    const pages = words[at + Shard.pagesUsed];
    const arenaWords = new Int32Array(arena, 0, arena.byteLength / 4);
    return {
      guard: words.subarray(at, at + guardWords),
      words: words.subarray(at + guardWords, at + Shard.partial),
      partial: words.subarray(at + Shard.partial, at + Shard.log),
      log: words.subarray(at + Shard.log, at + Shard.words),
      records: new Int32Array(records, 0, records.byteLength / 4).subarray(
        Record.words,
        words[at + Shard.recordsUsed] * Record.words,
      ),
      index: new Int32Array(index, LINE_WORDS * 4).subarray(start, start + indexSize(descriptor)),
      pageTable: arenaWords.subarray(Page.words, pageRow(pages - 1) + Page.words),
      values: arenaWords.subarray(pageBytes / 4, (pages * pageBytes) / 4),
    };
  });
  return {
    header: [words.subarray(0, Header.words)],
    controlGuard: [words.subarray(map.control, map.control + guardWords)],
    controlWords: [words.subarray(map.control + guardWords, map.shards)],
    shardGuard: perShard.map(({ guard }) => guard),
    shardWords: perShard.map((shard) => shard.words),
    partialListsAndSpares: perShard.map(({ partial }) => partial),
    changeLog: perShard.map(({ log }) => log),
    threads: [words.subarray(map.threads, map.owners)],
    owners: [words.subarray(map.owners, map.kinds)],
    kinds: [words.subarray(map.kinds, map.kinds + 3 * KindRow.words)],
    monitors: shards.map((_, n) => words.subarray(map.monitor(n), map.monitor(n) + Monitor.writes)),
    counters: [words.subarray(map.counters, map.counters + Counters.words + 4 * CounterRow.words)],
    records: perShard.map(({ records }) => records),
    index: perShard.map(({ index }) => index),
    pageTable: perShard.map(({ pageTable }) => pageTable),
    values: perShard.map(({ values }) => values),
  };
}

/** One word's change. `at` and `part` are reduced to the size that the region has. */
export interface Damage {
  readonly region: Region;
  readonly part: number;
  readonly at: number;
  readonly value:
    | { readonly set: number }
    | { readonly add: number }
    | { readonly flip: number }
    | { readonly copy: number };
}

/** What a stray or stale word may well be: an id, a page, a size, a state, or nonsense. */
const plausible = [0, 1, 2, 3, 4, 5, 6, 7, 8, 17, 64, 65, 100, 200, 255, 256, 1 << 14, 1 << 16, 1 << 20, 1 << 30];
const extreme = [-1, -2, -16, -64, 0x7fffffff, -0x80000000, 0x7ffffff1, 0x3fffffff, 0x40000001, 0x0fffffff, 0x10000000];

const value = fc.oneof(
  fc.record({ set: fc.constantFrom(...plausible) }),
  fc.record({ set: fc.constantFrom(...extreme) }),
  fc.record({ set: fc.integer() }),
  fc.record({ add: fc.constantFrom(1, -1, 2, -2, 16) }),
  fc.record({ flip: fc.nat(31) }),
  fc.record({ copy: fc.nat() }),
);

/** A few words' damage in some of the regions. */
export function damages(...regions: readonly Region[]): fc.Arbitrary<Damage[]> {
  const region = fc.constantFrom(...(regions.length > 0 ? regions : regionNames));
  // Most regions have their weight at the start.
  const at = fc.oneof(fc.nat(32), fc.nat());
  return fc.array(fc.record({ region, part: fc.nat(), at, value }), { minLength: 1, maxLength: 3 });
}

export function applyDamage(regions: Regions, all: readonly Damage[]): void {
  for (const { region, part, at, value } of all) {
    const parts = regions[region];
    const words = parts[part % parts.length];
    if (words.length === 0) continue;
    const n = at % words.length;
    if ('set' in value) words[n] = value.set;
    else if ('add' in value) words[n] += value.add;
    else if ('flip' in value) words[n] ^= 1 << value.flip;
    else words[n] = words[value.copy % words.length];
  }
}
