import { Registry } from '../src/engine/index.ts';
import { type Effort, type Loop, measureInTurns, type Row } from './lib/compare.ts';
import { makeNames, randomNumbers, sampleConfig } from './lib/names.ts';

export const name = 'lookup';
export const summary = 'lookups of one thread against a private Map of objects: by reference, by name warm and cold';

const HOT = 1_000;
const MANY = 100_000;

/** Both sides hold the same 100,000 names; a loop looks 1,000 of them up and uses a field of each answer. */
export async function run(effort: Effort, note: (line: string) => void): Promise<Row[]> {
  await using registry = await Registry.open();
  const names = makeNames(MANY);
  const map = new Map<string, { version: number; config: object }>();
  for (const [n, id] of names.entries()) {
    registry.register('server', id, { config: sampleConfig });
    map.set(id, { version: n, config: structuredClone(sampleConfig) });
  }
  const random = randomNumbers(1);
  const hot = Array.from({ length: HOT }, () => names[random(MANY)]);
  const many = Array.from({ length: MANY }, () => names[random(MANY)]);
  const hotRefs = hot.map((id) => registry.ref('server', id));
  note(`${MANY} names of 20 characters, configs of ${JSON.stringify(sampleConfig).length} bytes, seed 1`);

  const loop = (title: string, ids: readonly string[], lookup: (id: string) => number): Loop => ({
    name: title,
    operations: ids.length,
    run() {
      let sum = 0;
      for (let n = 0; n < ids.length; n++) sum += lookup(ids[n]) & 1;
      return sum;
    },
  });
  const mapHot = loop('Map.get of an object, 1,000 hot names', hot, (id) => map.get(id)!.version);
  const mapMany = loop('Map.get of an object, 100,000 names at random', many, (id) => map.get(id)!.version);
  const fresh = (id: string) => Buffer.from(id, 'latin1');
  const wire = hot.map(fresh);
  const whereisHot = loop('whereis, warm, 1,000 hot names', hot, (id) => registry.whereis('server', id)!.version);
  const whereisMany = loop(
    'whereis, warm, 100,000 names at random',
    many,
    (id) => registry.whereis('server', id)!.version,
  );
  const refHot: Loop = {
    name: 'ref().current(), hot',
    operations: HOT,
    run() {
      let sum = 0;
      for (let n = 0; n < HOT; n++) sum += hotRefs[n].current()!.version & 1;
      return sum;
    },
  };
  const cold = loop(
    'new ref: cold lookup with its config copied',
    hot,
    (id) => registry.ref('server', id).current()!.version,
  );
  const fromWire = (title: string, lookup: (id: string) => number): Loop => ({
    name: title,
    operations: HOT,
    run() {
      let sum = 0;
      for (let n = 0; n < HOT; n++) sum += lookup(wire[n].toString('latin1')) & 1;
      return sum;
    },
  });
  const mapFresh = fromWire('Map.get, name decoded from bytes', (id) => map.get(id)!.version);
  const whereisFresh = fromWire('whereis, name decoded from bytes', (id) => registry.whereis('server', id)!.version);

  const pairs: [Loop, Loop][] = [
    [refHot, mapHot],
    [whereisHot, mapHot],
    [whereisMany, mapMany],
    [whereisFresh, mapFresh],
    [cold, mapHot],
  ];
  const rows: Row[] = [];
  for (const [subject, peer] of pairs) {
    const times = await measureInTurns([subject, peer], effort);
    const mine = times.get(subject)!;
    const theirs = times.get(peer)!;
    const spread = ({ quartiles: [low, high] }: typeof mine) => `${low.toFixed(1)}–${high.toFixed(1)}`;
    note(`${subject.name}: quartiles ${spread(mine)} ns; ${peer.name}: ${spread(theirs)} ns`);
    rows.push({
      benchmark: name,
      subject: subject.name,
      peer: peer.name,
      value: mine.median,
      peerValue: theirs.median,
      unit: 'ns',
      ratio: mine.median / theirs.median,
    });
  }
  return rows;
}
