import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Registry, RegistryError } from '../../src/engine/index.ts';
import { Thread } from '../support/threads.ts';
import { until } from '../support/waiting.ts';

const test = suite('standby');

let registry: Registry;
test.before.each(async () => {
  registry = await Registry.open();
});
test.after.each(() => registry.close());

const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => assert.unreachable('it is rejected'),
    (error) => (error instanceof RegistryError ? error.code : error),
  );

test('a name that nobody has is taken at once', async () => {
  const registration = await registry.standby('server', 'a', { config: 1 });
  assert.ok(registration.active);
  assert.is(registry.whereis('server', 'a')?.config, 1);
});

test('it takes over when the owner takes its name back, is closed, or its thread ends', async () => {
  const ends: ((thread: Thread) => Promise<void>)[] = [
    (thread) => thread.run(({ registry }) => void registry.unregister('server', 'a')),
    (thread) => thread.run(({ kept }) => kept.owner.close()),
    (thread) => thread.end(),
  ];
  for (const end of ends) {
    await using thread = await Thread.start(registry.handle);
    await thread.run(({ registry, kept }) => {
      kept.owner = registry.owner();
      registry.register('server', 'a', { owner: kept.owner, config: 'first' });
    });
    let taken = false;
    const standby = registry.standby('server', 'a', { config: 'second' }).then((registration) => {
      taken = true;
      return registration;
    });
    registry.update('server', 'a', 'still first');
    await registry.awaitName('server', 'a');
    assert.not(taken);
    await end(thread);
    const registration = await standby;
    assert.is(registry.whereis('server', 'a')?.config, 'second');
    registration.unregister();
  }
});

test('of many that stand by, in many threads, one at a time has the name', async () => {
  const threads = await Promise.all(Array.from({ length: 3 }, () => Thread.start(registry.handle)));
  for (const [n, thread] of threads.entries()) {
    await thread.run(({ registry, kept }, n) => {
      kept.won = 0;
      for (let k = 0; k < 4; k++) {
        void registry.standby('server', 'a', { config: `${n}.${k}` }).then((registration: object) => {
          kept.won++;
          kept.registration = registration;
        });
      }
    }, n);
  }
  const winners = new Set<string>();
  for (let round = 0; round < 12; round++) {
    const { config, owner } = await registry.awaitName<string>('server', 'a');
    assert.not(winners.has(config as string), 'each gets it once');
    winners.add(config as string);
    const counts = await Promise.all(threads.map((thread) => thread.run(({ kept }) => kept.won as number)));
    assert.ok(counts.reduce((sum, won) => sum + won) <= winners.size, 'nobody has it besides');
    assert.ok(owner.threadId !== 0);
    registry.unregister('server', 'a');
  }
  assert.is(winners.size, 12);
  for (const thread of threads) await thread.end();
});

test('a signal ends the wait, and later the registration', async () => {
  registry.register('server', 'a');
  const abort = new AbortController();
  const standby = registry.standby('server', 'a', { signal: abort.signal });
  abort.abort('enough');
  assert.is(await rejection(standby), 'enough');
  registry.unregister('server', 'a');
  assert.not(registry.has('server', 'a'));

  const other = new AbortController();
  await registry.standby('server', 'a', { signal: other.signal });
  other.abort();
  assert.not(registry.has('server', 'a'));
});

test('it is refused as a registration is, also later', async () => {
  assert.is(await rejection(registry.standby('', 'a')), 'INVALID_NAME');
  assert.is(await rejection(registry.standby('server', 'a', { wait: 1 } as object)), 'INVALID_OPTION');
  registry.register('server', 'a');
  const owner = registry.owner();
  const byDead = rejection(registry.standby('server', 'a', { owner }));
  owner.close();
  registry.unregister('server', 'a');
  assert.is(await byDead, 'OWNER_DEAD');
  registry.register('server', 'a');
  const byClosed = rejection(registry.standby('server', 'a'));
  await registry.close();
  assert.is(await byClosed, 'CLOSED');
});

test('it waits on while admission is closed, whoever opens it', async () => {
  const { admission } = registry;
  registry.register('server', 'a');
  const standby = registry.standby('server', 'a');
  admission.force('closed');
  registry.unregister('server', 'a');
  const second = registry.standby('server', 'b');
  registry.owner().close(); // a ring of the bell
  admission.force('open');
  assert.ok((await standby).active);
  (await second).unregister();

  admission.force('closed');
  const third = registry.standby('server', 'b');
  await using thread = await Thread.start(registry.handle);
  await thread.run(({ registry }) => registry.admission.auto());
  assert.ok((await third).active);
});

test('it ends with the owner it stands by for, though the name is not free', async () => {
  registry.register('server', 'a');
  const owner = registry.owner();
  const closed = rejection(registry.standby('server', 'a', { owner }));
  owner.close();
  assert.is(await closed, 'OWNER_DEAD');
  const expired = rejection(registry.standby('server', 'a', { owner: registry.owner({ ttlMs: 1 }) }));
  assert.is(await expired, 'OWNER_DEAD');
  assert.ok(registry.has('server', 'a'));
});

test('a name that is taken from a standby again is not waited for any more', async () => {
  const registration = await registry.standby('server', 'a');
  await using thread = await Thread.start(registry.handle);
  await thread.run(({ registry }) => void registry.unregister('server', 'a'));
  await until('it is gone', () => !registration.active);
  assert.not(registry.has('server', 'a'));
});

test.run();
