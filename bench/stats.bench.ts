import { encodeConfig, Registry } from '../src/engine/index.ts';
import { ANY } from '../src/shared/shard.ts';
import type { Context } from './lib/benchmark.ts';
import { draw, hotNames, kind, makeNames, sampleConfig } from './lib/fixtures.ts';
import { Internals } from './lib/internals.ts';
import { ratioAtMost } from './lib/rows.ts';
import { loop } from './lib/sampler.ts';

export const name = 'stats';
export const summary = 'what timing writes costs them; counters; lookups of names with a time to live';

export async function run(context: Context): Promise<void> {
  const { effort, rows, resources } = context;
  const registry = resources.use(await Registry.open());
  const names = makeNames(effort.size(10_000, 1_000));
  for (const id of names) registry.register(kind, id, { config: sampleConfig });
  const hot = draw(names, hotNames, 1);
  const encoded = encodeConfig(sampleConfig);

  const counting = resources.use(new Internals(registry)).table;
  const silent = resources.use(new Internals(registry)).table;
  for (const shard of silent.shards) shard.timer = undefined;
  const kindId = counting.kinds.find(kind);
  const write = (table: typeof counting, id: string): number => {
    const { key } = table;
    key.encode(kindId, id);
    return table.shards[table.shardOf(key.hash)].update(key, ANY, encoded);
  };
  const counted = loop('a locked write, counted and timed', hotNames, () => {
    let sum = 0;
    for (let n = 0; n < hotNames; n++) sum += 1 + write(counting, hot[n]);
    return sum;
  });
  const uncounted = loop('a locked write, neither', hotNames, () => {
    let sum = 0;
    for (let n = 0; n < hotNames; n++) sum += 1 + write(silent, hot[n]);
    return sum;
  });
  const figures = await context.measure('writes', [counted, uncounted]);
  rows.times(figures, counted, uncounted, { goal: ratioAtMost(1.05), headline: true });

  const counter = registry.counter('bench');
  const bare = new Int32Array(new SharedArrayBuffer(64));
  const increment = loop('counter.increment', hotNames, () => {
    for (let n = 0; n < hotNames; n++) counter.increment();
    return counter.read();
  });
  const add = loop('Atomics.add alone', hotNames, () => {
    for (let n = 0; n < hotNames; n++) Atomics.add(bare, 0, 1);
    return bare[0];
  });
  const counterFigures = await context.measure('counters', [increment, add]);
  rows.times(counterFigures, increment, add);

  const mortals = hot.map((id) => `${id} with a time to live`);
  const leases = new Map(mortals.map((id) => [id, registry.registerOrUpdate(kind, id, { ttlMs: 3_600_000 })]));
  const lookup = loop('whereis, names with a time to live', hotNames, () => {
    let sum = 0;
    for (let n = 0; n < hotNames; n++) sum += registry.whereis(kind, mortals[n])!.owner.slot;
    return sum;
  });
  const lookupLasting = loop('whereis, names without', hotNames, () => {
    let sum = 0;
    for (let n = 0; n < hotNames; n++) sum += registry.whereis(kind, hot[n])!.owner.slot;
    return sum;
  });
  const renewal = loop('registration.renew', hotNames, () => {
    let sum = 0;
    for (let n = 0; n < hotNames; n++) if (leases.get(mortals[n])!.renew()) sum++;
    return sum;
  });
  const lookupFigures = await context.measure('lookups', [lookup, lookupLasting, renewal]);
  rows.times(lookupFigures, lookup, lookupLasting);
  rows.times(lookupFigures, renewal, undefined);
}
