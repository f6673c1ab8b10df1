import { ID_BITS, INDEX_LOG2_FIRST } from './shard-memory.ts';

/**
 * The index of a shard: open addressing with linear probing over 32-bit words, each the id of a record and a tag that
 * spares most looks at the wrong record.
 *
 * ONE word, the descriptor, selects the index: `generation << 6 | side << 5 | log2(size)`. An index of `size` words
 * lies at `side * size`; growth always goes to side 1 of the double size, a clean-up of tombstones to the other side
 * of the same size, so a new index never overlaps the one in use. Who probes an index that has been replaced may miss
 * a name; he looks at the descriptor again after a miss, and the generation tells.
 */
export const EMPTY = 0;
/** Record id 0 is never used, so this is no entry. */
export const TOMBSTONE = 1 << ID_BITS;

const ID_MASK = (1 << ID_BITS) - 1;
const SIDE = 1 << 5;
const LOG2_MASK = SIDE - 1;
const GENERATION = 1 << 6;
const LOG2_MAX = 22;

export const idOf = (word: number): number => word & ID_MASK;
/** The tag comes from the product's high bits: the hash's own high bits choose the shard, its low bits the slot. */
export const tagOf = (hash: number): number => Math.imul(hash, 0x9e3779b1) & ~ID_MASK;
export const entryWord = (hash: number, id: number): number => tagOf(hash) | id;
export const sameTag = (word: number, tag: number): boolean => (word & ~ID_MASK) === tag;

export const indexSize = (descriptor: number): number => 1 << (descriptor & LOG2_MASK);
export const indexStart = (descriptor: number): number => (descriptor & SIDE ? 1 << (descriptor & LOG2_MASK) : 0);

/** Whether a word can be a descriptor at all. */
export const isDescriptor = (word: number): boolean =>
  (word & LOG2_MASK) >= INDEX_LOG2_FIRST && (word & LOG2_MASK) <= LOG2_MAX;

/** The descriptor of the next index: of double size when `grow`, else of the same size on the other side. */
export function nextDescriptor(descriptor: number, grow: boolean): number {
  const generation = (descriptor & ~(GENERATION - 1)) + GENERATION;
  const log2 = descriptor & LOG2_MASK;
  return generation | (grow ? (log2 + 1) | SIDE : log2 | (~descriptor & SIDE));
}

/** Whether another entry would push the index over its load limit of 3/4, tombstones counted. */
export const overloaded = (used: number, size: number): boolean => used + 1 > size * 0.75;
/** Whether so many entries live that a clean-up of the same size would soon be full again. */
export const needsGrowth = (entries: number, size: number): boolean => entries + 1 > size * 0.5;
