import { encodeConfig, Registry } from '../src/engine/index.ts';
import type { Context } from './lib/benchmark.ts';
import { draw, hotNames, kind, makeNames, privateMap, sampleConfig, sampleText } from './lib/fixtures.ts';
import { valueAtLeast } from './lib/rows.ts';
import { loop } from './lib/sampler.ts';

export const name = 'writes';
export const summary = 'updates and registrations of one thread, beside what JSON and a private Map take';

export async function run(context: Context): Promise<void> {
  const { effort, rows, resources } = context;
  const registry = resources.use(await Registry.open());
  const names = makeNames(effort.size(100_000, 5_000));
  const map = privateMap(names);
  for (const id of names) registry.register(kind, id, { config: sampleConfig });
  const hot = draw(names, hotNames, 1);
  const encoded = encodeConfig(sampleConfig);
  context.note(`configs of ${encoded.byteLength} bytes`);

  const updateObject = loop('update from an object, 1,000 hot names', hotNames, () => {
    let sum = 0;
    for (let n = 0; n < hotNames; n++) sum += registry.update(kind, hot[n], sampleConfig) & 1;
    return sum;
  });
  const updateEncoded = loop('update with a pre-encoded config, 1,000 hot names', hotNames, () => {
    let sum = 0;
    for (let n = 0; n < hotNames; n++) sum += registry.update(kind, hot[n], encoded) & 1;
    return sum;
  });
  const stringify = loop('JSON.stringify alone', hotNames, () => {
    let sum = 0;
    for (let n = 0; n < hotNames; n++) sum += JSON.stringify(sampleConfig).length;
    return sum;
  });
  const parseAndSet = loop('JSON.parse and Map.set', hotNames, () => {
    let sum = 0;
    for (let n = 0; n < hotNames; n++) {
      const id = hot[n];
      map.set(id, { id, version: n, config: JSON.parse(sampleText) });
      sum += n & 1;
    }
    return sum;
  });
  const updates = [updateObject, updateEncoded, stringify, parseAndSet];
  const updateFigures = await context.measure('updates', updates);
  rows.rates(updateFigures, updateObject, stringify, { goal: valueAtLeast(0.9), headline: true });
  rows.rates(updateFigures, updateEncoded, stringify, { goal: valueAtLeast(2), headline: true });
  rows.rates(updateFigures, updateEncoded, parseAndSet);

  const many = draw(names, names.length, 2);
  const updateMany = loop('update with a pre-encoded config, 100,000 names at random', many.length, () => {
    let sum = 0;
    for (let n = 0; n < many.length; n++) sum += registry.update(kind, many[n], encoded) & 1;
    return sum;
  });
  const fresh = Array.from({ length: hotNames }, (_, n) => `other-${String(n).padStart(14, '0')}`);
  const cycle = loop('register + unregister, from an object', hotNames, () => {
    let sum = 0;
    for (let n = 0; n < hotNames; n++) sum += registry.register(kind, fresh[n], { config: sampleConfig }).record & 1;
    for (let n = 0; n < hotNames; n++) sum += registry.unregister(kind, fresh[n]) ? 1 : 0;
    return sum;
  });
  const cycleEncoded = loop('register + unregister, pre-encoded', hotNames, () => {
    let sum = 0;
    for (let n = 0; n < hotNames; n++) sum += registry.register(kind, fresh[n], { config: encoded }).record & 1;
    for (let n = 0; n < hotNames; n++) sum += registry.unregister(kind, fresh[n]) ? 1 : 0;
    return sum;
  });
  const mapCycle = loop('JSON.parse, Map.set and Map.delete', hotNames, () => {
    let sum = 0;
    for (let n = 0; n < hotNames; n++) {
      map.set(fresh[n], { id: fresh[n], version: n, config: JSON.parse(sampleText) });
    }
    for (let n = 0; n < hotNames; n++) sum += map.delete(fresh[n]) ? 1 : 0;
    return sum;
  });
  const cycles = [updateMany, cycle, cycleEncoded, mapCycle];
  const cycleFigures = await context.measure('registrations', cycles);
  rows.rates(cycleFigures, updateMany, undefined);
  rows.rates(cycleFigures, cycle, mapCycle, { goal: valueAtLeast(0.6), headline: true });
  rows.rates(cycleFigures, cycleEncoded, mapCycle);
}
