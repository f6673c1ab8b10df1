// @timeout 240
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { RegistryHandle, RegistryOptions } from '../../src/engine/index.ts';
import { Control, ControlMap, Header } from '../../src/shared/layout.ts';
import { CoordinatorMessage, coordinatorAddress } from '../../src/workers/coordinator-wire.ts';
import { workerUrl } from '../../src/workers/worker-url.ts';
import { Thread } from '../support/threads.ts';

/*
 * The coordinator alone notices the deaths here: this thread is not attached, and the threads are not each other's
 * parents. It is killed, doubled, crowded, and locked out, and each death is noticed all the same.
 */
const test = suite('coordinator');

/** Opens a registry in a thread of its own, which remembers the coordinators that it starts. */
async function open(options: RegistryOptions): Promise<[opener: Thread, handle: RegistryHandle]> {
  const opener = await Thread.start();
  await remember(opener);
  const handle: RegistryHandle = await opener.run(async (remote, options) => {
    remote.registry = await remote.Registry.open(options);
    return remote.registry.handle;
  }, options);
  return [opener, handle];
}

async function remember(thread: Thread): Promise<void> {
  await thread.run(({ kept }) => {
    kept.coordinators = [];
    process.on('worker', (worker) => kept.coordinators.push(worker));
  });
}

async function attach(handle: RegistryHandle): Promise<Thread> {
  const thread = await Thread.start(handle);
  await remember(thread);
  return thread;
}

const killCoordinators = (threads: readonly Thread[]) =>
  Promise.all(
    threads.map((thread) =>
      thread.run(async ({ kept }) => {
        for (const worker of kept.coordinators.splice(0)) await worker.terminate();
      }),
    ),
  );

/** A thread registers, ends, and the observer finds its names gone. */
async function deathIsNoticed(handle: RegistryHandle, observer: Thread, kind: string): Promise<void> {
  const mortal = await Thread.start(handle);
  await mortal.run(({ registry }, kind) => {
    for (let n = 0; n < 5; n++) registry.register(kind, `${n}`);
  }, kind);
  assert.is(await countIn(observer, kind), 5);
  await mortal.end();
  const started = performance.now();
  while ((await countIn(observer, kind)) !== 0) {
    if (performance.now() - started > 60_000) throw new Error(`60 s, and the names of ${kind} are there`);
    await sleep(5);
  }
}

const countIn = (thread: Thread, kind: string): Promise<number> =>
  thread.run(({ registry }, kind) => registry.count(kind), kind);

const startsOf = (handle: RegistryHandle): number => new Int32Array(handle.control)[Header.coordinatorGeneration];

test('it is killed again and again, with many threads attached', async () => {
  const [opener, handle] = await open({ shards: 2 });
  const threads = [opener, ...(await Promise.all(Array.from({ length: 6 }, () => attach(handle))))];
  for (let round = 0; round < 4; round++) {
    await killCoordinators(threads);
    await deathIsNoticed(handle, threads[1], `mortal ${round}`);
  }
  console.log(`  4 kills, ${startsOf(handle) - 1} starts by 7 threads`);
  for (const thread of threads) await thread.end();
});

test('a second one finds the address taken, and leaves the first in peace', async () => {
  const [opener, handle] = await open({ shards: 2 });
  await using observer = await attach(handle);
  const second = new Worker(workerUrl('coordinator'), { workerData: handle });
  let listened = false;
  second.on('message', (message) => {
    listened = message !== CoordinatorMessage.superfluous;
  });
  const [code] = await once(second, 'exit');
  assert.is(code, 0);
  assert.not.ok(listened);
  await deathIsNoticed(handle, observer, 'mortal');
  await opener.end();
});

test('strangers crowd its socket, and deaths are noticed', async () => {
  const [opener, handle] = await open({ shards: 2 });
  await using observer = await attach(handle);
  const strangers: Socket[] = [];
  for (let n = 0; n < 200; n++) {
    const stranger = connect(coordinatorAddress(handle));
    stranger.on('error', () => {});
    if (n % 2) stranger.write(Buffer.alloc(n % 16, 1));
    else if (n % 5 === 0) stranger.write(Buffer.alloc(64, 7));
    strangers.push(stranger);
  }
  const starts = startsOf(handle);
  for (let n = 0; n < 3; n++) await deathIsNoticed(handle, observer, `mortal ${n}`);
  assert.is(startsOf(handle), starts, 'nobody took a hang-up for its end');
  for (const stranger of strangers) stranger.destroy();
  await opener.end();
});

test('it is killed again and again while threads write, and no write is lost', async () => {
  const [opener, handle] = await open({ shards: 2 });
  const writers = await Promise.all(Array.from({ length: 2 }, () => attach(handle)));
  const threads = [opener, ...writers];
  for (const [n, writer] of writers.entries()) {
    await writer.run(({ registry, kept }, n) => {
      kept.names = new Map<string, number>();
      kept.writes = 0;
      kept.failures = [];
      kept.writing = setInterval(() => {
        try {
          const m = kept.writes++;
          const id = `${n}.${m % 100}`;
          using session = registry.owner();
          registry.register('session', id, { owner: session });
          registry.registerOrUpdate('kind', id, { config: m });
          kept.names.set(id, m);
        } catch (error) {
          kept.failures.push(String(error));
        }
      }, 0);
    }, n);
  }
  for (let round = 0; round < 5; round++) {
    await killCoordinators(threads);
    await deathIsNoticed(handle, opener, `mortal ${round}`);
  }
  for (const writer of writers) {
    const failures = await writer.run(({ registry, kept }) => {
      clearInterval(kept.writing);
      for (const [id, m] of kept.names) {
        const config = registry.whereis('kind', id)?.config;
        if (config !== m) kept.failures.push(`${id} is ${config}, not ${m}`);
      }
      if (kept.names.size === 0) kept.failures.push('it wrote nothing');
      return kept.failures as string[];
    });
    assert.equal(failures, []);
  }
  for (const thread of threads) await thread.end();
});

test('corrupt memory that it meets does not end it: deaths are noticed', async () => {
  const [opener, handle] = await open({ shards: 2 });
  await using observer = await attach(handle);
  const control = new Int32Array(handle.control);
  const map = new ControlMap(2, control[Header.threadsMax], control[Header.ownersMax]);
  control[map.control + Control.ownersUsed] = -1; // no sweep gets past it
  const starts = startsOf(handle);
  for (let n = 0; n < 3; n++) await deathIsNoticed(handle, observer, `mortal ${n}`);
  assert.is(startsOf(handle), starts, 'it was not started again');
  await opener.end();
});

test('it is killed while every thread row is taken, and the next one still has its own', async () => {
  const [opener, handle] = await open({ shards: 2, threadsMax: 3 });
  await using observer = await attach(handle);
  await killCoordinators([opener, observer]);
  await deathIsNoticed(handle, observer, 'mortal');
  await deathIsNoticed(handle, observer, 'another in the same row');
  await opener.end();
});

test.run();
