import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type MonitorTarget, Registry } from '../../src/engine/index.ts';
import { codeOf } from '../support/errors.ts';
import { Thread } from '../support/threads.ts';
import { until, untilBlocked } from '../support/waiting.ts';

/* Monitors: the end of an owner or a name is told once, with tag and reason, in whichever thread asks. */
const test = suite('monitors');

const hour = 3_600_000;

test('an owner that is closed, here and seen from another thread', async () => {
  await using registry = await Registry.open();
  await using thread = await Thread.start(registry.handle);
  const owner = registry.owner();
  const monitor = registry.monitor(owner, { tag: { n: 7 } });
  const ready = new Int32Array(new SharedArrayBuffer(4));
  const there = thread.run(
    ({ registry }, { owner, ready }) => {
      const { down } = registry.monitor(owner, { tag: 'there' });
      Atomics.store(ready, 0, 1);
      return down;
    },
    { owner: { slot: owner.slot, epoch: owner.epoch }, ready },
  );
  await until('it is monitored there', () => Atomics.load(ready, 0) === 1);
  const second = registry.monitor(owner);
  owner.close();
  assert.equal(await monitor.down, { tag: { n: 7 }, reason: 'closed', target: owner });
  assert.is((await second.down).tag, undefined);
  const { tag, reason } = await there;
  assert.equal([tag, reason], ['there', 'closed']);
});

test('an owner whose thread ends, and one whose attachment is closed', async () => {
  await using registry = await Registry.open();
  for (const [end, reason] of [
    ['terminate', 'thread exit'],
    ['close', 'closed'],
  ]) {
    await using thread = await Thread.start(registry.handle);
    await thread.run(({ registry }) => void registry.register('server', 'x', { owner: registry.owner() }));
    const entry = registry.whereis('server', 'x')!;
    const monitors = [registry.monitor(entry.owner, { tag: 1 }), registry.monitor(entry, { tag: 2 })];
    if (end === 'terminate') await thread.end();
    else await thread.run(({ registry }) => registry.close());
    for (const monitor of monitors) assert.is((await monitor.down).reason, reason);
  }
});

test('a name that is taken back, by whomever', async () => {
  await using registry = await Registry.open();
  await using thread = await Thread.start(registry.handle);
  const owner = registry.owner();
  const name = { kind: 'server', id: 'x' };
  const unregister: (() => unknown)[] = [
    () => registry.unregister('server', 'x'),
    () => thread.run(({ registry }) => registry.unregister('server', 'x')),
  ];
  for (const act of unregister) {
    const registration = registry.register('server', 'x', { owner });
    const monitor = registry.monitor(name, { tag: 'name' });
    const byRegistration = registry.monitor(registration);
    registry.update('server', 'x', { still: 'there' });
    await act();
    // Another registration of the name is not what is monitored.
    registry.register('server', 'x');
    assert.equal(await monitor.down, { tag: 'name', reason: 'unregistered', target: name });
    assert.is((await byRegistration.down).reason, 'unregistered');
    registry.unregister('server', 'x');
  }
  const registration = registry.register('server', 'x', { owner });
  const monitor = registry.monitor(name);
  registration.unregister();
  assert.is((await monitor.down).reason, 'unregistered');
});

test('an owner and a name whose time to live is over', async () => {
  await using registry = await Registry.open({ shards: 1 });
  const told: string[] = [];
  const tell = (what: string, target: MonitorTarget) => {
    void registry.monitor(target).down.then(({ reason }) => told.push(`${what}: ${reason}`));
  };
  const owner = registry.owner({ ttlMs: hour });
  registry.register('server', 'of the owner', { owner });
  const name = registry.register('server', 'name', { ttlMs: hour });
  const early = registry.register('server', 'early', { ttlMs: hour });
  tell('owner', owner);
  tell('its name', { kind: 'server', id: 'of the owner' });
  tell('name', name);
  tell('early', early);
  assert.ok(owner.renew(1) && name.renew(1));
  early.unregister();
  await until('all are told', () => told.length === 4);
  assert.equal(told.toSorted(), ['early: unregistered', 'its name: expired', 'name: expired', 'owner: expired']);

  do {
    registry.unregister('server', 'brief');
    const brief = registry.register('server', 'brief', { ttlMs: 1 });
    told.length = 0;
    tell('brief', brief);
    // Its record is another's before the monitor has a turn.
    untilBlocked('it is over', () => !brief.active);
    registry.register('server', 'brief');
    await until('it is told', () => told.length === 1);
  } while (told[0] === 'brief: already gone'); // the machine was busy
  assert.is(told[0], 'brief: expired');
});

test('what is not there is gone already', async () => {
  await using registry = await Registry.open();
  const owner = registry.owner();
  owner.close();
  assert.is((await registry.monitor(owner, { tag: 'x' }).down).reason, 'already gone');
  assert.is((await registry.monitor({ kind: 'server', id: 'nobody' }).down).reason, 'already gone');
  registry.register('server', 'other');
  assert.is((await registry.monitor({ kind: 'server', id: 'nobody' }).down).reason, 'already gone');
});

test('the next tenant of a slot is another owner', async () => {
  await using registry = await Registry.open({ ownersMax: 1 });
  for (let n = 0; n < 20; n++) {
    const owner = registry.owner();
    const monitor = registry.monitor(owner, { tag: n });
    owner.close();
    const next = registry.owner();
    assert.is(next.slot, owner.slot);
    const onNext = registry.monitor(next, { tag: `next ${n}` });
    assert.equal(await monitor.down, { tag: n, reason: 'closed', target: owner });
    next.close();
    assert.is((await onNext.down).tag, `next ${n}`);
  }
});

test('a monitor that is closed tells nothing', async () => {
  await using registry = await Registry.open();
  const owner = registry.owner();
  const told: string[] = [];
  const abort = new AbortController();
  const closed = registry.monitor(owner, { tag: 'closed' });
  const aborted = registry.monitor(owner, { tag: 'aborted', signal: abort.signal });
  const kept = registry.monitor(owner, { tag: 'kept' });
  for (const { down } of [closed, aborted, kept]) void down.then(({ tag }) => told.push(tag));
  closed.close();
  closed.close();
  abort.abort();
  owner.close();
  await kept.down;
  await new Promise(setImmediate);
  assert.equal(told, ['kept']);
});

test('the end of the registry is told, in every thread', async () => {
  const registry = await Registry.open();
  await using thread = await Thread.start(registry.handle);
  const ready = new Int32Array(new SharedArrayBuffer(4));
  const there = thread.run(({ registry }, ready) => {
    const { down } = registry.monitor(registry.owner());
    Atomics.store(ready, 0, 1);
    return down.then(({ reason }) => reason);
  }, ready);
  await until('it is monitored', () => Atomics.load(ready, 0) === 1);
  const here = registry.monitor(registry.owner());
  await registry.close();
  assert.is((await here.down).reason, 'registry closed');
  assert.is(await there, 'registry closed');
});

test('who detaches a thread ends what that attachment waits for, and nothing else', async () => {
  await using registry = await Registry.open();
  registry.messages.serve(() => new Promise(() => {})).unref();
  registry.register('server', 'x');
  const owner = registry.owner();
  const attached = Registry.attach(registry.handle);
  const monitors = [attached.monitor(owner), attached.monitor(registry.whereis('server', 'x')!)];
  const codes = [
    attached.messages.call('server', 'x', 1),
    attached.awaitName('server', 'nobody'),
    attached.standby('server', 'x'),
  ].map((waiting) => (waiting as Promise<unknown>).catch((error) => error.code));
  const states = attached.watch('server', 'x');
  await states.next();
  const next = states.next();
  const here = registry.monitor(owner);
  await attached.close();
  for (const { down } of monitors) assert.is((await down).reason, 'registry closed');
  assert.equal(await Promise.all(codes), ['CLOSED', 'CLOSED', 'CLOSED']);
  assert.ok((await next).done);
  owner.close();
  assert.is((await here.down).reason, 'closed');
});

test('10,000 monitors of 10,000 owners are each told once', async () => {
  await using registry = await Registry.open();
  const owners = Array.from({ length: 10_000 }, () => registry.owner());
  const told = new Map<number, number>();
  for (const [n, owner] of owners.entries()) {
    void registry.monitor(owner, { tag: n }).down.then(({ tag }) => told.set(tag, (told.get(tag) ?? 0) + 1));
  }
  for (const owner of owners) owner.close();
  await until('all are told', () => told.size === owners.length);
  assert.ok([...told.values()].every((times) => times === 1));
});

test('nonsense is refused', async () => {
  await using registry = await Registry.open();
  for (const target of [
    undefined,
    null,
    {},
    { slot: 1 },
    { slot: -1, epoch: 1 },
    { slot: 1e9, epoch: 1 },
    { kind: 'x' },
  ]) {
    assert.is(
      codeOf(() => registry.monitor(target as never)),
      'INVALID_OPTION',
    );
  }
  assert.is(
    codeOf(() => registry.monitor(registry.owner(), { signal: 1 } as never)),
    'INVALID_OPTION',
  );
  assert.is(
    codeOf(() => registry.monitor(registry.owner(), { label: 'x' } as never)),
    'INVALID_OPTION',
  );
});

test('an entry or a registration that has ended is already gone, also when its name is another’s', async () => {
  await using registry = await Registry.open();
  await using other = Registry.attach(registry.handle);
  const registration = registry.register('kind', 'x');
  const entry = registry.whereis('kind', 'x')!;
  registration.unregister();
  other.register('kind', 'x');
  assert.is((await registry.monitor(entry).down).reason, 'already gone');
  assert.is((await registry.monitor(registration).down).reason, 'already gone');
  const monitor = registry.monitor(registry.whereis('kind', 'x')!);
  other.unregister('kind', 'x');
  assert.is((await monitor.down).reason, 'unregistered');
  const again = registry.register('kind', 'x');
  again.update(1);
  const living = registry.monitor(again);
  again.unregister();
  assert.is((await living.down).reason, 'unregistered');
});

test.run();
