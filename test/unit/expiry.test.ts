import type { Worker } from 'node:worker_threads';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Registry } from '../../src/engine/index.ts';
import { Clock, hasPassed, monotonicMs, tickMs, ticksToLive } from '../../src/shared/clock.ts';
import { Header } from '../../src/shared/layout.ts';
import { limits } from '../../src/shared/limits.ts';
import { auditOnceSwept, total } from '../support/bookkeeping.ts';
import { codeOf } from '../support/errors.ts';
import { LockHolder } from '../support/lock-holder.ts';
import { Thread } from '../support/threads.ts';
import { until } from '../support/waiting.ts';

const test = suite('expiry');

const hour = 3_600_000;
const kind = 'kind';

test('deadlines are told from those that have passed, also when the 32 bits wrap', () => {
  const longest = ticksToLive(limits.ttlMsMax);
  for (const time of [0, 5, 0x7fffffff, -0x80000000, -3]) {
    for (const ticks of [1, 100, longest]) {
      const deadline = (time + ticks) | 0 || 1;
      assert.not.ok(hasPassed(deadline, time), `${ticks} ticks after ${time}`);
      assert.ok(hasPassed(deadline, (deadline + 0) | 0));
      assert.ok(hasPassed(deadline, (deadline + longest) | 0), 'and long after');
    }
    assert.not.ok(hasPassed(0, time), '0 is none');
  }
  assert.ok(longest < 2 ** 30);
  assert.ok(ticksToLive(0.001) * tickMs > tickMs, 'never before its time');
});

test('every thread reads the same clock', async () => {
  await using registry = await Registry.open();
  const clock = new Clock(new Int32Array(registry.handle.control));
  const source = new URL('../../src/shared/clock.ts', import.meta.url).href;
  await using thread = await Thread.start();
  const before = monotonicMs();
  const there = await thread.run(async (_, source) => (await import(source)).monotonicMs(), source);
  assert.ok(before <= there && there <= monotonicMs(), `${before} ${there}`);
  const ticks = clock.time();
  assert.ok(ticks >= 0 && ticks < 60_000 / tickMs, 'from the opening of the registry on');
});

test('an entry is found nowhere once its time is over, and by all before', async () => {
  await using registry = await Registry.open({ shards: 1 });
  await using thread = await Thread.start(registry.handle);
  const registration = registry.register(kind, 'brief', { config: 1, ttlMs: hour });
  registry.register(kind, 'lasting');
  const ref = registry.ref(kind, 'brief');
  const everywhere = () => [
    registry.whereis(kind, 'brief') !== undefined,
    registry.has(kind, 'brief'),
    ref.current() !== undefined,
    [...registry.list(kind)].some(({ id }) => id === 'brief'),
    registry.count() === 2,
    registry.count(kind) === 2,
    registration.active,
  ];
  const there = () =>
    thread.run(({ registry }) => [
      registry.whereis('kind', 'brief') !== undefined,
      registry.has('kind', 'brief'),
      [...registry.list('kind')].length === 2,
    ]);
  for (let n = 0; n < 3; n++) assert.equal(everywhere(), Array(7).fill(true));
  assert.equal(await there(), Array(3).fill(true));
  assert.ok(registration.renew(20), 'sooner than before');
  await until('it is over', () => !registration.active);
  assert.equal(everywhere(), Array(7).fill(false), 'from that moment on');
  assert.equal(await there(), Array(3).fill(false));
  assert.not.ok(registration.renew(), 'it comes too late');
  assert.is(
    codeOf(() => registry.update(kind, 'brief', 1)),
    'NOT_FOUND',
  );
  assert.is(
    codeOf(() => registration.update(1)),
    'NOT_FOUND',
  );
  assert.not.ok(registry.unregister(kind, 'brief'));
  await until('the coordinator sweeps it', () => total(registry.partitionStats()).entries === 1);
  await until('and has nothing more to do', () => nextDeadline(registry) === 0);
  await auditOnceSwept(registry.handle);
});

const nextDeadline = ({ handle }: Registry): number =>
  Atomics.load(new Int32Array(handle.control), Header.nextDeadline);

test('who renews in time stays, and one that ends is swept among others that stay', async () => {
  await using registry = await Registry.open({ shards: 2 });
  const kept = registry.register(kind, 'kept', { ttlMs: hour });
  for (let n = 0; n < 50; n++) registry.register(kind, `${n}`, { ttlMs: 10 });
  await until('they are swept', () => total(registry.partitionStats()).entries === 1);
  assert.ok(kept.renew());
  assert.ok(kept.renew(2 * hour));
  assert.is(registry.whereis(kind, 'kept')?.id, 'kept');
  assert.is.not(nextDeadline(registry), 0, 'the sweep has noted it again');
});

test('a name that has expired is free to register, in its record, before any sweep', async () => {
  await using registry = await Registry.open({ shards: 1 });
  await using thread = await Thread.start(registry.handle);
  for (let n = 0; n < 20; n++) {
    const first = registry.register(kind, 'name', { config: 'first', ttlMs: 1 });
    await until('it is over', () => !registry.has(kind, 'name'));
    await thread.run(({ registry }) => void registry.register('kind', 'name', { config: 'second' }));
    assert.is(registry.whereis(kind, 'name')?.config, 'second');
    assert.not.ok(first.renew(), "the name is another's");
    assert.not.ok(first.unregister());
    assert.ok(registry.unregister(kind, 'name'));
  }
  await auditOnceSwept(registry.handle);
});

test('an absence that comes of an expiry is no cached one', async () => {
  await using registry = await Registry.open({ shards: 1 });
  const registration = registry.register(kind, 'name', { config: 1, ttlMs: hour });
  registration.renew(5);
  for (let n = 0; n < 3; n++) await until('it is over', () => registry.whereis(kind, 'name') === undefined);
  registry.register(kind, 'name', { config: 2, ttlMs: hour });
  assert.is(registry.whereis(kind, 'name')?.config, 2);
});

test('registerOrUpdate renews, and gives or leaves a time to live as asked', async () => {
  await using registry = await Registry.open();
  registry.register(kind, 'name', { config: 1 });
  for (let n = 0; n < 3; n++) assert.is(registry.whereis(kind, 'name')?.config, 1); // cached as one that stays
  registry.registerOrUpdate(kind, 'name', { config: 2, ttlMs: hour });
  const again = registry.registerOrUpdate(kind, 'name', { config: 3 });
  assert.ok(again.renew(hour), 'the deadline was left as it was');
  registry.registerOrUpdate(kind, 'name', { config: 4, ttlMs: 10 });
  await until('it is over', () => registry.whereis(kind, 'name') === undefined);
});

test('a deadline of an update is not seen before its commit, nor if that never comes', async () => {
  await using registry = await Registry.open({ shards: 1 });
  registry.register(kind, 'name', { config: 1, ttlMs: hour });
  await using other = Registry.attach(registry.handle);
  const clock = new Clock(new Int32Array(registry.handle.control));
  const seen: boolean[] = [];
  const exchange = Atomics.exchange;
  (Atomics as { exchange: unknown }).exchange = () => {
    const started = clock.time();
    while (clock.time() - started < 4); // the deadline has passed
    seen.push(other.has(kind, 'name'), other.whereis(kind, 'name')?.config === 1);
    throw new Error('cut off before the commit');
  };
  try {
    assert.throws(() => registry.registerOrUpdate(kind, 'name', { config: 2, ttlMs: 1 }), 'cut off');
  } finally {
    Atomics.exchange = exchange;
  }
  assert.equal(seen, [true, true]);
  assert.is(other.whereis(kind, 'name')?.config, 1);
  registry.registerOrUpdate(kind, 'name', { config: 2, ttlMs: 1 });
  await until('it is over', () => !other.has(kind, 'name'));
});

test('groups, bindings and figures leave out what is over, from that moment on', async () => {
  await using registry = await Registry.open({ shards: 1 });
  await using other = Registry.attach(registry.handle);
  const owner = registry.owner({ ttlMs: hour });
  const [server, transport] = [
    registry.register('server', 'brief', { ttlMs: hour }),
    registry.register('transport', 'brief', { ttlMs: hour, config: { server_id: 'lasting' } }),
  ];
  registry.register('server', 'lasting');
  registry.groups.join('names', { kind: 'server', id: 'brief' });
  registry.groups.join('owners', { owner });
  const seen = ({ groups, bindings, insight }: Registry) => [
    groups.members('mcp_all_servers').length,
    groups.members('mcp_all_transports').length,
    groups.members('names').length,
    groups.members('owners').length,
    bindings.transportsOf('lasting').length,
    insight.figures().names,
  ];
  const same = (counts: number[], when: string) => {
    for (let n = 0; n < 3; n++) for (const each of [registry, other]) assert.equal(seen(each), counts, when);
  };
  same([2, 1, 1, 1, 1, 3], 'all stand');
  server.renew(300);
  transport.renew(300);
  owner.renew(300);
  await using holder = await LockHolder.start(registry.handle);
  await holder.hold({ shards: [0] }); // nothing is swept: it is the clock that they go by
  await until('they are over', () => !owner.alive && !server.active && !transport.active);
  same([1, 0, 0, 0, 0, 1], 'they are over');
  await holder.release();
});

test('a coordinator that ends in a sweep leaves no deadline forgotten', async () => {
  const coordinators: Worker[] = [];
  const remember = (worker: Worker) => coordinators.push(worker);
  process.on('worker', remember);
  try {
    await using registry = await Registry.open({ shards: 1 });
    const words = new Int32Array(registry.handle.control);
    registry.register(kind, 'first', { ttlMs: 1 });
    await until('a coordinator sweeps', () => total(registry.partitionStats()).entries === 0);
    const late = registry.register(kind, 'late', { ttlMs: hour });
    const generation = words[Header.coordinatorGeneration];
    const [coordinator] = coordinators;
    await coordinator.terminate();
    Atomics.store(words, Header.nextDeadline, 0); // as it is while a sweep is under way
    await until('there is another', () => words[Header.coordinatorGeneration] !== generation);
    await until('the next one knows it', () => nextDeadline(registry) !== 0);
    late.renew(1);
    await until('and sweeps it', () => total(registry.partitionStats()).entries === 0);
  } finally {
    process.off('worker', remember);
  }
});

test('a full table takes names in place of expired ones', async () => {
  await using registry = await Registry.open({ shards: 1, entriesPerShardMax: 10 });
  const names = Array.from({ length: 10 }, (_, n) => registry.register(kind, `brief ${n}`, { ttlMs: hour }));
  assert.is(
    codeOf(() => registry.register(kind, 'new')),
    'TABLE_FULL',
  );
  for (const name of names) name.renew(5);
  await until('they are over', () => names.every(({ active }) => !active));
  // As while the coordinator sweeps: it takes the next deadline away first.
  Atomics.store(new Int32Array(registry.handle.control), Header.nextDeadline, 0);
  for (let n = 0; n < 10; n++) registry.register(kind, `new ${n}`);
  assert.is(registry.count(), 10);
});

test('an owner with a time to live takes all its names along, unless it renews', async () => {
  await using registry = await Registry.open({ shards: 2 });
  await using thread = await Thread.start(registry.handle);
  const owner = registry.owner({ ttlMs: hour });
  const stays = registry.owner({ ttlMs: hour });
  for (let n = 0; n < 300; n++) registry.register(kind, `${n}`, { owner, config: n });
  registry.register(kind, 'stays', { owner: stays });
  owner.properties.set('a', 1);
  for (let n = 0; n < 3; n++) assert.is(registry.whereis(kind, '7')?.config, 7);
  assert.ok(await thread.run(({ registry }) => registry.has('kind', '7')));
  assert.ok(owner.renew(20));
  await until('it is over', () => !owner.alive);
  assert.is(registry.whereis(kind, '7'), undefined);
  assert.is(registry.count(kind), 1);
  assert.is(await thread.run(({ registry }) => registry.whereis('kind', '7')), undefined);
  assert.equal(owner.properties.entries(), []);
  assert.not.ok(owner.renew(), 'it comes too late');
  assert.is(
    codeOf(() => registry.register(kind, 'x', { owner })),
    'OWNER_DEAD',
  );
  registry.register(kind, '7', { config: 'next' });
  await until('the sweep', () => total(registry.partitionStats()).entries === 2);
  assert.ok(stays.renew());
  owner.close();
  stays.close();
  assert.is(registry.count(kind), 1);
  await auditOnceSwept(registry.handle);
});

test('OWNERS_FULL: rows of owners whose time is over are free', async () => {
  await using registry = await Registry.open({ ownersMax: 4 });
  const owners = Array.from({ length: 4 }, () => registry.owner({ ttlMs: hour }));
  assert.is(
    codeOf(() => registry.owner()),
    'OWNERS_FULL',
  );
  for (const owner of owners) owner.renew(5);
  await until('they are over', () => owners.every(({ alive }) => !alive));
  for (let n = 0; n < 4; n++) registry.owner();
});

test('times to live that cannot be are refused', async () => {
  await using registry = await Registry.open();
  const timed = registry.register(kind, 'timed', { ttlMs: hour });
  const untimed = registry.register(kind, 'untimed');
  const owner = registry.owner({ ttlMs: limits.ttlMsMax });
  for (const ttlMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, limits.ttlMsMax + 1, '5', null] as number[]) {
    for (const call of [
      () => registry.register(kind, 'x', { ttlMs }),
      () => registry.owner({ ttlMs }),
      () => timed.renew(ttlMs),
      () => owner.renew(ttlMs),
    ]) {
      assert.is(codeOf(call), 'INVALID_OPTION', String(ttlMs));
    }
  }
  assert.is(
    codeOf(() => untimed.renew()),
    'INVALID_OPTION',
  );
  assert.is(
    codeOf(() => untimed.renew(5)),
    'INVALID_OPTION',
  );
  assert.is(
    codeOf(() => registry.owner().renew(5)),
    'INVALID_OPTION',
  );
  registry.register(kind, 'longest', { ttlMs: limits.ttlMsMax });
  assert.ok(registry.has(kind, 'longest'));
});

test.run();
