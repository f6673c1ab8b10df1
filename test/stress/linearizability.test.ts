// @timeout 180
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Registry } from '../../src/engine/index.ts';
import { createPool } from '../../src/engine/pool.ts';
import { auditEmptyOnceSwept } from '../support/bookkeeping.ts';
import { seedOfRun } from '../support/random.ts';
import type { Checks, LinearizabilityTask } from './tasks/linearizability.ts';
import { Word } from './tasks/told.ts';

/*
 * What a thread has been told is so: a name that is said to be registered is found, one that is said to be updated is
 * found updated, and one that is said to be gone (taken back, or its owner dead) is not found, whatever the looking
 * thread has cached before.
 */
const test = suite('linearizability');
const seed = seedOfRun();

for (const [shards, names, rounds] of [
  [1, 40, 3_000],
  [16, 2_000, 100],
]) {
  test(`no stale answer, ${names} names in ${shards} shards`, async () => {
    await using registry = await Registry.open({ shards, alarmedPercentMax: 100 });
    await using pool = createPool(registry, {
      filename: fileURLToPath(new URL('./tasks/linearizability.ts', import.meta.url)),
      threads: 3,
    });
    const words = new Int32Array(new SharedArrayBuffer(Word.count * 4));
    const task = (n: number): LinearizabilityTask => ({ seed: seed + n, names, rounds, words });
    const watchers: Promise<Checks>[] = [1, 2].map((n) => pool.run(task(n), { name: 'watch' }));
    await pool.run(task(0), { name: 'live' });
    const results = await Promise.all(watchers);
    for (const { present, absent, stale } of results) {
      console.log(`${present} found as told, ${absent} absent as told`);
      assert.equal(stale, []);
      assert.ok(present > 100 && absent > 100);
    }
    await auditEmptyOnceSwept(registry, ['name']);
  });
}

test.run();
