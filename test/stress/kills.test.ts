// @timeout 300
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Registry } from '../../src/engine/index.ts';
import { auditEmptyOnceSwept } from '../support/bookkeeping.ts';
import { Random, seedOfRun } from '../support/random.ts';
import { expectWhole } from './tasks/configs.ts';
import type { KillsData, SurvivorReport } from './tasks/kills.ts';

/*
 * Threads that do nothing but write are killed at random moments, so often that many die with a lock in their hands.
 * Two others go on all the while: each of their operations ends, what they read is whole, and their own names stay.
 * The names of the killed are gone when `terminate` says that they are dead, and in the end nothing has leaked.
 */
const test = suite('kills');
const seed = seedOfRun();
const random = new Random(seed);
const kills = 220;
const killedAtOnce = 4;
const names = 12;

test(`${kills} threads are killed while they write`, async () => {
  await using registry = await Registry.open({ shards: 2 });
  const words = new Int32Array(new SharedArrayBuffer(8));
  const start = async (seed: number, survivor?: number): Promise<Worker> => {
    const workerData: KillsData = { handle: registry.handle, seed, names, survivor, words };
    const worker = new Worker(new URL('./tasks/kills.ts', import.meta.url), { workerData });
    await once(worker, 'message');
    return worker;
  };
  const survivors = await Promise.all([1, 2].map((n) => start(seed + n, n)));
  const failures: unknown[] = [];
  for (const survivor of survivors) survivor.on('error', (error) => failures.push(error));
  const reports = survivors.map((survivor) => once(survivor, 'message'));

  let found = 0;
  for (let n = 0; n < kills; n += killedAtOnce) {
    const victims = await Promise.all(Array.from({ length: killedAtOnce }, (_, m) => start(seed + 100 + n + m)));
    for (const victim of victims) victim.on('error', (error) => failures.push(error));
    // Not a wait for something, but the random moment: so many more operations of the victims.
    const goal = Atomics.load(words, 1) + random.below(2_000);
    while (Atomics.load(words, 1) < goal && failures.length === 0) await new Promise(setImmediate);
    const ids = victims.map(({ threadId }) => threadId);
    await Promise.all(victims.map((victim) => victim.terminate()));
    for (const { id, config, owner } of registry.list('name')) {
      assert.not.ok(ids.includes(owner.threadId), `"${id}" of a dead thread is listed`);
      expectWhole(id, config);
      found++;
    }
    assert.equal(failures, []);
  }

  Atomics.store(words, 0, 1);
  for (const [report] of await Promise.all(reports)) {
    const { operations, stallMs, stalledIn, reads } = report.report as SurvivorReport;
    console.log(
      `a survivor did ${operations} operations, ${reads} reads; longest ${stallMs.toFixed(1)} ms in ${stalledIn}`,
    );
    assert.ok(operations > 1_000);
  }
  const mine = (await Promise.all(reports)).map(([{ mine }]) => mine as [string, number][]);
  for (const [survivor, names] of mine.entries()) {
    const kind = `survivor ${survivor + 1}`;
    assert.is(registry.count(kind), names.length);
    for (const [id, n] of names) assert.is(expectWhole(id, registry.whereis(kind, id)?.config).n, n);
  }
  const stats = registry.partitionStats();
  const sum = (key: 'lockSteals' | 'lockWaits' | 'swept') => stats.reduce((sum, shard) => sum + shard[key], 0);
  console.log(`${Atomics.load(words, 1)} operations of the killed, ${found} names of the living listed meanwhile`);
  console.log(`${sum('lockSteals')} locks taken from the dead, ${sum('lockWaits')} waits, ${sum('swept')} swept`);
  await auditEmptyOnceSwept(registry, ['name', 'survivor 1', 'survivor 2']);
  for (const survivor of survivors) survivor.postMessage('end');
  await Promise.all(survivors.map((survivor) => once(survivor, 'exit')));
});

test.run();
