// @timeout 180
import { createContext, Script } from 'node:vm';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Registry } from '../../src/engine/index.ts';
import { ControlMap, Guard, Header, OwnerState, Shard } from '../../src/shared/layout.ts';
import { lockToken } from '../../src/shared/lock.ts';
import { Table } from '../../src/shared/table.ts';
import { auditEmptyOnceSwept, total } from '../support/bookkeeping.ts';
import { codeOf } from '../support/errors.ts';
import { Thread } from '../support/threads.ts';
import { until } from '../support/waiting.ts';

/*
 * Calls that are cut off in this thread, which lives on: by a full stack, by `vm` time-outs (these skip `finally`), by
 * BUSY. What they had begun is finished, undone, or taken back later.
 */
const test = suite('cuts');

test('a stack that is full in the middle of any write harms no shard', async () => {
  await using registry = await Registry.open({ shards: 1, alarmedPercentMax: 100 });
  registry.register('kind', 'x', { config: 1 });
  const writes = [
    () => registry.update('kind', 'x', 'another'),
    () => registry.registerOrUpdate('kind', 'y', { config: 'z'.repeat(300) }),
    () => registry.unregister('kind', 'y'),
    () => registry.owner().close(),
  ];
  const at = (depth: number, write: () => unknown): unknown => (depth === 0 ? write() : at(depth - 1, write));
  let overflows = 0;
  for (const write of writes) {
    // Where the stack is full in the middle is found by halves, again and again: code that gets optimised needs less.
    for (let round = 0; round < 10; round++) {
      let [fits, overflowsAt] = [10, 50_000];
      while (overflowsAt - fits > 1) {
        const depth = (fits + overflowsAt) >> 1;
        try {
          at(depth, write);
          fits = depth;
        } catch (error) {
          assert.instance(error, RangeError);
          overflowsAt = depth;
          overflows++;
        }
      }
    }
    registry.update('kind', 'x', 'still works');
  }
  assert.ok(overflows > 100);
  await auditEmptyOnceSwept(registry, ['kind']);
});

/** Runs code in time-outs of a millisecond until so many have cut it off. */
async function cutOff(times: number, code: string, globals: object, after: () => void): Promise<void> {
  const context = createContext(globals);
  const script = new Script(code);
  for (let cuts = 0; cuts < times; ) {
    try {
      script.runInContext(context, { timeout: 1 });
    } catch (error) {
      if ((error as { code?: string }).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
      cuts++;
    }
    after();
    if (cuts % 4 === 0) await new Promise(setImmediate);
  }
}

test('owners whose opening is cut off are given back', async () => {
  const ownersMax = 20;
  await using registry = await Registry.open({ shards: 1, ownersMax });
  const globals: { registry: Registry; last?: { close(): void } } = { registry };
  await cutOff(600, 'for (;;) { last = registry.owner(); last.close(); last = undefined }', globals, () => {
    globals.last?.close();
  });
  // Another owner is opened: by then the last cut is known too.
  registry.owner().close();
  let opened = 0;
  await until('every row can be had', () => {
    try {
      registry.owner();
      opened++;
    } catch (error) {
      if ((error as { code?: string }).code !== 'OWNERS_FULL') throw error;
    }
    return opened === ownersMax;
  });
});

test('names of owners that are closed after a cut are freed', async () => {
  await using registry = await Registry.open({ shards: 1, alarmedPercentMax: 100 });
  const globals = { registry, owner: registry.owner(), n: 0 };
  const code = 'for (;;) registry.register("kind", String(n++ % 500), { owner, config: n }).unregister()';
  await cutOff(600, code, globals, () => {
    globals.owner.close();
    globals.owner = registry.owner();
  });
  globals.owner.close();
  assert.is(registry.count(), 0);
  await until('they are swept', () => total(registry.partitionStats()).entries === 0);
  await auditEmptyOnceSwept(registry, ['kind']);
});

test('an unregistration that ends in BUSY leaves the signal and the owner as they were', async () => {
  await using registry = await Registry.open({ shards: 1, alarmedPercentMax: 100 });
  await using other = await Thread.start(registry.handle);
  await other.run(({ registry }) => void registry.register('kind', 'other'));
  const { slot, epoch } = registry.whereis('kind', 'other')!.owner;
  const abort = new AbortController();
  const owner = registry.owner();
  const registration = registry.register('kind', 'x', { owner, signal: abort.signal });
  const control = new Int32Array(registry.handle.control);
  const map = new ControlMap(1, control[Header.threadsMax], control[Header.ownersMax]);
  const lockAt = map.shard(0) + Shard.guard + Guard.lock;
  Atomics.store(control, lockAt, lockToken(slot, epoch));
  // Its holder is stopped, so that it cannot be asked for it.
  other.send((_, control) => void Atomics.wait(control, 0, 0), new Int32Array(new SharedArrayBuffer(4)));
  assert.is(
    codeOf(() => registration.unregister()),
    'BUSY',
  );
  assert.ok(registration.active);
  Atomics.store(control, lockAt, 0);
  abort.abort();
  assert.not.ok(registration.active);
  owner.close();
  await other.end();
  await auditEmptyOnceSwept(registry, ['kind']);
});

test('a death that is told when the row is dead, free, or another tenant’s changes nothing', async () => {
  await using registry = await Registry.open({ shards: 1, alarmedPercentMax: 100 });
  const first = new Table(registry.handle);
  const { slot, epoch } = first;
  const { owners } = first;
  assert.ok(owners.kill(slot, epoch));
  for (const told of [epoch, epoch + 1]) assert.not.ok(owners.kill(slot, told), 'a dead row dies no more');
  assert.is(owners.epoch(slot) & OwnerState.mask, OwnerState.dead);
  registry.owner().close();
  first.requestSweep();
  await until('the row is free', () => (owners.epoch(slot) & OwnerState.mask) === OwnerState.free);
  const free = owners.epoch(slot);
  assert.not.ok(owners.kill(slot, free), 'a free row does not come alive');
  assert.is(owners.epoch(slot), free);
});

test('a thread whose row gets its next tenant while its end is told does not take that one along', async () => {
  await using registry = await Registry.open({ shards: 1, alarmedPercentMax: 100 });
  const teller = new Table(registry.handle);
  const victim = new Table(registry.handle);
  const { owners } = teller;
  let next: Table | undefined;
  const threadIdOf = owners.threadIdOf.bind(owners);
  owners.threadIdOf = (slot) => {
    const threadId = slot === victim.slot ? 77 : threadIdOf(slot);
    if (slot !== victim.slot || next !== undefined) return threadId;
    // In this very moment the coordinator buries the thread and frees its row, and another attaches.
    owners.kill(slot, victim.epoch);
    teller.ownerTable.reclaim(slot, victim.epoch + 1);
    next = new Table(registry.handle);
    return threadId;
  };
  teller.endThread(77);
  assert.is(next?.slot, victim.slot);
  assert.ok(next && owners.alive(next.slot, next.epoch), 'the next tenant lives');
  next.detach();
  teller.detach();
});

test.run();
