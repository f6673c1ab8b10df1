// @timeout 180
import { once } from 'node:events';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Registry, type RegistryHandle } from '../../src/engine/index.ts';
import { auditEmptyOnceSwept, total } from '../support/bookkeeping.ts';
import { type Remote, Thread } from '../support/threads.ts';
import { until, untilBlocked } from '../support/waiting.ts';

/*
 * However a thread ends, its names stop resolving in every other thread, and in the end their memory is free. The
 * others need nothing for that: not the main thread's event loop, not the thread that opened the registry.
 */
const test = suite('deaths');

/** Registers a few names, some of them for an owner of their own. */
async function settle(thread: Thread, kind: string): Promise<void> {
  await thread.run(({ registry, kept }, kind) => {
    kept.owner = registry.owner();
    for (let n = 0; n < 20; n++) registry.register(kind, `${n}`, { config: n, owner: n % 2 ? kept.owner : undefined });
  }, kind);
}

const ends: Record<string, (remote: Remote) => unknown> = {
  'process.exit': () => process.exit(3),
  'an uncaught error': () => void setImmediate(() => JSON.parse('not JSON')),
  'an unhandled rejection': () => void Promise.reject(new Error('unhandled')),
  'the end of its work': () => void process.getBuiltinModule('worker_threads').parentPort?.close(),
  'terminate in its event loop': () => {},
  'terminate in an endless loop': () => {
    for (;;);
  },
  'terminate while it sleeps': () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0),
};

for (const [end, act] of Object.entries(ends)) {
  test(`a thread ends by ${end}`, async () => {
    await using registry = await Registry.open();
    await using observer = await Thread.start(registry.handle);
    await using thread = await Thread.start(registry.handle);
    await settle(thread, 'mortal');
    await settle(observer, 'living');
    const ref = registry.ref('mortal', '3');
    assert.ok(ref.current());
    thread.send(act);
    if (end.startsWith('terminate')) await thread.worker.terminate();
    else await thread.exit;
    assert.is(ref.current(), undefined);
    assert.is(registry.count('mortal'), 0);
    assert.equal([...registry.list('mortal')], []);
    const seen = await observer.run(({ registry }) => [registry.count('mortal'), registry.has('mortal', '4')]);
    assert.equal(seen, [0, false]);
    assert.is(registry.count('living'), 20);
    registry.register('mortal', '3');
    await observer.end();
    await auditEmptyOnceSwept(registry, ['mortal', 'living']);
  });
}

test('a thread that ends before its first turn of the event loop leaves nothing', async () => {
  await using registry = await Registry.open();
  for (let n = 0; n < 20; n++) {
    const thread = Thread.launch(registry.handle);
    thread.send(({ registry }) => {
      registry.register('mortal', 'x');
      process.exit();
    });
    await thread.exit;
    assert.not.ok(registry.has('mortal', 'x'));
  }
  await auditEmptyOnceSwept(registry, ['mortal']);
});

test('a thread that is ended while it starts and attaches leaves nothing', async () => {
  await using registry = await Registry.open({ threadsMax: 16 });
  for (let n = 0; n < 60; n++) {
    const thread = Thread.launch(registry.handle);
    if (n % 3 > 0) await once(thread.worker, 'online');
    for (let turn = 0; turn < (n % 7) * 3; turn++) await new Promise(setImmediate);
    await thread.end();
  }
  await using thread = await Thread.start(registry.handle);
  await settle(thread, 'living');
  assert.is(registry.count(), 20);
});

/** Runs in the observer: says in shared words when `mortal 0` is there and when it is gone. */
function observe({ registry }: Remote, words: Int32Array): void {
  while (!registry.has('mortal', '0'));
  Atomics.store(words, 0, 1);
  const ref = registry.ref('mortal', '0');
  while (ref.current() || registry.has('mortal', '1') || registry.whereis('mortal', '2'));
  Atomics.store(words, 0, 2);
}

test('a death is noticed while the main thread is blocked', async () => {
  await using registry = await Registry.open();
  await using observer = await Thread.start(registry.handle);
  await using thread = await Thread.start(registry.handle);
  const words = new Int32Array(new SharedArrayBuffer(4));
  observer.send(observe, words);
  await settle(thread, 'mortal');
  await until('the observer sees the name', () => words[0] === 1);
  thread.send(() => process.exit());
  untilBlocked('the observer sees the name go', () => Atomics.load(words, 0) === 2);
  assert.not.ok(registry.has('mortal', '0'));
});

test('a registry that a worker opened serves the others, and outlives its opener', async () => {
  // This thread does not attach: what is noticed is noticed by the coordinator alone. And all slots are taken.
  const opener = await Thread.start();
  const handle: RegistryHandle = await opener.run(async (remote) => {
    remote.registry = await remote.Registry.open({ shards: 2, threadsMax: 3 });
    return remote.registry.handle;
  });
  await using observer = await Thread.start(handle);
  const mortal = await Thread.start(handle);
  await settle(opener, 'opener');
  await settle(mortal, 'mortal');
  await settle(observer, 'living');

  await opener.end(); // and the coordinator with it, which is its child
  await untilRemote(observer, 'opener', 0);
  assert.is(await countIn(observer, 'mortal'), 20);
  assert.is(await countIn(observer, 'living'), 20);

  await mortal.end();
  await untilRemote(observer, 'mortal', 0);
  await observer.run(({ registry }) => {
    for (let n = 0; n < 20; n++) registry.update('living', `${n}`, 'still mine');
  });
  assert.is(await countIn(observer, 'living'), 20);

  // The new coordinator sweeps, too.
  const registry = Registry.attach(handle);
  await until('the sweep', () => total(registry.partitionStats()).entries === 20);
  await registry.close();
});

test('one coordinator after the other ends, and each time a death is noticed', async () => {
  const first = await Thread.start();
  const handle: RegistryHandle = await first.run(async (remote) => {
    remote.registry = await remote.Registry.open({ shards: 1 });
    return remote.registry.handle;
  });
  await using observer = await Thread.start(handle);
  let parent = first;
  for (let round = 0; round < 3; round++) {
    // Whoever lives may have started the coordinator: new threads come before the old ones go.
    const next = await Thread.start(handle);
    const mortal = await Thread.start(handle);
    await settle(mortal, `mortal ${round}`);
    await parent.end();
    await mortal.end();
    await untilRemote(observer, `mortal ${round}`, 0);
    parent = next;
  }
  await parent.end();
  await settle(observer, 'living');
  assert.is(await countIn(observer, 'living'), 20);
});

test('threads that attach while there is no coordinator are watched by the next', async () => {
  const opener = await Thread.start();
  const handle: RegistryHandle = await opener.run(async (remote) => {
    remote.registry = await remote.Registry.open({ shards: 1 });
    return remote.registry.handle;
  });
  await using observer = await Thread.start(handle);
  await opener.end();
  const late = await Promise.all(Array.from({ length: 4 }, () => Thread.start(handle)));
  for (const [n, thread] of late.entries()) await settle(thread, `late ${n}`);
  await late[0].end();
  await late[1].end();
  await untilRemote(observer, 'late 0', 0);
  await untilRemote(observer, 'late 1', 0);
  assert.is(await countIn(observer, 'late 2'), 20);
  assert.is(await countIn(observer, 'late 3'), 20);
  for (const thread of late) await thread.end();
});

function countIn(thread: Thread, kind: string): Promise<number> {
  return thread.run(({ registry }, kind) => registry.count(kind), kind);
}

async function untilRemote(thread: Thread, kind: string, count: number): Promise<void> {
  const started = performance.now();
  while ((await countIn(thread, kind)) !== count) {
    if (performance.now() - started > 60_000)
      throw new Error(`60 s, and ${await countIn(thread, kind)} ${kind} are left`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test.run();
