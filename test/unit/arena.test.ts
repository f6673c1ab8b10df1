import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Arena, blockBytesMax, blockSizes } from '../../src/shared/arena.ts';
import { ControlMap, pageBytes, pagesPerGroup, Shard } from '../../src/shared/layout.ts';
import { defaults } from '../../src/shared/limits.ts';
import { ShardMemory } from '../../src/shared/shard-memory.ts';
import { allocateTable } from '../../src/shared/table.ts';
import { auditArena } from '../support/bookkeeping.ts';
import { Random } from '../support/random.ts';

const test = suite('arena');

/** An arena of its own, without the shard around it: stores need no journal as nobody dies. */
function freshArena(pagesMax = 64): { arena: Arena; memory: ShardMemory } {
  const { control, shards } = allocateTable({ ...defaults, shards: 1, valueBytesPerShardMax: pagesMax * pageBytes });
  const words = new Int32Array(control);
  const memory = new ShardMemory(words, new ControlMap(1, defaults.threadsMax, defaults.ownersMax).shard(0), shards[0]);
  const arena = new Arena(
    {
      control: words,
      get arena() {
        return memory.arena;
      },
      setControl: (at, value) => {
        words[at] = value;
      },
      setArena: (at, value) => {
        memory.arena[at] = value;
      },
      reservePages: (pages) => memory.reservePages(pages),
    },
    memory.at,
  );
  return { arena, memory };
}

/** What a random run has allocated; each block is filled with a byte of its own. */
class Blocks {
  readonly taken: { block: number; bytes: number; fill: number }[] = [];
  readonly #memory: ShardMemory;

  constructor(memory: ShardMemory) {
    this.#memory = memory;
  }

  add(block: number, bytes: number, fill: number): void {
    this.#fill(block, bytes, fill);
    this.taken.push({ block, bytes, fill });
  }

  take(n: number): { block: number; bytes: number } {
    const [taken] = this.taken.splice(n, 1);
    this.#expectFill(taken.block, taken.bytes, taken.fill);
    return taken;
  }

  /** Large values are chains of pages: only their first page is filled, which is enough to see an overlap. */
  #fill(block: number, bytes: number, fill: number): void {
    this.#memory.arenaBytes.fill(fill, block * 8, block * 8 + Math.min(bytes, pageBytes));
  }

  #expectFill(block: number, bytes: number, fill: number): void {
    const found = this.#memory.arenaBytes.subarray(block * 8, block * 8 + Math.min(bytes, pageBytes));
    if (found.some((byte) => byte !== fill)) assert.unreachable(`block ${block} of ${bytes} bytes was overwritten`);
  }
}

test('size classes waste at most an eighth, or 15 bytes', () => {
  for (let n = 1; n < blockSizes.length; n++) {
    const leastBytes = blockSizes[n - 1] + 1;
    assert.ok(blockSizes[n] - leastBytes < Math.max(16, blockSizes[n] / 8), `${leastBytes} in ${blockSizes[n]}`);
    assert.is(blockSizes[n] % 8, 0);
  }
});

test('a block of each size, and of a byte more, is as long as asked for', () => {
  const { arena, memory } = freshArena();
  const blocks = new Blocks(memory);
  for (const [n, size] of blockSizes.entries()) {
    for (const bytes of [size, Math.min(size + 1, blockBytesMax)]) {
      const block = arena.allocate(bytes);
      if (block !== 0) blocks.add(block, bytes, n + 1);
    }
  }
  auditArena(memory, blocks.taken);
  while (blocks.taken.length > 0) {
    const { block, bytes } = blocks.take(0);
    arena.free(block, bytes);
  }
  auditArena(memory, []);
});

for (const seed of [1, 2, 3]) {
  test(`random blocks never overlap, and all that was freed serves again (${seed})`, () => {
    const { arena, memory } = freshArena(2_048);
    const random = new Random(seed);
    const blocks = new Blocks(memory);
    const addOne = () => {
      const bytesMax = random.pick([40, 600, 9_000, 5 * pageBytes]);
      const bytes = 1 + random.below(bytesMax);
      const block = arena.allocate(bytes);
      assert.is.not(block, 0);
      blocks.add(block, bytes, random.below(255) + 1);
    };
    const freeOne = () => {
      const { block, bytes } = blocks.take(random.below(blocks.taken.length));
      arena.free(block, bytes);
    };
    for (let step = 0; step < 20_000; step++) {
      // Fills up and empties again, in waves.
      const grows = random.below(100) < (step % 4_000 < 2_000 ? 70 : 30);
      if (grows || blocks.taken.length === 0) addOne();
      else freeOne();
      if (step % 500 === 0) auditArena(memory, blocks.taken);
    }
    while (blocks.taken.length > 0) freeOne();
    auditArena(memory, []);
  });
}

test('a second group of pages has its rows in a page of its own', () => {
  const { arena, memory } = freshArena(2 * pagesPerGroup);
  const blocks = new Blocks(memory);
  for (let n = 0; n < pagesPerGroup + 10; n++) blocks.add(arena.allocate(pageBytes), pageBytes, (n % 255) + 1);
  for (let n = 0; n < 10; n++) blocks.add(arena.allocate(5_000), 5_000, n + 1);
  assert.is(memory.control[memory.at + Shard.pagesUsed], pagesPerGroup + 10 + 4 + 2, 'and two with rows');
  auditArena(memory, blocks.taken);
  while (blocks.taken.length > 0) {
    const { block, bytes } = blocks.take(0);
    arena.free(block, bytes);
  }
  auditArena(memory, []);
});

test('to take a block and free another of its size leaves the rows of pages alone', () => {
  const { arena, memory } = freshArena();
  const taken = Array.from({ length: 300 }, () => arena.allocate(120));
  arena.free(taken.pop() as number, 120);
  const rows = memory.arena.slice(0, pageBytes / 4);
  for (let n = 0; n < 300; n++) {
    const block = arena.allocate(120);
    arena.free(taken[n % taken.length], 120);
    taken[n % taken.length] = block;
  }
  assert.equal(memory.arena.slice(0, pageBytes / 4), rows);
  auditArena(
    memory,
    taken.map((block) => ({ block, bytes: 120 })),
  );
});

test('an empty page serves any other size', () => {
  const { arena, memory } = freshArena();
  for (const bytes of [16, 24, 100, 1_000, 8_192, 16_384, 5 * pageBytes]) {
    for (let round = 0; round < 64; round++) {
      const block = arena.allocate(bytes);
      assert.is.not(block, 0, `${bytes} bytes, round ${round}`);
      arena.free(block, bytes);
    }
  }
  auditArena(memory, []);
});

test('a full arena refuses, and takes again what fits once something is freed', () => {
  const { arena, memory } = freshArena();
  const blocks: { block: number; bytes: number }[] = [];
  for (let block = arena.allocate(pageBytes); block !== 0; block = arena.allocate(pageBytes)) {
    blocks.push({ block, bytes: pageBytes });
  }
  assert.is(blocks.length, 64);
  assert.is(arena.allocate(16), 0);
  const { block, bytes } = blocks.pop()!;
  arena.free(block, bytes);
  const small = arena.allocate(16);
  assert.is.not(small, 0);
  auditArena(memory, [...blocks, { block: small, bytes: 16 }]);
});

test.run();
