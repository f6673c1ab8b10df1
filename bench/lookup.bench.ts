import { Registry } from '../src/engine/index.ts';
import type { Context } from './lib/benchmark.ts';
import { draw, equalStrings, hotNames, kind, makeNames, privateMap, sampleText } from './lib/fixtures.ts';
import { Internals } from './lib/internals.ts';
import { ratioAtMost } from './lib/rows.ts';
import { loop } from './lib/sampler.ts';

export const name = 'lookup';
export const summary = 'lookups of one thread against a private Map: by reference, by name warm and cold';

/** Every loop is written out: see `loop`. All sides hold the same names and use a field of each answer. */
export async function run(context: Context): Promise<void> {
  const { effort, rows, resources } = context;
  const total = effort.size(100_000, 5_000);
  const registry = resources.use(await Registry.open());
  const names = makeNames(total);
  const objects = privateMap(names);
  const numbers = new Map(names.map((id, n) => [id, n]));
  for (const id of names) registry.register(kind, id, { config: JSON.parse(sampleText) });
  // Another attachment of this thread has a cache of its own, which stays empty: `has` and `ref` leave it so.
  const uncached = resources.use(Registry.attach(registry.handle));
  const internals = resources.use(new Internals(registry));
  context.note(`${total} names of 20 characters, configs of ${sampleText.length} bytes, the cache at its default size`);

  const hot = draw(names, hotNames, 1);
  const refs = hot.map((id) => registry.ref(kind, id));
  const refHot = loop('ref.current(), hot', hotNames, () => {
    let sum = 0;
    for (let n = 0; n < hotNames; n++) sum += refs[n].current()!.version & 1;
    return sum;
  });
  const whereisHot = loop('whereis, 1,000 hot names', hotNames, () => {
    let sum = 0;
    for (let n = 0; n < hotNames; n++) sum += registry.whereis(kind, hot[n])!.version & 1;
    return sum;
  });
  const objectHot = loop('Map.get of an object, 1,000 hot names', hotNames, () => {
    let sum = 0;
    for (let n = 0; n < hotNames; n++) sum += objects.get(hot[n])!.version & 1;
    return sum;
  });
  const numberHot = loop('Map.get of a number, 1,000 hot names', hotNames, () => {
    let sum = 0;
    for (let n = 0; n < hotNames; n++) sum += numbers.get(hot[n])! & 1;
    return sum;
  });
  const ownerHot = loop('owner of a name, cold, hot memory', hotNames, () => {
    let sum = 0;
    for (let n = 0; n < hotNames; n++) sum += internals.ownerOf(hot[n]);
    return sum;
  });
  const hasHot = loop('has, cold, hot memory', hotNames, () => {
    let sum = 0;
    for (let n = 0; n < hotNames; n++) sum += uncached.has(kind, hot[n]) ? 1 : 0;
    return sum;
  });
  const firstHot = loop('first whereis of a name, hot memory', hotNames, () => {
    let sum = 0;
    for (let n = 0; n < hotNames; n++) sum += uncached.ref(kind, hot[n]).current()!.version & 1;
    return sum;
  });
  const internal = 'the engine’s reader below the public calls: hash, probe, validate';
  const hotFigures = await context.measure('hot names', [
    refHot,
    whereisHot,
    objectHot,
    numberHot,
    ownerHot,
    hasHot,
    firstHot,
  ]);
  rows.times(hotFigures, refHot, objectHot, { goal: ratioAtMost(0.35), headline: true });
  rows.times(hotFigures, whereisHot, objectHot, { goal: ratioAtMost(1), headline: true });
  rows.times(hotFigures, whereisHot, numberHot);
  rows.times(hotFigures, ownerHot, numberHot, { goal: ratioAtMost(2.6), note: internal });
  rows.times(hotFigures, hasHot, numberHot, { goal: ratioAtMost(2.6), note: 'the public call, its cache empty' });
  rows.times(hotFigures, firstHot, objectHot, {
    note: 'a new ref: the config is copied, an entry and a proof are made',
  });

  const many = draw(names, total, 2);
  const whereisMany = loop('whereis, 100,000 names at random', total, () => {
    let sum = 0;
    for (let n = 0; n < many.length; n++) sum += registry.whereis(kind, many[n])!.version & 1;
    return sum;
  });
  const objectMany = loop('Map.get of an object, 100,000 names at random', total, () => {
    let sum = 0;
    for (let n = 0; n < many.length; n++) sum += objects.get(many[n])!.version & 1;
    return sum;
  });
  const numberMany = loop('Map.get of a number, 100,000 names at random', total, () => {
    let sum = 0;
    for (let n = 0; n < many.length; n++) sum += numbers.get(many[n])! & 1;
    return sum;
  });
  const ownerMany = loop('owner of a name, cold, 100,000 names at random', total, () => {
    let sum = 0;
    for (let n = 0; n < many.length; n++) sum += internals.ownerOf(many[n]);
    return sum;
  });
  const hasMany = loop('has, cold, 100,000 names at random', total, () => {
    let sum = 0;
    for (let n = 0; n < many.length; n++) sum += uncached.has(kind, many[n]) ? 1 : 0;
    return sum;
  });
  const manyFigures = await context.measure('many names', [whereisMany, objectMany, numberMany, ownerMany, hasMany]);
  rows.times(manyFigures, whereisMany, objectMany, { goal: ratioAtMost(1.5), headline: true });
  rows.times(manyFigures, ownerMany, numberMany, { goal: ratioAtMost(3), note: internal });
  rows.times(manyFigures, hasMany, numberMany, { goal: ratioAtMost(3), note: 'the public call, its cache empty' });

  // Names that have just arrived: V8 has not hashed these strings yet. Decoding them is not measured.
  const wire = many.map((id) => Buffer.from(id));
  let arrived: string[] = [];
  const arrive = () => {
    arrived = wire.map((bytes) => bytes.toString('latin1'));
  };
  const ownerFresh = loop(
    'owner of a name, cold, fresh strings',
    total,
    () => {
      let sum = 0;
      for (let n = 0; n < arrived.length; n++) sum += internals.ownerOf(arrived[n]);
      return sum;
    },
    arrive,
  );
  const hasFresh = loop(
    'has, cold, fresh strings',
    total,
    () => {
      let sum = 0;
      for (let n = 0; n < arrived.length; n++) sum += uncached.has(kind, arrived[n]) ? 1 : 0;
      return sum;
    },
    arrive,
  );
  const whereisFresh = loop(
    'whereis(…).owner, fresh strings',
    total,
    () => {
      let sum = 0;
      for (let n = 0; n < arrived.length; n++) sum += registry.whereis(kind, arrived[n])!.owner.slot;
      return sum;
    },
    arrive,
  );
  const objectFresh = loop(
    'Map.get of an object, fresh strings',
    total,
    () => {
      let sum = 0;
      for (let n = 0; n < arrived.length; n++) sum += objects.get(arrived[n])!.version & 1;
      return sum;
    },
    arrive,
  );
  const freshFigures = await context.measure('fresh strings', [ownerFresh, hasFresh, whereisFresh, objectFresh]);
  rows.times(freshFigures, ownerFresh, objectFresh, { goal: ratioAtMost(0.6), note: internal, headline: true });
  rows.times(freshFigures, hasFresh, objectFresh, { goal: ratioAtMost(0.6), note: 'the public call, its cache empty' });
  rows.times(freshFigures, whereisFresh, objectFresh, {
    goal: ratioAtMost(0.6),
    note: 'warm, through the cache, which is a Map itself',
  });

  const equal = equalStrings(hot);
  const absent = equal.map((id) => `${id.slice(0, -1)}x`);
  const whereisEqual = loop('whereis, equal strings', hotNames, () => {
    let sum = 0;
    for (let n = 0; n < hotNames; n++) sum += registry.whereis(kind, equal[n])!.version & 1;
    return sum;
  });
  const objectEqual = loop('Map.get, equal strings', hotNames, () => {
    let sum = 0;
    for (let n = 0; n < hotNames; n++) sum += objects.get(equal[n])!.version & 1;
    return sum;
  });
  const whereisAbsent = loop('whereis of names that nobody has', hotNames, () => {
    let sum = 0;
    for (let n = 0; n < hotNames; n++) sum += registry.whereis(kind, absent[n]) === undefined ? 1 : 0;
    return sum;
  });
  const objectAbsent = loop('Map.get of names that nobody has', hotNames, () => {
    let sum = 0;
    for (let n = 0; n < hotNames; n++) sum += objects.get(absent[n]) === undefined ? 1 : 0;
    return sum;
  });
  const firstDecoded = loop('first whereis of a name, and its config parsed', hotNames, () => {
    let sum = 0;
    for (let n = 0; n < hotNames; n++) {
      const config = uncached.ref(kind, hot[n]).current()!.config as { port: number };
      sum += config.port & 1;
    }
    return sum;
  });
  const texts = new Map(names.map((id) => [id, sampleText]));
  const textParsed = loop('Map.get of JSON text, and JSON.parse', hotNames, () => {
    let sum = 0;
    for (let n = 0; n < hotNames; n++) sum += (JSON.parse(texts.get(hot[n])!) as { port: number }).port & 1;
    return sum;
  });
  const others = [whereisEqual, objectEqual, whereisAbsent, objectAbsent, firstDecoded, textParsed];
  const otherFigures = await context.measure('equal strings, absent names, configs', others);
  rows.times(otherFigures, whereisEqual, objectEqual);
  rows.times(otherFigures, whereisAbsent, objectAbsent);
  rows.times(otherFigures, firstDecoded, textParsed, {
    note: 'the parsed config is frozen, and kept for later lookups',
  });
}
