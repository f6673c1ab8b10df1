// @timeout 240
import { once } from 'node:events';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Registry, type RegistryHandle, type ShardContention } from '../../src/engine/index.ts';
import { Header, WatchState } from '../../src/shared/layout.ts';
import { LockHolder } from '../support/lock-holder.ts';
import { idsInShard } from '../support/shard-names.ts';
import { Thread } from '../support/threads.ts';
import { until } from '../support/waiting.ts';

/*
 * Alarms of shards whose locks threads really hold, for real. Who holds one is stopped inside it; who waits sleeps.
 */
const test = suite('contention');

const kind = 'kind';

/** A thread that updates a name without end, so that somebody always wants the shard's lock. */
async function writerOf(handle: RegistryHandle, id: string): Promise<Thread> {
  const writer = await Thread.start(handle);
  writer.send(
    ({ registry }, [kind, id]) => {
      for (let n = 0; ; n++) registry.update(kind, id, n);
    },
    [kind, id],
  );
  return writer;
}

/** A thread that notes each event, and tells them when asked. */
async function listenerOf(handle: RegistryHandle): Promise<Thread> {
  const listener = await Thread.start(handle);
  await listener.run(({ registry, kept }) => {
    kept.events = [];
    for (const event of ['alarm', 'clear'] as const) {
      registry.alarms.on(event, (shard) => kept.events.push({ event, ...shard }));
    }
  });
  return listener;
}

async function heard(listener: Thread, count: number): Promise<({ event: string } & ShardContention)[]> {
  return await listener.run(async ({ kept }, count) => {
    while (kept.events.length < count) await new Promise((resolve) => setTimeout(resolve, 1));
    return kept.events;
  }, count);
}

const watched = ({ handle }: Registry): number => Atomics.load(new Int32Array(handle.control), Header.contentionWatch);

test('a holder that is stopped alarms its shard, in every thread; giving the lock back clears it', async () => {
  await using registry = await Registry.open({ shards: 2 });
  const [[id], [other]] = [0, 1].map((shard) => idsInShard(registry.handle, kind, shard, 1));
  for (const name of [id, other]) registry.register(kind, name);
  await using listener = await listenerOf(registry.handle);
  await using holder = await LockHolder.start(registry.handle);
  const alarm = once(registry.alarms, 'alarm') as Promise<[ShardContention]>;
  const clear = once(registry.alarms, 'clear') as Promise<[ShardContention]>;
  await holder.hold({ shards: [0] });
  await using _writer = await writerOf(registry.handle, id);

  const [{ shard, alarmed, reasons, lockHeldMs }] = await alarm;
  assert.equal({ shard, alarmed, reasons }, { shard: 0, alarmed: true, reasons: ['lock-held'] });
  assert.ok(lockHeldMs >= 50);
  const status = registry.contentionStatus();
  assert.is(status.alarmed, 1);
  assert.equal(
    status.shards.map(({ alarmed }) => alarmed),
    [true, false],
  );
  assert.is(status.admission, 'open', 'one of two shards is not more than half');

  await holder.release();
  assert.is((await clear)[0].shard, 0);
  assert.equal(
    (await heard(listener, 2)).map(({ event, shard }) => `${event} ${shard}`),
    ['alarm 0', 'clear 0'],
  );
  assert.is(registry.contentionStatus().alarmed, 0);
});

test('lock waits alarm by their p99, though no holder stays for long', async () => {
  await using registry = await Registry.open({ shards: 1, alarmLockWaitMs: 10, alarmedPercentMax: 100 });
  registry.register(kind, 'id');
  await using holder = await LockHolder.start(registry.handle);
  const alarms: ShardContention[] = [];
  registry.alarms.on('alarm', (shard) => alarms.push(shard));
  await holder.hold({ shards: [0], holdMs: 15 });
  await using _writer = await writerOf(registry.handle, 'id');
  const byWaits = () =>
    registry
      .contentionStatus()
      .shards.find(({ reasons, lockWaitP99Ms }) => reasons.includes('lock-wait') && lockWaitP99Ms >= 10);
  await until('the waits alarm', () => byWaits() !== undefined);
  assert.ok(alarms.length > 0);
  await holder.release();
  await until('it clears, with a writer that writes on', () => registry.contentionStatus().alarmed === 0);
});

test('writes alarm by their mean, as in the seeds', async () => {
  await using registry = await Registry.open({
    shards: 1,
    alarmLockWaitMs: 30_000,
    alarmWriteMeanMs: 10,
    alarmedPercentMax: 100,
  });
  registry.register(kind, 'id');
  await using holder = await LockHolder.start(registry.handle);
  await holder.hold({ shards: [0], holdMs: 40 });
  await using writer = await Thread.start(registry.handle);
  // Slowly, or the quick writes between two holds would make up for the slow ones.
  await writer.run(({ registry, kept }) => {
    kept.writing = setInterval(() => registry.update('kind', 'id', 1), 20);
  });
  const reasons = () => registry.contentionStatus().shards.flatMap(({ reasons }) => reasons);
  await until('the mean alarms', () => reasons().includes('write-latency'));
  await holder.release();
  await until('it clears', () => registry.contentionStatus().alarmed === 0);
});

test('nobody is watched where nobody waits', async () => {
  await using registry = await Registry.open({ shards: 1 });
  await until('the first look is over', () => watched(registry) === WatchState.resting);
  await using holder = await LockHolder.start(registry.handle);
  await holder.hold({ shards: [0] });
  assert.is(watched(registry), WatchState.resting, 'a lock that nobody waits for');
  await holder.release();
  for (let n = 0; n < 10_000; n++) registry.registerOrUpdate(kind, 'id', { config: n });
  assert.is(watched(registry), WatchState.resting, 'writes that do not wait');

  await using _writer = await writerOf(registry.handle, 'id');
  await holder.hold({ shards: [0], holdMs: 5 });
  await until('a writer that waits', () => watched(registry) === WatchState.watching);
  await holder.release();
  await until('rest', () => watched(registry) === WatchState.resting);
});

test('alarms stay while the coordinator is restarted, and its successor clears them', async () => {
  const coordinators: import('node:worker_threads').Worker[] = [];
  const note = (worker: import('node:worker_threads').Worker) => {
    coordinators.push(worker);
  };
  process.on('worker', note);
  await using registry = await Registry.open({ shards: 1, alarmedPercentMax: 0 });
  process.off('worker', note);
  registry.register(kind, 'id');
  const events: string[] = [];
  for (const event of ['alarm', 'clear'] as const) registry.alarms.on(event, () => events.push(event));
  await using holder = await LockHolder.start(registry.handle);
  await holder.hold({ shards: [0] });
  await using _writer = await writerOf(registry.handle, 'id');
  await until('the alarm', () => registry.contentionStatus().alarmed === 1 && registry.admission.state === 'closed');
  for (const coordinator of coordinators) await coordinator.terminate();
  assert.is(registry.contentionStatus().alarmed, 1, 'it stays');
  assert.is(registry.admission.state, 'closed');
  await holder.release();
  await until('the next coordinator clears it', () => registry.contentionStatus().alarmed === 0);
  await until('admission follows', () => registry.admission.state === 'open');
  await until('events are heard', () => events.length === 2);
  assert.equal(events, ['alarm', 'clear']);
});

test('coordinators that end again and again while a lock is held: each next one alarms, and clears', async () => {
  const coordinators: import('node:worker_threads').Worker[] = [];
  const note = (worker: import('node:worker_threads').Worker) => {
    coordinators.push(worker);
  };
  process.on('worker', note);
  await using registry = await Registry.open({ shards: 1, alarmedPercentMax: 0 });
  registry.register(kind, 'id');
  await using writer = await writerOf(registry.handle, 'id');
  await using holder = await LockHolder.start(registry.handle);
  const helpers = new Set([writer.worker]);
  for (let n = 0; n < 3; n++) {
    await holder.hold({ shards: [0] });
    // At another moment each time: before the alarm, about then, after it.
    await until('so long', () => registry.contentionStatus().shards[0].lockHeldMs >= n * 25);
    for (const worker of coordinators.splice(0))
      if (isCoordinator(worker) && !helpers.has(worker)) await worker.terminate();
    await until('the alarm', () => registry.contentionStatus().alarmed === 1 && registry.admission.state === 'closed');
    await holder.release();
    await until('the clear', () => registry.contentionStatus().alarmed === 0 && registry.admission.state === 'open');
  }
  process.off('worker', note);
});

const isCoordinator = (worker: import('node:worker_threads').Worker): boolean =>
  (worker as unknown as { threadName: string }).threadName === 'rollcall-coordinator';

test('a listener that throws is an uncaught exception of its thread, and the next event comes all the same', async () => {
  await using registry = await Registry.open({ shards: 1 });
  registry.register(kind, 'id');
  const thrown: string[] = [];
  const note = (error: Error) => thrown.push(error.message);
  process.on('uncaughtException', note);
  const cleared: number[] = [];
  registry.alarms.on('alarm', () => {
    throw new Error('of a listener');
  });
  registry.alarms.on('clear', ({ shard }) => cleared.push(shard));
  await using holder = await LockHolder.start(registry.handle);
  await holder.hold({ shards: [0] });
  await using _writer = await writerOf(registry.handle, 'id');
  await until('it throws', () => thrown.length > 0);
  await holder.release();
  await until('the clear', () => cleared.length > 0);
  process.off('uncaughtException', note);
  assert.equal(thrown, ['of a listener']);
});

test('listening keeps no thread alive, and threads that end while they listen harm nobody', async () => {
  await using registry = await Registry.open({ shards: 1 });
  registry.register(kind, 'id');
  await using holder = await LockHolder.start(registry.handle);
  await using _writer = await writerOf(registry.handle, 'id');
  for (let n = 0; n < 5; n++) {
    const mortals = await Promise.all([0, 1, 2].map(() => listenerOf(registry.handle)));
    await holder.hold({ shards: [0] });
    await heard(mortals[0], 1);
    await Promise.all(mortals.map((mortal) => mortal.end()));
    await holder.release();
    await until('it clears', () => registry.contentionStatus().alarmed === 0);
  }
});

test.run();
