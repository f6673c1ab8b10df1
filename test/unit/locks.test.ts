import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Registry, type RegistryError } from '../../src/engine/index.ts';
import { ControlMap, Guard, Header, OwnerState, Shard } from '../../src/shared/layout.ts';
import { lockToken } from '../../src/shared/lock.ts';
import { BareThread, bareTable } from '../support/bare-thread.ts';
import { auditOnceSwept } from '../support/bookkeeping.ts';
import { codeOf, refusal } from '../support/errors.ts';
import { Thread } from '../support/threads.ts';
import { untilBlocked } from '../support/waiting.ts';

const test = suite('locks');

/** The lock word of a registry's only shard. */
function lockOf({ handle }: Registry): { words: Int32Array; at: number } {
  const words = new Int32Array(handle.control);
  const map = new ControlMap(words[Header.shards], words[Header.threadsMax], words[Header.ownersMax]);
  return { words, at: map.shard(0) + Shard.guard + Guard.lock };
}

/** As if the thread that owns `name` had been stopped inside the registry. */
function holdLockAs(registry: Registry, name: string): void {
  const { slot, epoch } = registry.whereis('kind', name)!.owner;
  const { words, at } = lockOf(registry);
  assert.is(Atomics.compareExchange(words, at, 0, lockToken(slot, epoch)), 0);
}

/** However long the machine lets the other thread wait that is to give the lock back. */
function registerInTheEnd(registry: Registry, id: string): void {
  untilBlocked('the lock comes back', () => {
    try {
      registry.register('kind', id);
      return true;
    } catch (error) {
      const { code } = error as RegistryError; // or refused, as the only shard is alarmed
      if (code !== 'BUSY' && code !== 'ADMISSION_REFUSED') throw error;
      return false;
    }
  });
}

test('BUSY: a lock that a stopped thread holds is waited for, then refused; reads go on', async () => {
  await using registry = await Registry.open({ shards: 1 });
  await using thread = await Thread.start(registry.handle);
  await thread.run(({ registry }) => void registry.register('kind', 'theirs', { config: 1 }));
  const stop = new Int32Array(new SharedArrayBuffer(4));
  thread.send((_, stop) => void Atomics.wait(stop, 0, 0), stop);
  holdLockAs(registry, 'theirs');
  const { code, message } = refusal(() => registry.register('kind', 'mine'));
  assert.is(code, 'BUSY');
  assert.match(message, `held by thread ${thread.worker.threadId}`);
  assert.is(registry.whereis('kind', 'theirs')?.config, 1);
  assert.not.ok(registry.has('kind', 'mine'));
  assert.is(registry.count(), 1);
  Atomics.store(stop, 0, 1);
  Atomics.notify(stop, 0);
  // Back in its event loop the thread is asked for the lock, which it does not know it holds.
  registerInTheEnd(registry, 'mine');
  await auditOnceSwept(registry.handle);
});

test('a lock that a living thread has abandoned comes back', async () => {
  await using registry = await Registry.open({ shards: 1 });
  await using thread = await Thread.start(registry.handle);
  await thread.run(({ registry }) => void registry.register('kind', 'theirs'));
  holdLockAs(registry, 'theirs');
  registerInTheEnd(registry, 'mine');
  assert.ok(registry.has('kind', 'theirs'));
  await auditOnceSwept(registry.handle);
});

test('a lock that this thread has abandoned is its own: it takes it back at once', async () => {
  await using registry = await Registry.open({ shards: 1 });
  registry.register('kind', 'mine');
  holdLockAs(registry, 'mine');
  registry.register('kind', 'another');
  await using attached = Registry.attach(registry.handle);
  holdLockAs(registry, 'mine');
  attached.register('kind', 'a third');
  assert.is(registry.count(), 3);
  assert.ok(registry.partitionStats()[0].lockSteals >= 2);
  await auditOnceSwept(registry.handle);
});

test('a lock whose holder has died is taken over', async () => {
  await using registry = await Registry.open({ shards: 1 });
  const thread = await Thread.start(registry.handle);
  await thread.run(({ registry }) => void registry.register('kind', 'theirs'));
  holdLockAs(registry, 'theirs');
  await thread.end();
  registry.register('kind', 'mine');
  assert.not.ok(registry.has('kind', 'theirs'));
  assert.is(registry.partitionStats()[0].lockSteals, 1);
});

test('who has lost a lock cannot free it for the one who took it', () => {
  const buffers = bareTable();
  const [first, second] = [new BareThread(buffers), new BareThread(buffers)];
  assert.ok(first.shard.lock.tryAcquire());
  assert.not.ok(second.shard.lock.tryAcquire());
  assert.ok(second.shard.lock.takeFrom(first.slot, first.epoch));
  assert.throws(() => first.shard.lock.release(), 'a lock is released by its holder');
  assert.not.ok(first.shard.lock.tryAcquire());
  second.shard.lock.release();
  assert.ok(first.shard.lock.tryAcquire());
  first.shard.lock.release();
});

test('a lock is taken from its holder of that time only', () => {
  const buffers = bareTable();
  const [first, second] = [new BareThread(buffers), new BareThread(buffers)];
  assert.not.ok(second.shard.lock.takeFrom(first.slot, first.epoch));
  first.shard.lock.tryAcquire();
  assert.not.ok(second.shard.lock.takeFrom(first.slot, first.epoch + OwnerState.step));
  assert.ok(second.shard.lock.takeFrom(first.slot, first.epoch));
  second.shard.lock.release();
});

test('who sleeps for a lock is woken when it is given back', async () => {
  await using registry = await Registry.open({ shards: 1 });
  registry.register('kind', 'mine');
  holdLockAs(registry, 'mine');
  const { words, at } = lockOf(registry);
  const word = Atomics.compareExchange(words, at, words[at], words[at] | 1); // as a sleeper marks it
  const woken = Atomics.waitAsync(words, at, word | 1, 60_000);
  registry.register('kind', 'another'); // takes back its own abandoned lock, and gives it back
  assert.is(await woken.value, 'ok');
});

test('CORRUPT: memory that no writer of ours leaves is told apart from a missing name', async () => {
  await using registry = await Registry.open({ shards: 1 });
  registry.register('kind', 'x');
  const words = new Int32Array(registry.handle.control);
  const map = new ControlMap(words[Header.shards], words[Header.threadsMax], words[Header.ownersMax]);
  const descriptorAt = map.shard(0) + Shard.descriptor;
  const descriptor = words[descriptorAt];
  words[descriptorAt] = 0;
  assert.is(
    codeOf(() => registry.whereis('kind', 'x')),
    'CORRUPT',
  );
  assert.is(
    codeOf(() => registry.has('kind', 'y')),
    'CORRUPT',
  );
  words[descriptorAt] = descriptor;
  assert.ok(registry.has('kind', 'x'));
});

test.run();
