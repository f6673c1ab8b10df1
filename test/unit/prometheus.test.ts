import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Registry } from '../../src/engine/index.ts';
import { codeOf } from '../support/errors.ts';
import { type Family, parsePrometheus } from '../support/prometheus.ts';

const test = suite('prometheus');

const sampleOf = (
  families: Map<string, Family>,
  name: string,
  labels: Record<string, string> = {},
): number | undefined =>
  families
    .get(name)
    ?.samples.find((sample) => Object.entries(labels).every(([label, text]) => sample.labels[label] === text))?.value;

test('the text is as the format wants it, and says what the figures say', async () => {
  await using registry = await Registry.open({ shards: 4 });
  const owner = registry.owner();
  for (let n = 0; n < 500; n++) registry.register(n % 5 === 0 ? 'transport' : 'server', `${n}`, { owner });
  for (let n = 0; n < 50; n++) registry.update('server', '1', n);
  registry.unregister('server', '2');
  registry.groups.join('all');
  registry.counter('requests').increment(7);
  registry.admission.force('closed');
  const text = registry.insight.prometheusText();
  const families = parsePrometheus(text);
  assert.is(sampleOf(families, 'rollcall_names', { kind: 'server' }), 399);
  assert.is(sampleOf(families, 'rollcall_names', { kind: 'transport' }), 100);
  assert.is(sampleOf(families, 'rollcall_threads'), 1);
  assert.is(sampleOf(families, 'rollcall_owners'), 1);
  assert.is(sampleOf(families, 'rollcall_group_members', { group: 'all' }), 1);
  assert.is(sampleOf(families, 'rollcall_counter', { name: 'requests' }), 7);
  assert.is(sampleOf(families, 'rollcall_admission_open'), 0);
  assert.is(sampleOf(families, 'rollcall_admission_forced'), 1);
  const total = (name: string) => families.get(name)?.samples.reduce((sum, { value }) => sum + value, 0);
  assert.is(total('rollcall_shard_updates_total'), 50);
  assert.is(total('rollcall_shard_removals_total'), 1);
  assert.is(families.get('rollcall_shard_entries')?.samples.length, 4);
  const { writes, memory } = registry.insight.figures();
  assert.is(sampleOf(families, 'rollcall_memory_bytes', { part: 'control' }), memory.controlBytes);
  const buckets = families.get('rollcall_write_duration_seconds')?.samples;
  assert.is(buckets?.length, writes.buckets.length + 3);
  assert.is(sampleOf(families, 'rollcall_write_duration_seconds', { le: '+Inf' }), writes.count);
  for (const sample of families.get('rollcall_shard_write_seconds')?.samples ?? []) {
    assert.ok(sample.value >= 0, 'every shard has been written to');
  }
});

test('what has come down to nothing stays at 0, but for groups', async () => {
  await using registry = await Registry.open({ shards: 1 });
  const owner = registry.owner();
  registry.register('server', 'x', { owner });
  registry.groups.join('g', { owner });
  registry.counter('calls', { owner }).increment();
  const read = () => parsePrometheus(registry.insight.prometheusText());
  const before = read();
  const of = (families: Map<string, Family>): unknown[] => [
    sampleOf(families, 'rollcall_names', { kind: 'server' }),
    sampleOf(families, 'rollcall_counter', { name: 'calls' }),
    sampleOf(families, 'rollcall_group_members', { group: 'g' }),
    sampleOf(families, 'rollcall_group_memberships'),
  ];
  assert.equal(of(before), [1, 1, 1, 1]);
  owner.close();
  assert.equal(of(read()), [0, 0, undefined, 0]);
  assert.equal([...read().keys()], [...before.keys()]);
});

test('names with any character come out as they went in', async () => {
  await using registry = await Registry.open({ shards: 1 });
  const odd = ['"', '\\', '\n', '\\n', '"} 5\n# TYPE x gauge\nx', '{', ',', 'é € 𝄞', ' '];
  for (const text of odd) {
    registry.register(text, 'id');
    registry.groups.join(text);
    registry.counter(text).increment();
  }
  const families = parsePrometheus(registry.insight.prometheusText({ labels: { registry: odd[4] } }));
  for (const text of odd) {
    assert.is(sampleOf(families, 'rollcall_names', { kind: text, registry: odd[4] }), 1);
    assert.is(sampleOf(families, 'rollcall_group_members', { group: text }), 1);
    assert.is(sampleOf(families, 'rollcall_counter', { name: text }), 1);
  }
});

test('labels of the application are on every sample, and must be labels', async () => {
  await using registry = await Registry.open({ shards: 1 });
  const families = parsePrometheus(registry.insight.prometheusText({ labels: { registry: 'sessions', a_1: '' } }));
  for (const { samples } of families.values()) {
    for (const { labels } of samples) assert.equal([labels.registry, labels.a_1], ['sessions', '']);
  }
  for (const labels of [
    { shard: 'x' },
    { '1a': 'x' },
    { 'a-b': 'x' },
    { __name: 'x' },
    { '': 'x' },
    { a: 5 },
    { a: '\ud800' },
    5,
  ]) {
    // biome-ignore lint/suspicious/noExplicitAny: what the types refuse
    const refused = codeOf(() => registry.insight.prometheusText({ labels: labels as any }));
    assert.is(refused, 'INVALID_OPTION', JSON.stringify(labels));
  }
});

test.run();
