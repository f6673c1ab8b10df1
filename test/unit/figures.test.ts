import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Registry } from '../../src/engine/index.ts';
import { limits } from '../../src/shared/limits.ts';
import { codeOf } from '../support/errors.ts';
import { LockHolder } from '../support/lock-holder.ts';
import { Thread } from '../support/threads.ts';
import { until } from '../support/waiting.ts';

const test = suite('figures');

test('names are counted by kind and by thread, groups by members, owners by thread', async () => {
  await using registry = await Registry.open({ shards: 4 });
  await using thread = await Thread.start(registry.handle);
  const there = await thread.run(({ registry, kept }) => {
    kept.owner = registry.owner();
    for (let n = 0; n < 20; n++) registry.register('server', `there ${n}`, { owner: kept.owner });
    registry.groups.join('both');
    registry.groups.join('one', { owner: kept.owner });
    return kept.owner.slot;
  });
  for (let n = 0; n < 30; n++) registry.register('transport', `here ${n}`, { config: { n } });
  registry.register('server', 'here');
  registry.bindings.bind('here 1', 'here');
  registry.groups.join('both');
  registry.properties.set('key', 1);
  const figures = registry.insight.figures();
  assert.is(figures.pid, process.pid);
  assert.is(figures.names, 51);
  assert.equal(figures.kinds, [
    { kind: 'transport', names: 30 },
    { kind: 'server', names: 21 },
  ]);
  assert.equal(figures.groups, {
    count: 2,
    members: 3,
    largest: [
      { group: 'both', members: 2 },
      { group: 'one', members: 1 },
    ],
  });
  assert.is(figures.bindings, 1);
  assert.is(figures.owners, 1);
  assert.equal(
    figures.threads.map(({ threadId, names, owners }) => ({ threadId, names, owners })),
    [
      { threadId: 0, names: 31, owners: 0 },
      { threadId: thread.worker.threadId, names: 20, owners: 1 },
    ],
  );
  assert.ok(there > 0);
  assert.equal(JSON.parse(JSON.stringify(figures)), figures, 'plain data');
});

test('what is dead is not counted, swept or not', async () => {
  await using registry = await Registry.open({ shards: 2 });
  const owner = registry.owner();
  for (let n = 0; n < 300; n++) registry.register('session', `${n}`, { owner }); // more than a closing owner frees itself
  registry.groups.join('sessions', { owner });
  owner.close();
  const { names, kinds, groups, owners, threads } = registry.insight.figures();
  assert.equal(kinds, [{ kind: 'session', names: 0 }], 'a kind is for good');
  assert.is(names + groups.count + groups.members + owners + threads[0].names + threads[0].owners, 0);
});

test('bindings are counted that stand, however they were made', async () => {
  await using registry = await Registry.open({ shards: 2 });
  const { bindings, insight } = registry;
  assert.is(insight.figures().bindings, 0);
  for (const id of ['s1', 's2']) registry.register('server', id);
  for (const id of ['t1', 't2']) registry.register('transport', id);
  registry.register('transport', 't3', { config: { server_id: 's2' } });
  bindings.bind('t1', 's1');
  bindings.bind('t2', 's2');
  assert.is(insight.figures().bindings, 3);
  registry.unregister('server', 's1');
  assert.is(insight.figures().bindings, 2, 'its record is still there');
  bindings.unbind('t3');
  assert.is(insight.figures().bindings, 1, 'that is a record, too');
});

test('only the largest groups are told by name', async () => {
  await using registry = await Registry.open({ shards: 1 });
  const owner = registry.owner();
  for (let n = 0; n < limits.groupsToldMax + 5; n++) {
    registry.groups.join(`group ${n}`);
    if (n >= 5) registry.groups.join(`group ${n}`, { owner });
  }
  const { count, members, largest } = registry.insight.figures().groups;
  assert.is(count, limits.groupsToldMax + 5);
  assert.is(members, 2 * limits.groupsToldMax + 5);
  assert.is(largest.length, limits.groupsToldMax);
  assert.ok(largest.every(({ members }) => members === 2));
});

test('counters are told, and left out while nobody can read them', async () => {
  await using registry = await Registry.open({ shards: 1 });
  registry.counter('down').increment(-3);
  registry.counter('bytes', { owner: registry.owner() }).increment(2 ** 40);
  assert.equal(registry.insight.figures().counters, [
    { name: 'down', value: -3 },
    { name: 'bytes', value: 2 ** 40 },
  ]);
});

test('messages that were not read are told, of the thread that they wait for', async () => {
  await using registry = await Registry.open({ shards: 1, messageBytesMax: 1_000 });
  await using thread = await Thread.start(registry.handle);
  const gate = new Int32Array(new SharedArrayBuffer(4));
  await thread.run(({ registry }) => {
    registry.register('server', 'slow');
    registry.messages.receive(() => {});
  });
  assert.equal(registry.insight.figures().lanes.open, 0);
  thread.send((_, gate) => {
    Atomics.store(gate, 0, 1);
    Atomics.wait(gate, 0, 1); // reads nothing meanwhile
  }, gate);
  await until('the thread is blocked', () => Atomics.load(gate, 0) === 1);
  registry.messages.route('server', 'slow', 'x'.repeat(500));
  const before = registry.insight.figures();
  const waiting = before.threads.map(({ threadId, waitingBytes }) => [threadId, waitingBytes > 500]);
  assert.equal(waiting, [
    [0, false],
    [thread.worker.threadId, true],
  ]);
  assert.is(before.lanes.open, 1);
  assert.is(before.lanes.waitingBytes, before.threads[1].waitingBytes);
  assert.ok(before.lanes.fullest > 0.1 && before.lanes.fullest < 1);
  assert.ok(before.memory.laneBytes > 2_000);
  Atomics.store(gate, 0, 0);
  Atomics.notify(gate, 0);
  await until('it has read them', () => registry.insight.figures().lanes.waitingBytes === 0);
});

test('messages that a thread leaves unread at its end are not told of the next in its slot', async () => {
  await using registry = await Registry.open({ shards: 1, threadsMax: 2 });
  await using thread = await Thread.start(registry.handle);
  const gate = new Int32Array(new SharedArrayBuffer(4));
  await thread.run(({ registry }) => {
    registry.register('server', 'ends');
    registry.messages.receive(() => {});
  });
  thread.send((_, gate) => {
    Atomics.store(gate, 0, 1);
    Atomics.wait(gate, 0, 1);
  }, gate);
  await until('the thread is blocked', () => Atomics.load(gate, 0) === 1);
  registry.messages.route('server', 'ends', 'x'.repeat(500));
  const { slot } = registry.insight.figures().threads[1];
  await thread.end();
  await using next = await Thread.start();
  await next.run(({ Registry }, handle) => {
    for (;;) {
      try {
        Registry.attach(handle); // as soon as there is a row
        return;
      } catch {}
    }
  }, registry.handle);
  const { threads, lanes } = registry.insight.figures();
  assert.is(threads.find((one) => one.slot === slot)?.threadId, next.worker.threadId);
  assert.equal(
    threads.map(({ waitingBytes }) => waitingBytes),
    [0, 0],
  );
  assert.equal([lanes.open, lanes.waitingBytes, lanes.fullest], [1, 0, 0]);
});

test('durations are those of all shards together, and buckets add up to them', async () => {
  await using registry = await Registry.open({ shards: 4 });
  for (let n = 0; n < 5_000; n++) registry.registerOrUpdate('kind', `name ${n % 100}`, { config: n });
  await using holder = await LockHolder.start(registry.handle);
  await holder.hold({ shards: [0, 1, 2, 3] });
  await using writer = await Thread.start(registry.handle);
  const done = writer.run(({ registry }) => void registry.update('kind', 'name 1', 1));
  await until('a writer waits', () => registry.insight.figures().shards.some(({ lockHeldMs }) => lockHeldMs > 0));
  await holder.release();
  await done;
  const { writes, lockWaits, shards } = registry.insight.figures();
  const total = (of: (n: number) => number) => shards.reduce((sum, _, n) => sum + of(n), 0);
  assert.is(
    writes.count,
    total((n) => shards[n].writeLatency.count),
  );
  assert.is(writes.maxUs, Math.max(...shards.map(({ writeLatency }) => writeLatency.maxUs)));
  assert.is(lockWaits.count, 1);
  assert.ok(lockWaits.maxUs > 0 && lockWaits.p99Us <= lockWaits.maxUs);
  for (const { buckets, count, p50Us, maxUs } of [writes, lockWaits]) {
    assert.ok(buckets.every(([, upTo], n) => n === 0 || upTo >= buckets[n - 1][1]));
    for (const [upToUs, upTo] of buckets) {
      if (upToUs > maxUs) assert.is(upTo, count, `all took up to ${upToUs} µs`);
      if (upToUs > 1.07 * p50Us) assert.ok(upTo >= count / 2, `half took up to ${upToUs} µs`);
      if (upToUs < 0.93 * p50Us) assert.ok(upTo < count / 2 + 1, `half took no less than ${upToUs} µs`);
    }
  }
});

test('alarms and admission are told', async () => {
  await using registry = await Registry.open({ shards: 2 });
  assert.equal(registry.insight.figures().admission, { state: 'open', mode: 'auto' });
  registry.admission.force('closed');
  assert.equal(registry.insight.figures().admission, { state: 'closed', mode: 'forced' });
  await using holder = await LockHolder.start(registry.handle);
  await holder.hold({ shards: [1] });
  await using writer = await Thread.start(registry.handle);
  const names = Array.from({ length: 50 }, (_, n) => `name ${n}`);
  const done = writer.run(({ registry }, names) => {
    registry.admission.force('open');
    for (const name of names) registry.register('kind', name);
  }, names);
  await until('the shard is alarmed', () => registry.insight.figures().alarmed === 1);
  const [free, held] = registry.insight.figures().shards;
  assert.equal([free.alarmed, free.reasons, held.alarmed], [false, [], true]);
  assert.ok(held.reasons.length > 0);
  await holder.release();
  await done;
});

test('a registry that is closed has none', async () => {
  const registry = await Registry.open({ shards: 1 });
  await registry.close();
  assert.is(
    codeOf(() => registry.insight.figures()),
    'CLOSED',
  );
});

test.run();
