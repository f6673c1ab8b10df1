import { assert, corrupt } from './errors.ts';
import { Page, pageBytes, pageLarge, pageRow, pagesPerGroup, Shard, sizeClassesMax } from './layout.ts';

const UNIT_BYTES = 8;
const PAGE_UNITS = pageBytes / UNIT_BYTES;

/** Block sizes in bytes: steps of 8 to 128, then eight steps to each doubling (at most 12.5 % unused), to half a page. */
export const blockSizes: readonly number[] = (() => {
  const sizes: number[] = [];
  for (let size = 16; size <= 128; size += 8) sizes.push(size);
  for (let base = 128; base < pageBytes / 2; base *= 2) {
    for (let step = 1; step <= 8; step++) sizes.push(base + (base / 8) * step);
  }
  return sizes;
})();
export const blockBytesMax = pageBytes / 2;
assert(blockSizes.length <= sizeClassesMax, 'every size class has its list head');
assert(blockSizes.at(-1) === blockBytesMax, 'the largest block is half a page');

/** Size class by size in units, so that finding it is one load. */
const classOf = (() => {
  const table = new Uint8Array(blockBytesMax / UNIT_BYTES + 1);
  let sizeClass = 0;
  for (let units = 0; units < table.length; units++) {
    while (blockSizes[sizeClass] < units * UNIT_BYTES) sizeClass++;
    table[units] = sizeClass;
  }
  return table;
})();
const capacities = blockSizes.map((size) => Math.floor(pageBytes / size));

/** What the allocator needs of its shard: journaled stores and room. */
export interface ArenaMemory {
  readonly arena: Int32Array<SharedArrayBuffer>;
  setControl(at: number, value: number): void;
  setArena(at: number, value: number): void;
  readonly control: Int32Array<SharedArrayBuffer>;
  /** Makes pages below `page` addressable; false at the configured limit. */
  reservePages(page: number): boolean;
}

/**
 * Slab allocator of a shard's values. Every call is under the shard's lock and inside an operation: all its
 * bookkeeping is journaled, so a killed thread leaves no block half taken.
 *
 * A page holds blocks of one size, or is one piece of a large value; an empty page serves any size again. Memory is
 * reused at once: readers copy, then validate the record's version. References are in units of 8 bytes; 0 is none.
 *
 * Of each size one freed block is kept aside, still taken in its page, so that an update, which takes one block and
 * frees another, leaves the rows of their pages alone. It never keeps a page in use that has no other block in use.
 *
 * Pages and blocks are numbers read from shared memory: each is checked before it is followed, so corrupt ones end in
 * `CORRUPT` and no list is walked further than it can be long.
 */
export class Arena {
  readonly #memory: ArenaMemory;
  readonly #shardAt: number;

  constructor(memory: ArenaMemory, shardAt: number) {
    this.#memory = memory;
    this.#shardAt = shardAt;
  }

  /** A block of at least `bytes` (over `blockBytesMax`: a chain of pages). @returns 0 when the arena is full. */
  allocate(bytes: number): number {
    if (bytes > blockBytesMax) return this.#allocatePages(Math.ceil(bytes / pageBytes));
    const memory = this.#memory;
    const sizeClass = classOf[Math.ceil(bytes / UNIT_BYTES)];
    const size = blockSizes[sizeClass];
    const spare = memory.control[this.#shardAt + Shard.spare + sizeClass];
    if (spare !== 0) {
      this.#checkBlock(spare, sizeClass);
      memory.setControl(this.#shardAt + Shard.spare + sizeClass, 0);
      this.#count(size);
      return spare;
    }
    const head = this.#shardAt + Shard.partial + sizeClass;
    let page = memory.control[head];
    if (page === 0) {
      page = this.#takePage();
      if (page === 0) return 0;
      const row = pageRow(page);
      memory.setArena(row + Page.kind, sizeClass + 1);
      memory.setArena(row + Page.used, 0);
      memory.setArena(row + Page.free, 0);
      memory.setArena(row + Page.fresh, 0);
      memory.setArena(row + Page.previous, 0);
      memory.setArena(row + Page.next, 0);
      memory.setControl(head, page);
    }
    const arena = memory.arena;
    const row = this.#row(page, sizeClass + 1);
    const fresh = arena[row + Page.fresh];
    const used = arena[row + Page.used] + 1;
    let block = arena[row + Page.free];
    if (used <= 0 || used > capacities[sizeClass]) throw corrupt(`page ${page} with ${used - 1} blocks in use`);
    if (block !== 0) {
      if (!isBlock(block, page, size, fresh)) throw corrupt(`free block ${block} of page ${page}`);
      memory.setArena(row + Page.free, arena[block * 2]);
      memory.setArena(block * 2, 0); // journals the link, which the value is about to overwrite
    } else {
      if (fresh < 0 || fresh >= capacities[sizeClass]) throw corrupt(`page ${page} with ${fresh} blocks`);
      block = page * PAGE_UNITS + (fresh * size) / UNIT_BYTES;
      memory.setArena(row + Page.fresh, fresh + 1);
    }
    memory.setArena(row + Page.used, used);
    if (used === capacities[sizeClass]) this.#unlink(head, row);
    this.#count(size);
    return block;
  }

  /** Gives a block or a chain back. `bytes` is what was asked for. */
  free(block: number, bytes: number): void {
    if (bytes > blockBytesMax) {
      this.#freePages(Math.floor(block / PAGE_UNITS), Math.ceil(bytes / pageBytes));
      return;
    }
    const sizeClass = classOf[Math.ceil(bytes / UNIT_BYTES)];
    const used = this.#checkBlock(block, sizeClass);
    const spareAt = this.#shardAt + Shard.spare + sizeClass;
    const spare = this.#memory.control[spareAt];
    this.#count(-blockSizes[sizeClass]);
    if (spare === 0 && used > 1) {
      this.#memory.setControl(spareAt, block);
      return;
    }
    this.#giveBlock(block, sizeClass);
    if (used !== 2 || Math.floor(spare / PAGE_UNITS) !== Math.floor(block / PAGE_UNITS)) return;
    this.#giveBlock(spare, sizeClass); // it is the last of its page
    this.#memory.setControl(spareAt, 0);
  }

  /** @returns how many blocks of its page are in use. @throws {RegistryError} `CORRUPT` when it is not one of them */
  #checkBlock(block: number, sizeClass: number): number {
    const { arena } = this.#memory;
    const page = Math.floor(block / PAGE_UNITS);
    const row = this.#row(page, sizeClass + 1);
    const used = arena[row + Page.used];
    const fresh = arena[row + Page.fresh];
    if (used > 0 && used <= capacities[sizeClass] && isBlock(block, page, blockSizes[sizeClass], fresh)) return used;
    throw corrupt(`block ${block} of page ${page}, which has ${used} in use`);
  }

  /** Gives a block back to its page, and the page when it was the last in use. */
  #giveBlock(block: number, sizeClass: number): void {
    const memory = this.#memory;
    const arena = memory.arena;
    const page = Math.floor(block / PAGE_UNITS);
    const row = pageRow(page);
    const head = this.#shardAt + Shard.partial + sizeClass;
    const used = arena[row + Page.used];
    if (used === 1) {
      this.#unlink(head, row);
      this.#givePage(page);
      return;
    }
    if (used === capacities[sizeClass]) this.#link(head, page);
    // The link lies in the block itself. A reader that still copies the block will find the record's version changed.
    memory.setArena(block * 2, arena[row + Page.free]);
    memory.setArena(row + Page.free, block);
    memory.setArena(row + Page.used, used - 1);
  }

  #allocatePages(count: number): number {
    const memory = this.#memory;
    let first = 0;
    for (let n = 0; n < count; n++) {
      const page = this.#takePage();
      if (page === 0) return 0;
      memory.setArena(pageRow(page) + Page.kind, pageLarge);
      memory.setArena(pageRow(page) + Page.next, first);
      first = page;
    }
    this.#count(count * pageBytes);
    return first * PAGE_UNITS;
  }

  #freePages(first: number, count: number): void {
    let page = first;
    for (let n = 0; n < count; n++) {
      const next = this.#memory.arena[this.#row(page, pageLarge) + Page.next];
      this.#givePage(page);
      page = next;
    }
    this.#count(-count * pageBytes);
  }

  #takePage(): number {
    const memory = this.#memory;
    const page = memory.control[this.#shardAt + Shard.pageFree];
    if (page !== 0) {
      memory.setControl(this.#shardAt + Shard.pageFree, memory.arena[this.#row(page, 0) + Page.next]);
      return page;
    }
    const used = memory.control[this.#shardAt + Shard.pagesUsed];
    const fresh = holdsRows(used) ? used + 1 : used;
    if (!memory.reservePages(fresh + 1)) return 0;
    memory.setControl(this.#shardAt + Shard.pagesUsed, fresh + 1);
    return fresh;
  }

  #givePage(page: number): void {
    const memory = this.#memory;
    memory.setArena(pageRow(page) + Page.kind, 0);
    memory.setArena(pageRow(page) + Page.next, memory.control[this.#shardAt + Shard.pageFree]);
    memory.setControl(this.#shardAt + Shard.pageFree, page);
  }

  #link(head: number, page: number): void {
    const memory = this.#memory;
    const next = memory.control[head];
    const row = pageRow(page);
    const kind = memory.arena[row + Page.kind];
    memory.setArena(row + Page.previous, 0);
    memory.setArena(row + Page.next, next);
    if (next !== 0) memory.setArena(this.#row(next, kind) + Page.previous, page);
    memory.setControl(head, page);
  }

  #unlink(head: number, row: number): void {
    const memory = this.#memory;
    const previous = memory.arena[row + Page.previous];
    const next = memory.arena[row + Page.next];
    const kind = memory.arena[row + Page.kind];
    if (previous === 0) memory.setControl(head, next);
    else memory.setArena(this.#row(previous, kind) + Page.next, next);
    if (next !== 0) memory.setArena(this.#row(next, kind) + Page.previous, previous);
  }

  /** Position of the row of a page in use that must be of this kind. */
  #row(page: number, kind: number): number {
    const { arena, control } = this.#memory;
    const row = pageRow(page);
    if (page < 1 || page >= control[this.#shardAt + Shard.pagesUsed] || holdsRows(page)) throw corrupt(`page ${page}`);
    if (arena[row + Page.kind] !== kind) throw corrupt(`page ${page} of kind ${arena[row + Page.kind]}, not ${kind}`);
    return row;
  }

  #count(bytes: number): void {
    const at = this.#shardAt + Shard.valueBytes;
    this.#memory.setControl(at, this.#memory.control[at] + bytes);
  }
}

/** Whether a page holds the rows of its group. */
const holdsRows = (page: number): boolean => (page & (pagesPerGroup - 1)) === 0;

/** Whether a reference is one of the first `fresh` blocks of a page. */
function isBlock(block: number, page: number, size: number, fresh: number): boolean {
  const offset = (block - page * PAGE_UNITS) * UNIT_BYTES;
  return offset >= 0 && offset < fresh * size && offset % size === 0;
}
