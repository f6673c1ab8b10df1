import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Registry } from '../../src/engine/index.ts';
import { ControlMap, Guard, Header, Shard } from '../../src/shared/layout.ts';
import { lockToken } from '../../src/shared/lock.ts';
import { Table } from '../../src/shared/table.ts';
import { Thread } from '../support/threads.ts';

const test = suite('lock asks');

test('in one wait each holder is asked for the lock, as it may come into other hands', async () => {
  await using registry = await Registry.open({ shards: 1 });
  await using first = await Thread.start(registry.handle);
  await using second = await Thread.start(registry.handle);
  const owners = [];
  for (const [n, thread] of [first, second].entries()) {
    await thread.run(({ registry }, id) => void registry.register('kind', id), `${n}`);
    owners.push(registry.whereis('kind', `${n}`)!.owner);
  }
  const words = new Int32Array(registry.handle.control);
  const map = new ControlMap(words[Header.shards], words[Header.threadsMax], words[Header.ownersMax]);
  const at = map.shard(0) + Shard.guard + Guard.lock;
  const [held, passedOn] = owners.map(({ slot, epoch }) => lockToken(slot, epoch));

  const table = new Table(registry.handle);
  const asked: number[] = [];
  table.onSuspect = (slot) => {
    asked.push(slot);
    // As if the first had given it back and the second taken and abandoned it, which then gives it back, too.
    Atomics.store(words, at, asked.length === 1 ? passedOn : 0);
  };
  Atomics.store(words, at, held);
  table.shards[0].enter();
  table.shards[0].leave();
  assert.equal(
    asked,
    owners.map(({ slot }) => slot),
  );
  table.detach();
});

test('a thread that has not had a turn of its event loop yet can ask', async () => {
  await using registry = await Registry.open({ shards: 1 });
  await using holder = await Thread.start(registry.handle);
  await using asker = await Thread.start();
  await holder.run(({ registry }) => void registry.register('kind', 'held'));
  const { slot, epoch } = registry.whereis('kind', 'held')!.owner;
  const words = new Int32Array(registry.handle.control);
  const map = new ControlMap(words[Header.shards], words[Header.threadsMax], words[Header.ownersMax]);
  Atomics.store(words, map.shard(0) + Shard.guard + Guard.lock, lockToken(slot, epoch));
  await asker.run(({ Registry }, handle) => {
    using attached = Registry.attach(handle);
    attached.register('kind', 'new');
  }, registry.handle);
});

test.run();
