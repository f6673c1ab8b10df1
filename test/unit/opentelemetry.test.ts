import { AggregationTemporality, type DataPoint, MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Registry } from '../../src/engine/index.ts';
import { observe } from '../../src/engine/opentelemetry.ts';

const test = suite('opentelemetry');

/** Collects when it is told to. */
class Reader extends MetricReader {
  protected async onShutdown(): Promise<void> {}
  protected async onForceFlush(): Promise<void> {}

  async points(): Promise<Map<string, readonly DataPoint<number>[]>> {
    const { resourceMetrics, errors } = await this.collect();
    assert.equal(errors, []);
    const metrics = resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics);
    return new Map(metrics.map(({ descriptor, dataPoints }) => [descriptor.name, dataPoints as DataPoint<number>[]]));
  }
}

test('instruments say what the figures say, in each collection, until they are disposed of', async () => {
  await using registry = await Registry.open({ shards: 2 });
  const reader = new Reader({ aggregationTemporalitySelector: () => AggregationTemporality.CUMULATIVE });
  const meter = new MeterProvider({ readers: [reader] }).getMeter('test');
  const observation = observe(registry, meter);
  const owner = registry.owner();
  for (let n = 0; n < 200; n++) registry.register(n % 4 === 0 ? 'transport' : 'server', `${n}`, { owner });
  registry.groups.join('all');
  registry.counter('requests').increment(5);
  const first = await reader.points();
  const valuesOf = (points: typeof first, name: string): (readonly [unknown, number])[] =>
    (points.get(name) ?? []).map(({ attributes, value }) => [Object.values(attributes)[0], value]);
  assert.equal(valuesOf(first, 'rollcall.names'), [
    ['server', 150],
    ['transport', 50],
  ]);
  assert.equal(valuesOf(first, 'rollcall.group.members'), [['all', 1]]);
  assert.equal(valuesOf(first, 'rollcall.counter'), [['requests', 5]]);
  assert.equal(valuesOf(first, 'rollcall.owners'), [[undefined, 1]]);
  assert.equal(valuesOf(first, 'rollcall.admission.open'), [[undefined, 1]]);
  const durations = valuesOf(first, 'rollcall.write.duration');
  assert.equal(
    durations.map(([quantile]) => quantile),
    [0.5, 0.99, 1],
  );
  assert.ok(durations.every(([, seconds], n) => seconds > 0 && (n === 0 || seconds >= durations[n - 1][1])));
  assert.equal(valuesOf(first, 'rollcall.lock.wait.duration'), [], 'nobody has waited');
  const sum = (points: typeof first, name: string) => valuesOf(points, name).reduce((all, [, value]) => all + value, 0);
  assert.is(valuesOf(first, 'rollcall.updates').length, 2, 'one of each shard');
  assert.is(sum(first, 'rollcall.updates'), 0);
  registry.update('server', '1', 'new');
  registry.admission.force('closed');
  const second = await reader.points();
  assert.is(sum(second, 'rollcall.updates'), 1);
  assert.equal(valuesOf(second, 'rollcall.admission.open'), [[undefined, 0]]);
  observation[Symbol.dispose]();
  registry.update('server', '1', 'newer');
  assert.is(sum(await reader.points(), 'rollcall.updates'), 1, 'as it was observed last');
});

test('a closed registry is observed no more, and hurts no collection', async () => {
  const registry = await Registry.open({ shards: 1 });
  const reader = new Reader();
  observe(registry, new MeterProvider({ readers: [reader] }).getMeter('test'));
  assert.ok((await reader.points()).has('rollcall.threads'));
  await registry.close();
  await reader.points(); // has no errors
});

test.run();
