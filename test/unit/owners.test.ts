import { runInThisContext } from 'node:vm';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Owner, Registry, type RegistryError } from '../../src/engine/index.ts';
import { ControlMap, EndReason, Guard, Header, OwnerState, Shard, Takes } from '../../src/shared/layout.ts';
import { limits } from '../../src/shared/limits.ts';
import { lockToken } from '../../src/shared/lock.ts';
import { OwnerTable } from '../../src/shared/owner-table.ts';
import { BareThread, bareTable } from '../support/bare-thread.ts';
import { auditOnceSwept, total } from '../support/bookkeeping.ts';
import { codeOf } from '../support/errors.ts';
import { Thread } from '../support/threads.ts';
import { until, untilBlocked } from '../support/waiting.ts';

const test = suite('owners');

test('the end of an owner ends all its names, and no other', async () => {
  await using registry = await Registry.open();
  const [first, second] = [registry.owner(), registry.owner()];
  for (let n = 0; n < 50; n++) {
    registry.register('session', `first ${n}`, { owner: first });
    registry.register('session', `second ${n}`, { owner: second });
    registry.register('session', `mine ${n}`);
  }
  first.close();
  assert.is(registry.count('session'), 100);
  assert.not.ok(first.alive);
  assert.ok(second.alive);
  for (let n = 0; n < 50; n++) {
    assert.not.ok(registry.has('session', `first ${n}`));
    assert.ok(registry.has('session', `second ${n}`));
    assert.ok(registry.has('session', `mine ${n}`));
  }
  assert.equal(
    [...registry.list('session')].filter(({ id }) => id.startsWith('first')),
    [],
  );
});

test('what a closed owner had is freed at once', async () => {
  await using registry = await Registry.open();
  const session = registry.owner();
  for (let n = 0; n < 50; n++) registry.register('session', `${n}`, { owner: session, config: 'x'.repeat(n * 300) });
  session.close();
  assert.equal(total(registry.partitionStats()), { entries: 0, valueBytes: 0 });
  await auditOnceSwept(registry.handle);
});

test(`what one with over ${limits.ownerTrackedMax} names had is swept`, async () => {
  await using registry = await Registry.open();
  const session = registry.owner();
  for (let n = 0; n < 5_000; n++) registry.register('session', `${n}`, { owner: session, config: n });
  session.close();
  assert.is(registry.count(), 0);
  await until('the sweep', () => total(registry.partitionStats()).entries === 0);
  assert.is(total(registry.partitionStats()).valueBytes, 0);
  await auditOnceSwept(registry.handle);
});

test('closing twice is no error, and using closes', async () => {
  await using registry = await Registry.open();
  {
    using session = registry.owner();
    registry.register('session', 'x', { owner: session });
    session.close();
    session.close();
    registry.register('session', 'x');
  }
  assert.ok(registry.has('session', 'x'));
});

test('a name of a closed owner is free at once, for everyone', async () => {
  await using registry = await Registry.open();
  for (let round = 0; round < 10; round++) {
    const session = registry.owner();
    const registration = registry.register('session', 'x', { owner: session, config: round });
    assert.is(registry.whereis('session', 'x')?.owner.slot, session.slot);
    session.close();
    assert.not.ok(registration.active);
    assert.not.ok(registration.unregister());
    assert.not.ok(registry.unregister('session', 'x'));
    assert.is(
      codeOf(() => registry.update('session', 'x', 1)),
      'NOT_FOUND',
    );
  }
});

test('slots are used again, with another epoch', async () => {
  await using registry = await Registry.open({ ownersMax: 4 });
  const tenancies = new Set<string>();
  const slots = new Set<number>();
  for (let n = 0; n < 100; n++) {
    using session = registry.owner();
    slots.add(session.slot);
    tenancies.add(`${session.slot} ${session.epoch}`);
    registry.register('session', 'x', { owner: session });
  }
  assert.is(tenancies.size, 100);
  assert.ok(slots.size <= 4);
});

test('an old owner is not alive again when its slot is', async () => {
  await using registry = await Registry.open({ ownersMax: 1 });
  const old = registry.owner();
  old.close();
  const next = registry.owner();
  assert.is(next.slot, old.slot);
  assert.not.ok(old.alive);
  assert.ok(next.alive);
  old.close();
  assert.ok(next.alive);
  assert.is(
    codeOf(() => registry.register('session', 'x', { owner: old })),
    'OWNER_DEAD',
  );
});

test('a reader that cached a name of the old owner does not see it under the next of its slot', async () => {
  await using registry = await Registry.open({ ownersMax: 1 });
  for (let n = 0; n < 5; n++) {
    const session = registry.owner();
    registry.register('session', `${n}`, { owner: session });
    const ref = registry.ref('session', `${n}`);
    assert.ok(ref.current());
    session.close();
    using next = registry.owner();
    assert.is(next.slot, session.slot);
    assert.is(ref.current(), undefined);
    assert.is(registry.whereis('session', `${n}`), undefined);
  }
});

test('what an owner takes says nothing of the next in its slot, also when it is said late', () => {
  const { owners } = new BareThread(bareTable());
  const [slot, epoch] = [7, 9];
  owners.setTakes(slot, epoch, Takes.messages | Takes.calls);
  assert.equal(
    [Takes.messages, Takes.calls].map((what) => owners.takes(slot, epoch, what)),
    [true, true],
  );
  owners.setTakes(slot, epoch, Takes.calls);
  assert.equal(
    [Takes.messages, Takes.calls].map((what) => owners.takes(slot, epoch, what)),
    [false, true],
  );
  const next = epoch + OwnerState.step;
  assert.not.ok(owners.takes(slot, next, Takes.calls));
  owners.setTakes(slot, next, Takes.messages);
  owners.setTakes(slot, epoch, Takes.nothing);
  assert.ok(owners.takes(slot, next, Takes.messages));
  assert.not.ok(owners.takes(slot, epoch, Takes.messages));
  owners.setTakes(slot, next, Takes.nothing);
  assert.not.ok(owners.takes(slot, next, Takes.messages | Takes.calls));
});

test('an owner of another registry, or of another attachment, is refused', async () => {
  await using registry = await Registry.open();
  await using other = await Registry.open();
  await using attached = Registry.attach(registry.handle);
  for (const owner of [other.owner(), attached.owner(), {}, 7]) {
    const code = codeOf(() => registry.register('session', 'x', { owner: owner as ReturnType<Registry['owner']> }));
    assert.is(code, 'INVALID_OPTION');
  }
  assert.is(registry.count(), 0);
});

test('owners end with their thread', async () => {
  await using registry = await Registry.open();
  await using thread = await Thread.start(registry.handle);
  await thread.run(({ registry, kept }) => {
    kept.sessions = Array.from({ length: 20 }, () => registry.owner());
    for (const [n, owner] of kept.sessions.entries()) registry.register('session', `${n}`, { owner });
  });
  assert.is(registry.count('session'), 20);
  assert.is(registry.whereis('session', '0')?.owner.threadId, thread.worker.threadId);
  await thread.end();
  assert.is(registry.count('session'), 0);
  await until('the sweep', () => total(registry.partitionStats()).entries === 0);
  await auditOnceSwept(registry.handle);
});

test('owners end with their attachment, also for who has cached their names', async () => {
  await using registry = await Registry.open();
  const attached = Registry.attach(registry.handle);
  const session = attached.owner();
  attached.register('session', 'x', { owner: session });
  const ref = registry.ref('session', 'x');
  assert.ok(ref.current() && registry.whereis('session', 'x') && session.alive);
  const closing = attached.close();
  // Nobody had a turn yet to mark the owner itself: its thread's end is what counts.
  assert.is(ref.current(), undefined);
  assert.is(registry.whereis('session', 'x'), undefined);
  assert.not.ok(registry.has('session', 'x'));
  assert.not.ok(session.alive);
  await closing;
});

test('an owner whose time is over before its maker has it in hand is not the next one in its row', async () => {
  await using registry = await Registry.open({ ownersMax: 1 });
  await using other = Registry.attach(registry.handle);
  const { claimOwner } = OwnerTable.prototype;
  let theirs: Owner | undefined;
  OwnerTable.prototype.claimOwner = function (...claim) {
    OwnerTable.prototype.claimOwner = claimOwner;
    const slot = this.claimOwner(...claim);
    // Its time passes, and another thread sweeps it and makes its own owner.
    untilBlocked('there is room', () => {
      try {
        theirs = other.owner();
      } catch (error) {
        if ((error as RegistryError).code !== 'OWNERS_FULL') throw error;
      }
      return theirs !== undefined;
    });
    return slot;
  };
  const mine = registry.owner({ ttlMs: 1 });
  assert.is(mine.slot, theirs?.slot);
  assert.is.not(mine.epoch, theirs?.epoch);
  mine.close();
  assert.ok(theirs?.alive);
});

test('what a closed owner had is swept also when a time-out cuts the close', async () => {
  await using registry = await Registry.open({ shards: 1 });
  const session = registry.owner();
  for (let n = 0; n < 50; n++) registry.register('session', `${n}`, { owner: session });
  // The lock is held by a thread that lives, so the close waits in the middle.
  await using holder = await Thread.start(registry.handle);
  await holder.run(({ registry }) => void registry.register('session', 'of the holder'));
  const { slot, epoch } = registry.whereis('session', 'of the holder')!.owner;
  const control = new Int32Array(registry.handle.control);
  const map = new ControlMap(1, control[Header.threadsMax], control[Header.ownersMax]);
  const lockAt = map.shard(0) + Shard.guard + Guard.lock;
  Atomics.store(control, lockAt, lockToken(slot, epoch));
  Object.assign(globalThis, { close: () => session.close() });
  assert.throws(() => runInThisContext('close()', { timeout: 20 }), /timed out/);
  Atomics.store(control, lockAt, 0);
  assert.not.ok(session.alive);
  await until('the sweep', () => total(registry.partitionStats()).entries === 1);
  await auditOnceSwept(registry.handle);
});

test('10,000 owners at once, closed in any order', async () => {
  await using registry = await Registry.open();
  const sessions = Array.from({ length: 10_000 }, () => registry.owner());
  for (const [n, owner] of sessions.entries()) registry.register('session', `${n}`, { owner });
  for (let n = 0; n < sessions.length; n++) sessions[(n * 7_919) % sessions.length].close();
  assert.equal(total(registry.partitionStats()), { entries: 0, valueBytes: 0 });
});

test('closing an owner asks nothing of the event loop', async () => {
  await using registry = await Registry.open();
  const resources = () => process.getActiveResourcesInfo().sort();
  const before = resources();
  for (let n = 0; n < 1_000; n++) registry.owner().close();
  // Cut off inside `setImmediate`, a `vm` time-out would leave the loop spinning for ever.
  assert.equal(resources(), before);
});

test('why an owner ended stays as it was told, whoever comes later', () => {
  const { slot: thread, epoch: threadEpoch, owners, ownerTable } = new BareThread(bareTable({}));
  const slot = ownerTable.claimOwner(thread, threadEpoch);
  for (const reason of [EndReason.exited, EndReason.closed, EndReason.expired]) {
    const epoch = owners.epoch(slot);
    assert.is(owners.endReason(slot, epoch), EndReason.none);
    assert.ok(owners.kill(slot, epoch, reason));
    for (const late of Object.values(EndReason)) {
      assert.not.ok(owners.kill(slot, epoch, late));
      assert.is(owners.endReason(slot, epoch), reason, 'a second ender changes nothing');
    }
    ownerTable.reclaim(slot, epoch + 1);
    assert.is(ownerTable.claimOwner(thread, threadEpoch), slot);
    const next = owners.epoch(slot);
    assert.not.ok(owners.kill(slot, epoch, EndReason.expired), 'a late notice');
    assert.is(owners.endReason(slot, next), EndReason.none);
    assert.ok(owners.kill(slot, next, EndReason.closed));
    owners.kill(slot, epoch, EndReason.expired);
    assert.is(owners.endReason(slot, next), EndReason.closed, 'a late notice about the tenant before');
    ownerTable.reclaim(slot, next + 1);
    assert.is(ownerTable.claimOwner(thread, threadEpoch), slot);
  }
});

test.run();
