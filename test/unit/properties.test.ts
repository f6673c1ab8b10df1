import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type OwnerInfo, Registry } from '../../src/engine/index.ts';
import { auditOnceSwept, total } from '../support/bookkeeping.ts';
import { codeOf } from '../support/errors.ts';
import { Thread } from '../support/threads.ts';
import { until } from '../support/waiting.ts';

const test = suite('properties');

test('an owner says what it is, and any thread can read it', async () => {
  await using registry = await Registry.open();
  const owner = registry.owner();
  registry.register('session', 's1', { owner });
  owner.properties.set('user', { name: 'Ada', roles: ['admin'] });
  owner.properties.set('load', 1);
  owner.properties.set('load', 2);
  owner.properties.set('__proto__', 'x');
  const expected = [
    ['user', { name: 'Ada', roles: ['admin'] }],
    ['load', 2],
    ['__proto__', 'x'],
  ];
  assert.equal(owner.properties.entries(), expected);
  await using thread = await Thread.start(registry.handle);
  const there = await thread.run(({ registry }) => {
    const view = registry.properties.of(registry.whereis('session', 's1')!.owner);
    return [view.get('load'), view.get('none'), view.get('toString'), view.entries()];
  });
  assert.equal(there, [2, undefined, undefined, expected]);
  assert.ok(owner.properties.delete('user'));
  assert.not.ok(owner.properties.delete('user'));
  assert.equal(
    owner.properties.entries().map(([key]) => key),
    ['load', '__proto__'],
  );
});

test('a thread has properties, too; they end with it', async () => {
  await using registry = await Registry.open();
  await using thread = await Thread.start(registry.handle);
  await thread.run(({ registry }) => {
    registry.properties.set('role', 'parser');
    registry.register('kind', 'theirs');
  });
  const view = registry.properties.of(registry.whereis('kind', 'theirs')!.owner);
  assert.is(view.get('role'), 'parser');
  assert.is(registry.properties.get('role'), undefined, 'ours are others');
  await thread.end();
  assert.equal(view.entries(), []);
  await until('the sweep', () => total(registry.partitionStats()).entries === 0);
  await auditOnceSwept(registry.handle);
});

test('properties end with their owner, and the next one in its slot has none of them', async () => {
  await using registry = await Registry.open();
  for (let n = 0; n < 10; n++) {
    const owner = registry.owner();
    assert.equal(owner.properties.entries(), []);
    owner.properties.set('n', n);
    owner.close();
    assert.equal(owner.properties.entries(), []);
    assert.is(
      codeOf(() => owner.properties.set('n', n)),
      'OWNER_DEAD',
    );
    assert.equal(total(registry.partitionStats()), { entries: 0, valueBytes: 0 }, 'freed at once');
  }
  await auditOnceSwept(registry.handle);
});

test('properties are no names: nobody lists, counts or finds them', async () => {
  await using registry = await Registry.open();
  registry.properties.set('a', 1);
  registry.register('kind', 'id');
  assert.is(registry.count(), 1);
  assert.is(
    codeOf(() => registry.count('rollcall:properties')),
    'INVALID_NAME',
  );
});

test('keys and values that cannot be are refused, and change nothing', async () => {
  await using registry = await Registry.open({ configBytesMax: 200 });
  const { properties } = registry;
  properties.set('a', 1);
  for (const key of ['', 7, undefined] as string[])
    assert.is(
      codeOf(() => properties.set(key, 1)),
      'INVALID_NAME',
    );
  for (const value of [undefined, () => 1, 1n] as unknown as string[]) {
    assert.is(
      codeOf(() => properties.set('b', value)),
      'INVALID_CONFIG',
    );
  }
  assert.is(
    codeOf(() => properties.set('b', 'x'.repeat(200))),
    'CONFIG_TOO_LARGE',
  );
  for (const owner of [null, 7, {}] as unknown as OwnerInfo[]) {
    assert.is(
      codeOf(() => properties.of(owner)),
      'INVALID_OPTION',
    );
  }
  assert.equal(properties.entries(), [['a', 1]]);
  await registry.close();
  assert.is(
    codeOf(() => properties.get('a')),
    'CLOSED',
  );
  assert.is(
    codeOf(() => properties.set('a', 2)),
    'CLOSED',
  );
});

test.run();
