import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { encodeConfig, Registry, type RegistryErrorCode } from '../../src/engine/index.ts';
import { limits } from '../../src/shared/limits.ts';
import { auditEmptyOnceSwept, auditOnceSwept, total } from '../support/bookkeeping.ts';
import { codeOf, refusal } from '../support/errors.ts';

const test = suite('limits');

/** Fills a shard until it refuses. @returns how many names it took. */
function fill(registry: Registry, config?: string): number {
  for (let n = 0; ; n++) {
    const { code, registered } = attempt(registry, `${n}`, config);
    if (registered) continue;
    assert.is(code, 'TABLE_FULL');
    return n;
  }
}

function attempt(registry: Registry, id: string, config?: string): { registered: boolean; code?: RegistryErrorCode } {
  try {
    registry.register('kind', id, { config });
    return { registered: true };
  } catch (error) {
    return { registered: false, code: (error as { code: RegistryErrorCode }).code };
  }
}

test('CONFIG_TOO_LARGE: at the limit a config is taken, a byte above it is not', async () => {
  for (const max of [1, 100, 8_188, 8_189, 16_380, 16_381, 65_536]) {
    await using registry = await Registry.open({ shards: 1, configBytesMax: max });
    const fits = max === 1 ? 7 : 'x'.repeat(max - 2);
    const tooLarge = max === 1 ? 77 : 'x'.repeat(max - 1);
    registry.register('kind', 'x', { config: fits });
    assert.is(registry.whereis('kind', 'x')?.config, fits);
    for (const call of [
      () => registry.register('kind', 'y', { config: tooLarge }),
      () => registry.register('kind', 'y', { config: encodeConfig(tooLarge) }),
      () => registry.registerOrUpdate('kind', 'x', { config: tooLarge }),
      () => registry.update('kind', 'x', tooLarge),
    ]) {
      const { code, message } = refusal(call);
      assert.is(code, 'CONFIG_TOO_LARGE');
      assert.match(message, `takes ${max + 1} bytes; configBytesMax is ${max}`);
    }
    assert.is(registry.whereis('kind', 'x')?.config, fits);
    assert.is(registry.count(), 1);
  }
});

test('CONFIG_TOO_LARGE: other characters than Latin-1 take two bytes each', async () => {
  await using registry = await Registry.open({ shards: 1, configBytesMax: 100 });
  const fits = '漢'.repeat(48);
  registry.register('kind', 'x', { config: fits });
  assert.is(registry.whereis('kind', 'x')?.config, fits);
  assert.is(
    codeOf(() => registry.update('kind', 'x', `${fits}x`)),
    'CONFIG_TOO_LARGE',
  );
  registry.update('kind', 'x', 'é'.repeat(98));
});

test('TABLE_FULL, no record left: nothing is lost, and a name that goes makes room', async () => {
  await using registry = await Registry.open({ shards: 1, entriesPerShardMax: 100 });
  assert.is(fill(registry), 100);
  assert.match(refusal(() => registry.register('kind', 'more')).message, 'its shard has 100 of 100 entries');
  for (let n = 0; n < 100; n++) assert.ok(registry.has('kind', `${n}`));
  registry.unregister('kind', '42');
  registry.register('kind', 'more');
  assert.is(
    codeOf(() => registry.register('kind', '42')),
    'TABLE_FULL',
  );
  await auditOnceSwept(registry.handle);
  await auditEmptyOnceSwept(registry, ['kind']);
});

test('TABLE_FULL, no memory for configs: nothing is lost, nothing leaks', async () => {
  await using registry = await Registry.open({ shards: 1, valueBytesPerShardMax: limits.valueBytesPerShardMin });
  const config = 'x'.repeat(20_000);
  const count = fill(registry, config);
  assert.is(count, 8); // 16 pages, two for each
  await auditOnceSwept(registry.handle);
  assert.is(
    codeOf(() => registry.update('kind', '0', 'y'.repeat(40_000))),
    'TABLE_FULL',
  );
  assert.is(registry.whereis('kind', '0')?.config, config);
  registry.register('kind', 'no config');
  assert.is(
    codeOf(() => registry.register('kind', 'n'.repeat(200))),
    'TABLE_FULL',
  );
  await auditOnceSwept(registry.handle);
  registry.unregister('kind', '3');
  registry.register('kind', 'n'.repeat(200));
  await auditEmptyOnceSwept(registry, ['kind']);
});

test('TABLE_FULL in every shard at once: nothing is lost, and every shard recovers', async () => {
  await using registry = await Registry.open({ shards: 16, entriesPerShardMax: 50 });
  const taken: string[] = [];
  for (let n = 0; taken.length < 16 * 50; n++) if (attempt(registry, `${n}`).registered) taken.push(`${n}`);
  for (const { entries } of registry.partitionStats()) assert.is(entries, 50);
  for (let n = 0; n < 100; n++) assert.is(attempt(registry, `more ${n}`).code, 'TABLE_FULL');
  for (const id of taken) registry.update('kind', id, id);
  for (const id of taken) assert.is(registry.whereis('kind', id)?.config, id);
  assert.is(registry.count('kind'), taken.length);
  await auditOnceSwept(registry.handle);
  for (const id of taken) registry.unregister('kind', id);
  for (const id of taken) registry.register('kind', id);
  assert.is(attempt(registry, 'more').code, 'TABLE_FULL');
  await auditEmptyOnceSwept(registry, ['kind']);
});

test('an index at its largest is cleaned of tombstones when it is full of them', async () => {
  await using registry = await Registry.open({ shards: 1, entriesPerShardMax: 128 });
  for (let n = 0; n < 128; n++) registry.register('kind', `kept ${n}`);
  const [{ slots, resizes }] = registry.partitionStats();
  // Each name that comes and goes may leave a tombstone. All records are taken but one, and no larger index is allowed.
  for (let n = 0; n < 5_000; n++) {
    registry.unregister('kind', `kept ${n % 128}`);
    registry.register('kind', `passing ${n}`);
    assert.is(attempt(registry, 'one too many').code, 'TABLE_FULL');
    registry.unregister('kind', `passing ${n}`);
    registry.register('kind', `kept ${n % 128}`);
  }
  const [after] = registry.partitionStats();
  assert.is(after.slots, slots);
  assert.ok(after.resizes > resizes, 'it was rebuilt');
  for (let n = 0; n < 128; n++) assert.ok(registry.has('kind', `kept ${n}`));
  await auditEmptyOnceSwept(registry, ['kind']);
});

for (const buffer of ['records', 'index', 'arena'] as const) {
  test(`TABLE_FULL when the system has no memory for more ${buffer}: nothing is lost, and it goes on when it has`, async () => {
    await using registry = await Registry.open({ shards: 1 });
    const refused = registry.handle.shards[0][buffer];
    refused.grow = () => {
      throw new RangeError('SharedArrayBuffer.prototype.grow: out of memory');
    };
    const config = 'x'.repeat(3_000);
    const count = fill(registry, config);
    for (let n = 0; n < count; n++) assert.is(registry.whereis('kind', `${n}`)?.config, config);
    assert.is(registry.count(), count);
    await auditOnceSwept(registry.handle);
    registry.unregister('kind', '0');
    registry.register('kind', '0', { config });
    assert.is(attempt(registry, 'more', config).code, 'TABLE_FULL');
    Reflect.deleteProperty(refused, 'grow');
    for (let n = 0; n < 500; n++) registry.register('kind', `later ${n}`, { config });
    assert.is(registry.count(), count + 500);
    await auditEmptyOnceSwept(registry, ['kind']);
  });
}

test('a full table takes names of dead owners away before it refuses', async () => {
  await using registry = await Registry.open({ shards: 1, entriesPerShardMax: 1_000 });
  const session = registry.owner();
  for (let n = 0; n < 1_000; n++) registry.register('kind', `${n}`, { owner: session });
  session.close();
  assert.is(fill(registry), 1_000);
  await auditEmptyOnceSwept(registry, ['kind']);
});

test('filled and emptied again and again, a table takes as many names each time', async () => {
  await using registry = await Registry.open({ shards: 1, entriesPerShardMax: 300 });
  for (let round = 0; round < 20; round++) {
    assert.is(fill(registry, 'x'.repeat(round * 200)), 300);
    await auditEmptyOnceSwept(registry, ['kind']);
  }
});

test('the index is cleaned of tombstones, not grown, when names come and go', async () => {
  await using registry = await Registry.open({ shards: 1 });
  for (let n = 0; n < 100_000; n++) {
    registry.register('kind', `${n}`);
    if (n >= 20) registry.unregister('kind', `${n - 20}`);
  }
  const [{ slots, entries, registrations, removals }] = registry.partitionStats();
  assert.is(slots, 64);
  assert.equal([entries, registrations, removals], [20, 100_000, 99_980]);
  await auditOnceSwept(registry.handle);
});

test('THREADS_FULL: as many threads as there may be, and the coordinator is none of them', async () => {
  await using registry = await Registry.open({ shards: 1, threadsMax: 2 });
  await using attached = Registry.attach(registry.handle);
  assert.is(
    codeOf(() => Registry.attach(registry.handle)),
    'THREADS_FULL',
  );
  attached.register('kind', 'x');
});

test('OWNERS_FULL: as many owners as there may be', async () => {
  await using registry = await Registry.open({ shards: 1, ownersMax: 3 });
  const owners = [registry.owner(), registry.owner(), registry.owner()];
  assert.is(
    codeOf(() => registry.owner()),
    'OWNERS_FULL',
  );
  owners[1].close();
  using another = registry.owner();
  assert.ok(another.alive);
  assert.is(
    codeOf(() => registry.owner()),
    'OWNERS_FULL',
  );
});

test('KINDS_FULL: 1,024 kinds, over all threads; known ones go on', async () => {
  await using registry = await Registry.open({ shards: 1 });
  await using attached = Registry.attach(registry.handle);
  for (let n = 0; n < limits.kindsMax; n++) (n % 2 ? registry : attached).register(`kind ${n}`, 'x', { config: n });
  for (const each of [registry, attached]) {
    assert.is(
      codeOf(() => each.register('one more', 'x')),
      'KINDS_FULL',
    );
    assert.is(
      codeOf(() => each.tryRegister('one more', 'x')),
      'KINDS_FULL',
    );
    assert.is(each.whereis('one more', 'x'), undefined);
    for (let n = 0; n < limits.kindsMax; n++) assert.is(each.whereis(`kind ${n}`, 'x')?.config, n);
  }
  registry.register('kind 5', 'y');
  assert.is(registry.count(), limits.kindsMax + 1);
});

test('INVALID_NAME: what is refused as an id is refused as a kind, by every call', async () => {
  await using registry = await Registry.open({ shards: 1 });
  for (const bad of ['', 'x'.repeat(256), '\ud800', 7, undefined, null] as string[]) {
    for (const [kind, id] of [
      [bad, 'x'],
      ['kind', bad],
      ['unknown kind', bad],
    ]) {
      const calls = {
        register: () => registry.register(kind, id),
        tryRegister: () => registry.tryRegister(kind, id),
        registerOrUpdate: () => registry.registerOrUpdate(kind, id),
        whereis: () => registry.whereis(kind, id),
        has: () => registry.has(kind, id),
        ref: () => registry.ref(kind, id),
        update: () => registry.update(kind, id, 1),
        compareAndUpdate: () => registry.compareAndUpdate(kind, id, 1, 1),
        unregister: () => registry.unregister(kind, id),
      };
      for (const [name, call] of Object.entries(calls)) {
        assert.is(codeOf(call), 'INVALID_NAME', `${name}(${JSON.stringify(kind)}, ${JSON.stringify(id)})`);
      }
    }
    assert.is(
      codeOf(() => [...registry.list(bad)]),
      'INVALID_NAME',
    );
    if (bad !== undefined)
      assert.is(
        codeOf(() => registry.count(bad)),
        'INVALID_NAME',
      );
  }
  assert.equal(total(registry.partitionStats()), { entries: 0, valueBytes: 0 });
});

test('a refused id uses up no kind', async () => {
  await using registry = await Registry.open({ shards: 1 });
  for (let n = 0; n < limits.kindsMax + 10; n++) assert.throws(() => registry.register(`kind ${n}`, ''));
  registry.register('the first', 'x');
});

test('INVALID_CONFIG: what JSON cannot say leaves everything as it was', async () => {
  await using registry = await Registry.open({ shards: 1 });
  registry.register('kind', 'x', { config: 'kept' });
  for (const config of [() => 1, 1n, Symbol('x')] as never[]) {
    assert.is(
      codeOf(() => registry.register('kind', 'y', { config })),
      'INVALID_CONFIG',
    );
    assert.is(
      codeOf(() => registry.update('kind', 'x', config)),
      'INVALID_CONFIG',
    );
  }
  assert.is(registry.whereis('kind', 'x')?.config, 'kept');
  assert.is(registry.count(), 1);
});

test.run();
