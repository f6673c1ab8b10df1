// @timeout 180
import { setImmediate as turn } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Registry } from '../../src/engine/index.ts';
import { auditEmptyOnceSwept, auditOnceSwept } from '../support/bookkeeping.ts';
import { codeOf } from '../support/errors.ts';
import { Thread } from '../support/threads.ts';

/* Attachments come and go, many more than there are slots: each gets a slot of its own and leaves nothing behind. */
const test = suite('attaching');

test('1,000 times in one thread', async () => {
  await using registry = await Registry.open({ threadsMax: 16 });
  const slots = new Set<number>();
  for (let n = 0; n < 1_000; n++) {
    const attached = Registry.attach(registry.handle);
    attached.register('kind', `${n}`, { config: 'x'.repeat(n) });
    slots.add(registry.whereis('kind', `${n}`)!.owner.slot);
    await attached.close();
    assert.not.ok(registry.has('kind', `${n}`));
    await turn();
  }
  assert.ok(slots.size > 1 && slots.size <= 15, `${slots.size} slots`);
  await auditEmptyOnceSwept(registry, ['kind']);
});

test('2,000 times in one thread without a turn of its event loop', async () => {
  await using registry = await Registry.open({ threadsMax: 16 });
  for (let n = 0; n < 2_000; n++) {
    const attached = attachAtLast(registry);
    attached.register('kind', 'x', { config: n });
    attached.register('kind', 'of an owner', { owner: attached.owner() });
    void attached.close();
  }
  await auditEmptyOnceSwept(registry, ['kind']);
});

test('1,000 times in each of two other threads at once', async () => {
  await using registry = await Registry.open({ threadsMax: 16 });
  await using one = await Thread.start();
  await using other = await Thread.start();
  const counts = [one, other].map((thread) =>
    thread.run(async ({ Registry }, handle) => {
      let count = 0;
      for (let n = 0; n < 1_000; n++) {
        const attached = Registry.attach(handle);
        attached.register('kind', `${n} of ${attached.owner().slot}`);
        count++;
        await attached.close();
        await new Promise(setImmediate);
      }
      return count;
    }, registry.handle),
  );
  assert.equal(await Promise.all(counts), [1_000, 1_000]);
  await auditEmptyOnceSwept(registry, ['kind']);
});

test('100 threads that attach and are ended', async () => {
  await using registry = await Registry.open({ threadsMax: 16 });
  for (let n = 0; n < 25; n++) {
    const threads = await Promise.all(Array.from({ length: 4 }, () => Thread.start(registry.handle)));
    await Promise.all(
      threads.map((thread, m) => thread.run(({ registry }, m) => void registry.register('kind', `${m}`), m)),
    );
    assert.is(registry.count(), 4);
    await Promise.all(threads.map((thread) => thread.end()));
    assert.is(registry.count(), 0);
  }
  await auditEmptyOnceSwept(registry, ['kind']);
});

test('as many at once as there are slots, in one thread', async () => {
  await using registry = await Registry.open({ threadsMax: 16 });
  for (let round = 0; round < 5; round++) {
    const attached: Registry[] = [];
    while (attached.length < 15) attached.push(await attachWhenFree(registry));
    for (const [n, each] of attached.entries()) each.register('kind', `${n}`);
    assert.is(registry.count(), 15);
    assert.is(
      codeOf(() => Registry.attach(registry.handle)),
      'THREADS_FULL',
    );
    await Promise.all(attached.map((each) => each.close()));
  }
  assert.is(registry.count(), 0);
});

test('objects of an attachment that is gone do not disturb the next one in its slot', async () => {
  await using registry = await Registry.open({ shards: 1, threadsMax: 2 });
  const stop = new Int32Array(new SharedArrayBuffer(4));
  await using old = await Thread.start();
  const oldSlot = await old.run(async ({ Registry, kept }, handle) => {
    const registry = Registry.attach(handle);
    kept.registrations = Array.from({ length: 50 }, (_, n) => registry.register('kind', `old ${n}`));
    kept.owner = registry.owner();
    const slot = registry.whereis('kind', 'old 0')?.owner.slot;
    await registry.close();
    return slot;
  }, registry.handle);
  await using next = await Thread.start(registry.handle);
  const ended = old.run(({ kept }, stop) => {
    let calls = 0;
    kept.owner.close();
    while (Atomics.load(stop, 0) === 0) {
      for (const registration of kept.registrations) {
        if (registration.unregister() || registration.active) throw new Error('an old registration lives');
        calls++;
      }
    }
    return calls;
  }, stop);
  ended.catch(() => {}); // awaited below
  const [nextSlot, done] = await next.run(({ registry }) => {
    let done = 0;
    for (let n = 0; n < 200_000; n++) {
      const registration = registry.register('kind', `${n % 100}`);
      if (registration.unregister()) done++;
    }
    registry.register('kind', 'last');
    return [registry.whereis('kind', 'last')?.owner.slot, done];
  });
  Atomics.store(stop, 0, 1);
  assert.is(nextSlot, oldSlot);
  assert.is(done, 200_000);
  assert.ok((await ended) > 0);
  assert.is(registry.partitionStats()[0].lockSteals, 0, 'nobody took a lock from the living');
  await auditOnceSwept(registry.handle);
});

/** The same without a turn of the event loop. A try takes a second. */
function attachAtLast(registry: Registry): Registry {
  for (let tries = 0; ; tries++) {
    try {
      return Registry.attach(registry.handle);
    } catch (error) {
      if ((error as { code?: string }).code !== 'THREADS_FULL' || tries === 20) throw error;
    }
  }
}

/** A slot that was left is free when the coordinator has heard of it and has swept. */
async function attachWhenFree(registry: Registry): Promise<Registry> {
  for (let tries = 0; ; tries++) {
    try {
      return Registry.attach(registry.handle);
    } catch (error) {
      if ((error as { code?: string }).code !== 'THREADS_FULL' || tries === 50) throw error;
      await turn();
    }
  }
}

test.run();
