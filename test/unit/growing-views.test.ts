import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ControlMap, Header } from '../../src/shared/layout.ts';
import { defaults } from '../../src/shared/limits.ts';
import { ShardMemory } from '../../src/shared/shard-memory.ts';
import { allocateTable } from '../../src/shared/table.ts';

const test = suite('growing views');

test('a thread that attaches while another makes the arena grow sees as much of it in words as in bytes', () => {
  const { control, shards } = allocateTable({ ...defaults, shards: 1 });
  const words = new Int32Array(control);
  const map = new ControlMap(1, words[Header.threadsMax], words[Header.ownersMax]);
  const [{ arena }] = shards;
  // Each look at how long it is may find it longer: here each does.
  let looks = 0;
  Object.defineProperty(arena, 'byteLength', {
    get() {
      const { get } = Object.getOwnPropertyDescriptor(SharedArrayBuffer.prototype, 'byteLength')!;
      const bytes = get!.call(arena) as number;
      arena.grow(bytes + 65_536);
      looks++;
      return bytes;
    },
  });
  const memory = new ShardMemory(words, map.shard(0), shards[0]);
  assert.ok(looks > 0);
  assert.is(memory.arenaBytes.length, memory.arena.byteLength);
  assert.ok(memory.coverArena(memory.arenaBytes.length + 1));
  assert.is(memory.arenaBytes.length, memory.arena.byteLength);
});

test.run();
