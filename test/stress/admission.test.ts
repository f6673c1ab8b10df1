// @timeout 240
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { AdmissionRefusedError, Registry } from '../../src/engine/index.ts';
import { codeOf } from '../support/errors.ts';
import { LockHolder } from '../support/lock-holder.ts';
import { idsInShard } from '../support/shard-names.ts';
import { Thread } from '../support/threads.ts';
import { until } from '../support/waiting.ts';

/*
 * Admission follows alarms that real threads cause: they are stopped inside shards, others wait.
 */
const test = suite('admission');

const kind = 'kind';

/** A registry of four shards with a name in each, and a thread that can stop shards while others wait for them. */
async function contended() {
  const registry = await Registry.open({ shards: 4 });
  const ids = [0, 1, 2, 3].map((shard) => idsInShard(registry.handle, kind, shard, 3));
  for (const [id, update] of ids) for (const name of [id, update]) registry.register(kind, name);
  const holder = await LockHolder.start(registry.handle);
  const waiting: Thread[] = [];
  return {
    registry,
    ids,
    async stop(shards: readonly number[]) {
      await holder.hold({ shards });
      for (const shard of shards) {
        const waiter = await Thread.start(registry.handle);
        waiter.send(({ registry }, [kind, id]) => void registry.update(kind, id, 1), [kind, ids[shard][0]]);
        waiting.push(waiter);
      }
      await until('they are alarmed', () => registry.contentionStatus().alarmed >= shards.length);
    },
    go: () => holder.release(),
    async [Symbol.asyncDispose]() {
      await Promise.all([holder, ...waiting].map((thread) => thread[Symbol.asyncDispose]()));
      await registry.close();
    },
  };
}

test('while more than half of the shards are alarmed new names are refused, and all else goes on', async () => {
  await using four = await contended();
  const { registry, ids } = four;
  await four.stop([0, 1]);
  assert.is(registry.admission.state, 'open', 'half is not more than half');
  registry.register(kind, ids[3][2]).unregister();
  await four.go();

  await four.stop([0, 1, 2]);
  await until('admission is closed', () => registry.admission.state === 'closed');
  assert.is(registry.admission.mode, 'auto');
  assert.is(registry.contentionStatus().admission, 'closed');
  const fresh = ids[3][2];
  for (const call of ['register', 'tryRegister', 'registerOrUpdate'] as const) {
    assert.is(
      codeOf(() => registry[call](kind, fresh)),
      'ADMISSION_REFUSED',
      call,
    );
  }
  try {
    registry.register('another kind', 'x');
    assert.unreachable();
  } catch (error) {
    assert.instance(error, AdmissionRefusedError);
    assert.ok((error as AdmissionRefusedError).retryAfterMs > 0);
    assert.match((error as Error).message, /^register another kind "x": 3 of 4 shards are alarmed/);
  }
  const [mine] = ids[3];
  assert.is(registry.whereis(kind, ids[0][0])?.id, ids[0][0], 'lookups, also in a stopped shard');
  assert.is(
    codeOf(() => registry.register(kind, mine)),
    'ALREADY_REGISTERED',
    'a name that is taken is not new',
  );
  registry.registerOrUpdate(kind, mine, { config: 2 });
  registry.update(kind, mine, 3);
  assert.is(registry.whereis(kind, mine)?.config, 3);
  assert.ok(registry.unregister(kind, mine));
  await using other = await Thread.start(registry.handle);
  const there = await other.run(
    ({ registry }, [kind, id]) => {
      try {
        registry.register(kind, id);
        return 'registered';
      } catch (error) {
        return (error as { code: string }).code;
      }
    },
    [kind, fresh],
  );
  assert.is(there, 'ADMISSION_REFUSED', 'in every thread');

  await four.go();
  await until('it resumes by itself', () => registry.admission.state === 'open');
  registry.register(kind, fresh);
});

test('what people say goes before what alarms say, for every thread, until they leave it to the alarms', async () => {
  await using four = await contended();
  const { registry, ids } = four;
  const fresh = ids[3][2];
  registry.admission.force('closed');
  assert.equal([registry.admission.state, registry.admission.mode], ['closed', 'forced']);
  assert.is(
    codeOf(() => registry.register(kind, fresh)),
    'ADMISSION_REFUSED',
  );
  await using other = await Thread.start(registry.handle);
  assert.is(await other.run(({ registry }) => registry.admission.state), 'closed');
  await other.run(({ registry }) => registry.admission.auto());
  assert.equal([registry.admission.state, registry.admission.mode], ['open', 'auto']);
  registry.register(kind, fresh).unregister();

  await four.stop([0, 1, 2]);
  await until('the alarms close it', () => registry.admission.state === 'closed');
  registry.admission.force('open');
  assert.is(registry.admission.state, 'open');
  registry.register(kind, fresh).unregister();
  registry.admission.auto();
  assert.is(registry.admission.state, 'closed', 'the alarms have not changed their mind');
  registry.admission.force('closed');
  await four.go();
  await until('the alarms are over', () => registry.contentionStatus().alarmed === 0);
  assert.is(registry.admission.state, 'closed');
  registry.admission.auto();
  await until('it opens', () => registry.admission.state === 'open');
  for (const state of ['ajar', Object.create(null)]) {
    assert.is(
      codeOf(() => registry.admission.force(state as 'open')),
      'INVALID_OPTION',
    );
  }
});

test('trouble in one shard leaves the others untouched: one that is stopped, one that is full, one that kills', async () => {
  await using registry = await Registry.open({ shards: 4, entriesPerShardMax: 60 });
  const [stopped, full, deadly, free] = [0, 1, 2, 3].map((shard) => idsInShard(registry.handle, kind, shard, 100));
  registry.register(kind, stopped[0]);
  await using holder = await LockHolder.start(registry.handle);
  await using waiter = await Thread.start(registry.handle);
  await holder.hold({ shards: [0] });
  waiter.send(({ registry }, [kind, id]) => void registry.update(kind, id, 1), [kind, stopped[0]]);
  for (const id of full.slice(0, 60)) registry.register(kind, id);
  assert.is(
    codeOf(() => registry.register(kind, full[60])),
    'TABLE_FULL',
  );

  let writes = 0;
  for (let kills = 0; kills < 5; kills++) {
    const victim = await LockHolder.start(registry.handle);
    await victim.hold({ shards: [2] });
    await victim[Symbol.asyncDispose](); // inside the shard
    registry.register(kind, deadly[kills]); // and the next one in repairs it
    for (const id of free.slice(0, 50)) {
      const name = registry.register(kind, id, { config: kills });
      name.update(id);
      assert.is(registry.whereis(kind, id)?.config, id);
      name.unregister();
      writes += 3;
    }
  }
  const stats = registry.partitionStats();
  assert.is(stats[3].registrations + stats[3].updates + stats[3].removals, writes);
  assert.is(stats[3].lockWaits, 0, 'not once did a write in the free shard wait');
  assert.is(stats[2].lockSteals, 5);
  const alarmed = (shard: number) => registry.contentionStatus().shards[shard].alarmed;
  await until('the stopped shard is alarmed', () => alarmed(0));
  assert.not.ok(alarmed(3));
  await holder.release();
});

test.run();
