import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Registry } from '../../src/engine/index.ts';
import { auditEmptyOnceSwept } from '../support/bookkeeping.ts';
import { LockHolder } from '../support/lock-holder.ts';
import { Thread } from '../support/threads.ts';
import { until } from '../support/waiting.ts';

const test = suite('sweep');

test('a thread that is stopped inside one shard keeps the dead of no other shard', async () => {
  await using registry = await Registry.open({ shards: 4 });
  await using holder = await LockHolder.start(registry.handle);
  await using thread = await Thread.start(registry.handle);
  await thread.run(({ registry }) => {
    for (let n = 0; n < 200; n++) registry.register('kind', `${n}`);
  });
  const entries = () => registry.partitionStats().map((shard) => shard.entries);
  assert.ok(entries().every((count) => count > 0));
  await holder.hold({ shards: [0] });
  await thread.end();
  await until('the other shards are swept', () => entries().every((count, n) => (n === 0 ? count > 0 : count === 0)));
  await holder.release();
  await auditEmptyOnceSwept(registry, ['kind']);
});

test.run();
