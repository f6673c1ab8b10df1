// @timeout 180
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Registry } from '../../src/engine/index.ts';
import { createPool } from '../../src/engine/pool.ts';
import { auditEmptyOnceSwept, auditOnceSwept, total } from '../support/bookkeeping.ts';
import { seedOfRun } from '../support/random.ts';
import type { Interval, OwnershipResult, OwnershipTask } from './tasks/ownership.ts';

/*
 * Several threads register, update and take back the same few names. Conserved are: one name has one owner at a time,
 * and what was acknowledged to an owner stays until that owner takes it back.
 */
const test = suite('ownership');
const seed = seedOfRun();
const threads = 4;

for (const { shards, names, operations } of [
  { shards: 1, names: 5, operations: 40_000 },
  { shards: 1, names: 300, operations: 40_000 },
  { shards: 16, names: 50, operations: 50_000 },
]) {
  test(`${threads} threads and ${names} names in ${shards} shards: each win is one thread's, and nothing is lost`, async () => {
    await using registry = await Registry.open({ shards, alarmedPercentMax: 100 });
    await using pool = createPool(registry, {
      filename: fileURLToPath(new URL('./tasks/ownership.ts', import.meta.url)),
      threads,
    });
    const holders = new Int32Array(new SharedArrayBuffer(names * 4));
    const clock = new Int32Array(new SharedArrayBuffer(4));
    const tasks = Array.from({ length: threads }, (_, n): OwnershipTask => {
      return { seed: seed + n, operations, names, holders, clock };
    });
    const results: OwnershipResult[] = await Promise.all(tasks.map((task) => pool.run(task, { name: 'contend' })));

    const held = Object.assign({}, ...results.map(({ held }) => held));
    const heldCount = results.reduce((sum, { held }) => sum + Object.keys(held).length, 0);
    assert.is(Object.keys(held).length, heldCount, 'no name is held twice');
    for (const [id, config] of Object.entries(held)) assert.equal(registry.whereis('name', id)?.config, config);
    assert.equal([...registry.list('name')].map(({ id }) => id).sort(), Object.keys(held).sort());
    assert.is(registry.count(), heldCount);
    expectDisjoint(results.flatMap(({ intervals }) => intervals));

    const sum = (key: 'wins' | 'refusals') => results.reduce((sum, result) => sum + result[key], 0);
    const waits = registry.partitionStats().reduce((sum, { lockWaits }) => sum + lockWaits, 0);
    console.log(`${sum('wins')} wins, ${sum('refusals')} refusals, ${waits} waits for a lock, ${heldCount} held`);
    assert.ok(
      results.every(({ wins }) => wins > 0),
      'every thread wins',
    );
    await auditEmptyOnceSwept(registry, ['name']);
    await pool.close();
    await auditOnceSwept(registry.handle);
    assert.equal(total(registry.partitionStats()), { entries: 0, valueBytes: 0 });
  });
}

/** Whoever is told that he has a name has it alone until he begins to take it back. */
function expectDisjoint(intervals: readonly Interval[]): void {
  const sorted = [...intervals].sort((a, b) => a.name - b.name || a.won - b.won);
  for (let n = 1; n < sorted.length; n++) {
    const [before, after] = [sorted[n - 1], sorted[n]];
    if (before.name !== after.name) continue;
    assert.ok(before.released < after.won, `name ${after.name}: won at ${after.won}, released at ${before.released}`);
  }
}

test.run();
