import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Registry, type RegistryOptions } from '../../src/engine/index.ts';
import { resolveOptions } from '../../src/engine/options.ts';
import { defaults, limits } from '../../src/shared/limits.ts';
import { refusal } from '../support/errors.ts';

const test = suite('options');

test('without options the defaults hold, and undefined is no option', () => {
  assert.equal(resolveOptions({}), defaults);
  assert.equal(resolveOptions({ shards: undefined }), defaults);
});

const bounds: Required<{ [Name in keyof RegistryOptions]: [min: number, max: number] }> = {
  shards: [1, 256],
  entriesPerShardMax: [1, limits.entriesPerShardMax],
  configBytesMax: [1, limits.configBytesMax],
  valueBytesPerShardMax: [limits.valueBytesPerShardMin, limits.valueBytesPerShardMax],
  threadsMax: [1, limits.threadsMax],
  ownersMax: [0, limits.ownersMax],
  messageBytesMax: [1, limits.messageBytesMax],
  alarmLockWaitMs: [1, limits.alarmMsMax],
  alarmWriteMeanMs: [1, limits.alarmMsMax],
  alarmedPercentMax: [0, 100],
};

for (const [name, [min, max]] of Object.entries(bounds)) {
  test(`${name}: whole numbers from ${min} to ${max} are taken`, () => {
    for (const value of [min, max]) assert.is(resolveOptions({ [name]: value })[name as keyof RegistryOptions], value);
  });

  test(`${name}: others are refused by name and value`, () => {
    for (const value of [min - 1, max + 1, min + 0.5, Number.NaN, Number.POSITIVE_INFINITY, `${min}`, null, true]) {
      const { code, message } = refusal(() => resolveOptions({ [name]: value }));
      assert.is(code, 'INVALID_OPTION');
      assert.ok(message.includes(name) && message.includes(String(value)), message);
    }
  });
}

test('shards are a power of two', () => {
  for (let log2 = 0; log2 <= 8; log2++) assert.is(resolveOptions({ shards: 1 << log2 }).shards, 1 << log2);
  for (const shards of [3, 5, 12, 255]) {
    assert.is(refusal(() => resolveOptions({ shards })).code, 'INVALID_OPTION');
  }
});

test('an unknown option is refused with those that are known', () => {
  const { code, message } = refusal(() => resolveOptions({ shard: 4 } as RegistryOptions));
  assert.is(code, 'INVALID_OPTION');
  assert.match(message, 'unknown option shard: known are shards, ');
});

test('open refuses as resolving does, and leaves nothing behind', async () => {
  const refused = await Registry.open({ shards: 3 }).catch((error) => error.code);
  assert.is(refused, 'INVALID_OPTION');
});

for (const shards of [1, 2, 16, 256]) {
  test(`a registry of ${shards} shards finds in each of them what it put there`, async () => {
    await using registry = await Registry.open({ shards });
    const names = Array.from({ length: shards * 20 }, (_, n) => `name ${n}`);
    for (const name of names) registry.register('kind', name, { config: name });
    const filled = registry.partitionStats().filter(({ entries }) => entries > 0);
    assert.ok(filled.length > shards * 0.9, `${filled.length} shards are in use`);
    for (const name of names) assert.is(registry.whereis('kind', name)?.config, name);
    assert.equal([...registry.list('kind')].map(({ id }) => id).sort(), [...names].sort());
    assert.is(registry.count('kind'), names.length);
  });
}

test('the smallest registry there can be works', async () => {
  await using registry = await Registry.open({
    shards: 1,
    entriesPerShardMax: 1,
    configBytesMax: 1,
    valueBytesPerShardMax: limits.valueBytesPerShardMin,
    threadsMax: 1,
    ownersMax: 0,
  });
  registry.register('kind', 'only', { config: 1 });
  assert.is(registry.whereis('kind', 'only')?.config, 1);
  assert.is(refusal(() => registry.register('kind', 'another')).code, 'TABLE_FULL');
});

test('the largest registry there can be opens', async () => {
  const largest = Object.fromEntries(Object.entries(bounds).map(([name, [, max]]) => [name, max]));
  const options: RegistryOptions = { ...largest, valueBytesPerShardMax: defaults.valueBytesPerShardMax };
  await using registry = await Registry.open(options);
  registry.register('kind', 'id', { config: 'x'.repeat(limits.configBytesMax - 2) });
  assert.is(registry.count(), 1);
});

test.run();
