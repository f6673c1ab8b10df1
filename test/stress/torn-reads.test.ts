// @timeout 180
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Registry } from '../../src/engine/index.ts';
import { createPool } from '../../src/engine/pool.ts';
import { auditEmptyOnceSwept } from '../support/bookkeeping.ts';
import { seedOfRun } from '../support/random.ts';
import type { ReadCounts, TornReadsTask } from './tasks/torn-reads.ts';

/*
 * Threads read names while others change them: configs from 10 bytes to 40 KB that say whether they are whole, names
 * that go and come back, owners that die. No read is torn, none answers for another name, and nobody sees a name go
 * back in time, by whichever way it is read.
 */
const test = suite('torn reads');
const seed = seedOfRun();

for (const { shards, names } of [
  { shards: 1, names: 8 },
  { shards: 1, names: 200 },
  { shards: 16, names: 400 },
]) {
  test(`two writers and two readers of ${names} names in ${shards} shards`, async () => {
    await using registry = await Registry.open({ shards, alarmedPercentMax: 100 });
    await using pool = createPool(registry, {
      filename: fileURLToPath(new URL('./tasks/torn-reads.ts', import.meta.url)),
      threads: 4,
    });
    const writing = new Int32Array(new SharedArrayBuffer(4));
    writing[0] = 2;
    const task = (n: number): TornReadsTask => {
      return {
        seed: seed + n,
        first: (n % 2) * (names / 2),
        names: n < 2 ? names / 2 : names,
        writing,
        operations: 30_000,
      };
    };
    const writers = [0, 1].map((n) => pool.run(task(n), { name: 'write' }));
    const readers: Promise<ReadCounts>[] = [2, 3].map((n) => pool.run(task(n), { name: 'read' }));
    const counts = await Promise.all(readers);
    await Promise.all(writers);
    for (const way of ['whereis', 'freshRef', 'heldRef', 'listed', 'absent'] as const) {
      const reads = counts.reduce((sum, count) => sum + count[way], 0);
      console.log(`${way}: ${reads}`);
      assert.ok(reads > 0, way);
    }
    await auditEmptyOnceSwept(registry, ['name']);
  });
}

test.run();
