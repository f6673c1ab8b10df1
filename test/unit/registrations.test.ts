import { getEventListeners } from 'node:events';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Registry } from '../../src/engine/index.ts';
import { auditOnceSwept } from '../support/bookkeeping.ts';
import { codeOf } from '../support/errors.ts';

const test = suite('registrations');

const registry = await Registry.open();
test.after(() => registry.close());
test.after.each(async () => {
  for (const { id } of [...registry.list('server')]) registry.unregister('server', id);
  await auditOnceSwept(registry.handle);
});

test('a registration updates and takes back its own name', () => {
  const registration = registry.register('server', 'x', { config: 1 });
  assert.ok(registration.active);
  assert.is(registration.update(2), registry.whereis('server', 'x')?.version);
  assert.is(registry.whereis('server', 'x')?.config, 2);
  assert.ok(registration.unregister());
  assert.not.ok(registration.active);
  assert.not.ok(registration.unregister());
  assert.is(
    codeOf(() => registration.update(3)),
    'NOT_FOUND',
  );
});

test('its compareAndUpdate writes over the version it was told, and over no other', () => {
  const registration = registry.register('server', 'x', { config: 0 });
  const { version } = registry.whereis('server', 'x')!;
  assert.ok(registration.compareAndUpdate(version, 1));
  assert.not.ok(registration.compareAndUpdate(version, 2));
  assert.is(registry.whereis('server', 'x')?.config, 1);
  registration.unregister();
  assert.not.ok(registration.compareAndUpdate(version, 3));
});

test('it stays its own through updates by others', () => {
  const registration = registry.register('server', 'x', { config: 0 });
  for (let n = 1; n < 10; n++) {
    registry.update('server', 'x', n);
    assert.ok(registration.active);
  }
  assert.ok(registration.unregister());
});

test('it does not touch who registered the name after it', () => {
  const stale = registry.register('server', 'x', { config: 'old' });
  registry.unregister('server', 'x');
  assert.not.ok(stale.active);
  const fresh = registry.register('server', 'x', { config: 'new' });
  assert.not.ok(stale.active);
  assert.not.ok(stale.unregister());
  assert.is(
    codeOf(() => stale.update('overwritten')),
    'NOT_FOUND',
  );
  assert.not.ok(stale.compareAndUpdate(registry.whereis('server', 'x')!.version, 'overwritten'));
  assert.ok(fresh.active);
  assert.is(registry.whereis('server', 'x')?.config, 'new');
});

test('it does not touch another name that got its record', () => {
  const stale = registry.register('server', 'x');
  registry.unregister('server', 'x');
  for (let n = 0; n < 100; n++) registry.register('server', `other ${n}`);
  assert.not.ok(stale.active);
  assert.not.ok(stale.unregister());
  assert.is(registry.count('server'), 100);
});

test('using takes a name back at the end of its scope', async () => {
  {
    using registration = registry.register('server', 'x');
    assert.ok(registration.active);
  }
  assert.not.ok(registry.has('server', 'x'));
  {
    await using registration = registry.register('server', 'x');
    assert.ok(registration.active);
  }
  assert.not.ok(registry.has('server', 'x'));
});

test('an abort takes the name back, once', () => {
  const controller = new AbortController();
  const registration = registry.register('server', 'x', { signal: controller.signal });
  assert.ok(registration.active);
  controller.abort();
  assert.not.ok(registration.active);
  assert.not.ok(registry.has('server', 'x'));
  registry.register('server', 'x');
  assert.ok(registry.has('server', 'x'));
});

test('a signal that has aborted refuses with its own reason, and nothing is registered', () => {
  const reason = new Error('no longer wanted');
  for (const call of ['register', 'tryRegister', 'registerOrUpdate'] as const) {
    try {
      registry[call]('server', 'x', { signal: AbortSignal.abort(reason) });
      assert.unreachable();
    } catch (error) {
      assert.is(error, reason);
    }
  }
  assert.not.ok(registry.has('server', 'x'));
});

test('an abort after the name was taken back touches nothing', () => {
  const controller = new AbortController();
  const registration = registry.register('server', 'x', { signal: controller.signal });
  registration.unregister();
  registry.register('server', 'x');
  controller.abort();
  assert.ok(registry.has('server', 'x'));
});

test('an abort after another took the name back touches nothing', () => {
  const controller = new AbortController();
  registry.register('server', 'x', { signal: controller.signal });
  registry.unregister('server', 'x');
  registry.register('server', 'x');
  controller.abort();
  assert.ok(registry.has('server', 'x'));
});

test('one signal takes back many names', () => {
  const controller = new AbortController();
  for (let n = 0; n < 5; n++) registry.register('server', `${n}`, { signal: controller.signal });
  assert.is(registry.count('server'), 5);
  controller.abort();
  assert.is(registry.count('server'), 0);
});

test('one signal has one listener, however many names end with it', () => {
  const controller = new AbortController();
  const registrations = Array.from({ length: 1_000 }, (_, n) => {
    return registry.register('server', `${n}`, { signal: controller.signal });
  });
  assert.is(getEventListeners(controller.signal, 'abort').length, 1);
  for (const registration of registrations.slice(0, 900)) registration.unregister();
  for (let n = 0; n < 900; n++) registry.register('server', `${n}`);
  controller.abort();
  assert.is(registry.count('server'), 900);
});

test('an abort after the registry was left touches nothing', async () => {
  const controller = new AbortController();
  const other = Registry.attach(registry.handle);
  const session = other.owner();
  other.register('server', 'x', { signal: controller.signal });
  other.register('server', 'y', { signal: controller.signal, owner: session });
  session.close();
  await other.close();
  for (const id of ['x', 'y']) registry.register('server', id);
  controller.abort();
  assert.is(registry.count('server'), 2);
});

test.run();
