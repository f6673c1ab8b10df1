import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Registry } from '../../src/engine/index.ts';
import { bucketOf, countsSince, middleOf, quantileOf, ticksOf } from '../../src/shared/histogram.ts';
import { limits } from '../../src/shared/limits.ts';
import { histogramBuckets } from '../../src/shared/monitor-layout.ts';
import { ShardView } from '../../src/shared/shard-view.ts';
import { Table } from '../../src/shared/table.ts';
import { codeOf } from '../support/errors.ts';
import { LockHolder } from '../support/lock-holder.ts';
import { Random } from '../support/random.ts';
import { Thread } from '../support/threads.ts';
import { until } from '../support/waiting.ts';

const test = suite('statistics');

test('a histogram knows each duration to 6.25 %, from 0 to 68 s', () => {
  const random = new Random(1);
  const values = [
    0,
    1,
    7,
    8,
    15,
    16,
    17,
    0xffffffff,
    ...Array.from({ length: 10_000 }, () => 2 ** random.below(33) - 1),
  ];
  for (const base of values) {
    for (const ticks of [base, base + random.below(1_000)].filter((ticks) => ticks <= 0xffffffff)) {
      const bucket = bucketOf(ticks);
      assert.ok(bucket >= 0 && bucket < histogramBuckets, `bucket ${bucket} of ${ticks}`);
      assert.ok(Math.abs(middleOf(bucket) - ticks) <= Math.max(0.5, ticks / 16), `${ticks} in bucket ${bucket}`);
    }
  }
  assert.is(bucketOf(0xffffffff), histogramBuckets - 1);
  assert.is(ticksOf(1e9), 0xffffffff, 'what is longer is counted as the longest');
  assert.is(ticksOf(-1), 0);
  assert.ok(ticksOf(limits.lockWaitWorkerMs) < 0xffffffff);
});

test('a view that has to read under the lock is measured as no write', async () => {
  await using registry = await Registry.open({ shards: 1 });
  registry.register('kind', 'name');
  const table = new Table(registry.handle);
  const [reader] = table.readers;
  const moves = 2 * (limits.changesLogged + 1);
  // Others write so much during each reading that it is void.
  const cleared = () => {
    table.control[reader.changeSequenceAt] += moves;
  };
  const index = { placed() {}, vacated() {}, cleared };
  registry.resetStats();
  const taken = () => registry.partitionStats()[0].lockTakings;
  const before = taken();
  for (let n = 0; n < 3 * limits.writeSampleEvery; n++) {
    new ShardView(table.shards[0], reader, table.kinds.find('kind'), index).catchUp();
  }
  assert.ok(taken() > before, 'they take it');
  assert.is(registry.partitionStats()[0].writeLatency.count, 0);
  table.detach();
});

test('quantiles are those of the sorted durations', () => {
  const random = new Random(2);
  for (const size of [1, 10, 1_000]) {
    const counts = new Uint32Array(histogramBuckets);
    const seen: number[] = [];
    for (let n = 0; n < size; n++) {
      const ticks = random.below(2 ** (1 + random.below(30)));
      seen.push(ticks);
      counts[bucketOf(ticks)]++;
    }
    seen.sort((a, b) => a - b);
    for (const share of [0.01, 0.5, 0.99, 1]) {
      const exact = seen[Math.ceil(seen.length * share) - 1];
      const found = quantileOf(counts, share);
      assert.ok(Math.abs(found - exact) <= Math.max(0.5, exact / 16), `${share}: ${found}, not ${exact}`);
    }
  }
  assert.is(quantileOf(new Uint32Array(histogramBuckets), 0.99), 0);
});

test('what was counted between two readings is told also over a wrap and a reset', () => {
  const since = (before: number, now: number) => countsSince(Uint32Array.of(before), Uint32Array.of(now))[0];
  assert.is(since(5, 8), 3);
  assert.is(since(0xffffffff, 2), 3, 'wrapped');
  assert.is(since(1_000, 2), 2, 'reset');
});

test('writes are counted, sampled and measured per shard', async () => {
  await using registry = await Registry.open({ shards: 1 });
  const writes = 64 * limits.writeSampleEvery;
  for (let n = 0; n < writes; n++) registry.registerOrUpdate('kind', `name ${n % 100}`, { config: n });
  const [stats] = registry.partitionStats();
  const { count, p50Us, p99Us, maxUs, meanUs } = stats.writeLatency;
  assert.ok(Math.abs(count - writes) <= limits.writeSampleEvery, `${count} of ${writes} writes`);
  assert.ok(p50Us > 0 && p50Us <= p99Us && p99Us <= maxUs && meanUs <= maxUs);
  assert.ok(stats.recentWriteMeanUs > 0 && stats.recentWriteMeanUs <= maxUs);
  assert.ok(stats.lockTakings >= writes);
  assert.ok(stats.probesMean >= 1 && stats.probesMean <= stats.slots);
  assert.equal(stats.lockWaitLatency, { count: 0, p50Us: 0, p99Us: 0, maxUs: 0, meanUs: 0 });
});

test('every lock wait is measured, and the write that waited', async () => {
  await using registry = await Registry.open({ shards: 1 });
  registry.register('kind', 'name');
  await using holder = await LockHolder.start(registry.handle);
  await using writer = await Thread.start(registry.handle);
  const update = () => writer.run(({ registry }) => void registry.update('kind', 'name', 1));
  for (let n = 0; n < 3; n++) {
    await holder.hold({ shards: [0] });
    const heldMs = performance.now();
    const done = update();
    await until('30 ms have passed', () => performance.now() - heldMs > 30);
    await holder.release();
    await done;
  }
  const [{ lockWaits, lockWaitLatency, writeLatency }] = registry.partitionStats();
  assert.is(lockWaits, 3);
  assert.is(lockWaitLatency.count, 3);
  assert.ok(lockWaitLatency.maxUs > 0 && writeLatency.maxUs >= lockWaitLatency.maxUs, 'the wait is part of the write');
  assert.ok(lockWaitLatency.p99Us <= lockWaitLatency.maxUs);
});

test('what is no write is not counted as one', async () => {
  await using registry = await Registry.open({ shards: 1 });
  for (let n = 0; n < 200; n++) {
    using owner = registry.owner();
    registry.register('kind', `name ${n}`, { owner });
  } // each close sweeps a record
  const [{ registrations, removals, writeLatency, lockTakings }] = registry.partitionStats();
  assert.is(registrations, 200);
  assert.is(removals, 200);
  assert.ok(lockTakings >= 400);
  assert.ok(writeLatency.count <= 200 + limits.writeSampleEvery, `${writeLatency.count} writes`);
});

test('statistics are reset for every thread, by any thread', async () => {
  await using registry = await Registry.open({ shards: 2 });
  await using thread = await Thread.start(registry.handle);
  for (let n = 0; n < 1_000; n++) registry.registerOrUpdate('kind', `name ${n % 10}`, { config: n });
  const { length } = registry.partitionStats().filter(({ entries }) => entries > 0);
  await thread.run(({ registry }) => registry.resetStats());
  for (const stats of registry.partitionStats()) {
    for (const counter of ['registrations', 'updates', 'removals', 'swept', 'lockWaits', 'lockSteals'] as const) {
      assert.is(stats[counter], 0, counter);
    }
    assert.is(stats.writeLatency.count + stats.lockWaitLatency.count + stats.writeLatency.maxUs, 0);
    assert.is(stats.recentWriteMeanUs + stats.probesMean, 0);
  }
  assert.is(registry.partitionStats().filter(({ entries }) => entries > 0).length, length, 'entries are no statistics');
  registry.update('kind', 'name 0', 1);
  assert.is(
    registry.partitionStats().reduce((sum, { updates }) => sum + updates, 0),
    1,
    'counting goes on',
  );
});

test('a shard that cannot be reset keeps no other from it', async () => {
  await using registry = await Registry.open({ shards: 2 });
  for (let n = 0; n < 100; n++) registry.register('kind', `name ${n}`);
  await using holder = await LockHolder.start(registry.handle);
  await holder.hold({ shards: [0] });
  assert.is(
    codeOf(() => registry.resetStats()),
    'BUSY',
  );
  const [stuck, free] = registry.partitionStats();
  assert.ok(stuck.registrations > 0);
  assert.is(free.registrations, 0);
  await holder.release();
  registry.resetStats();
  assert.is(registry.partitionStats()[0].registrations, 0);
});

test.run();
