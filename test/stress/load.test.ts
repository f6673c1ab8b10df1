// @timeout 180
import { fileURLToPath } from 'node:url';
import type { Piscina } from 'piscina';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Registry } from '../../src/engine/index.ts';
import { createPool } from '../../src/engine/pool.ts';
import { audit, auditEmptyOnceSwept, auditOnceSwept, total } from '../support/bookkeeping.ts';
import { seedOfRun } from '../support/random.ts';
import { until } from '../support/waiting.ts';
import type { FillResult, GrowTask } from './tasks/load.ts';

/* A registry at its limits, with all threads at work: full, closed, growing; and two of them side by side. */
const test = suite('load');
const seed = seedOfRun();

const poolOf = (registry: Registry, threads: number): Piscina =>
  createPool(registry, { filename: fileURLToPath(new URL('./tasks/load.ts', import.meta.url)), threads });

for (const { name, options, config } of [
  { name: 'records', options: { shards: 1, entriesPerShardMax: 30 }, config: 'small' },
  { name: 'memory', options: { shards: 1, valueBytesPerShardMax: 1 << 18 }, config: 'large'.repeat(4_000) },
]) {
  test(`three threads and not enough ${name}: who is refused has lost nothing`, async () => {
    await using registry = await Registry.open({ ...options, alarmedPercentMax: 100 });
    await using pool = poolOf(registry, 3);
    const tasks = [1, 2, 3].map((n) => ({ seed: seed + n, names: 60, operations: 20_000, config }));
    const results: FillResult[] = await Promise.all(tasks.map((task) => pool.run(task, { name: 'fill' })));
    const held = results.flatMap(({ held }) => held);
    assert.equal([...registry.list('name')].map(({ id }) => id).sort(), held.sort());
    const full = results.reduce((sum, { full }) => sum + full, 0);
    console.log(`${full} times full, ${held.length} held`);
    assert.ok(full > 0);
    await auditEmptyOnceSwept(registry, ['name']);
  });
}

test('a registry is closed while all threads work: each is told so, by its next call', async () => {
  for (let round = 0; round < 10; round++) {
    const registry = await Registry.open({ shards: 2, alarmedPercentMax: 100 });
    await using pool = poolOf(registry, 3);
    const started = new Int32Array(new SharedArrayBuffer(4));
    const tasks = [1, 2, 3].map((n) => pool.run({ seed: seed + n + 10 * round, started }, { name: 'untilClosed' }));
    await until('all threads work', () => started[0] === 3);
    await registry.close();
    for (const { code, calls } of await Promise.all(tasks)) {
      assert.is(code, 'CLOSED');
      assert.ok(calls >= 1_000);
    }
  }
});

test('200,000 names are registered by two threads while two others look for them', async () => {
  await using registry = await Registry.open({ shards: 4, alarmedPercentMax: 100 });
  await using pool = poolOf(registry, 4);
  const perInserter = 100_000;
  const told = new Int32Array(new SharedArrayBuffer(8));
  const lookers = [1, 2].map((n) => pool.run({ seed: seed + n, perInserter, told }, { name: 'lookDuringGrowth' }));
  const inserters = [0, 1].map((inserter) => {
    const task: GrowTask = { from: inserter * perInserter, to: (inserter + 1) * perInserter, told, inserter };
    return pool.run(task, { name: 'grow' });
  });
  await Promise.all(inserters);
  for (const { found, listed } of await Promise.all(lookers)) {
    console.log(`${found} found, ${listed} listed while it grew`);
    assert.ok(found > 0);
  }
  assert.is(registry.count('name'), 2 * perInserter);
  const stats = registry.partitionStats();
  assert.ok(stats.every(({ resizes, loadFactor }) => resizes > 5 && loadFactor <= 0.75));
  audit(registry.handle);
  await pool.destroy();
  await until('the sweep', () => total(registry.partitionStats()).entries === 0);
  assert.is(total(registry.partitionStats()).valueBytes, 0);
  await auditOnceSwept(registry.handle);
});

test('two registries in one process do not know of each other', async () => {
  await using one = await Registry.open({ shards: 1, alarmedPercentMax: 100 });
  await using other = await Registry.open({ shards: 1, alarmedPercentMax: 100 });
  await using poolOne = poolOf(one, 2);
  await using poolOther = poolOf(other, 2);
  const run = (pool: Piscina, n: number, config: string): Promise<FillResult> =>
    pool.run({ seed: seed + n, names: 100, operations: 20_000, config }, { name: 'fill' });
  const results = await Promise.all([
    run(poolOne, 1, 'of one'),
    run(poolOne, 2, 'of one'),
    run(poolOther, 3, 'of the other'),
    run(poolOther, 4, 'of the other'),
  ]);
  for (const [n, registry] of [one, other].entries()) {
    const held = [...results[2 * n].held, ...results[2 * n + 1].held];
    const listed = [...registry.list('name')];
    assert.equal(listed.map(({ id }) => id).sort(), held.sort());
    assert.ok(listed.every(({ config }) => config === (n === 0 ? 'of one' : 'of the other')));
  }
  await one.close();
  assert.ok(other.count() > 0);
  other.register('name', 'after the end of the first');
  await poolOne.destroy();
  assert.ok(other.has('name', 'after the end of the first'));
  await auditEmptyOnceSwept(other, ['name']);
});

test.run();
