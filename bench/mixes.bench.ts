import { encodeConfig, Registry } from '../src/engine/index.ts';
import type { Context } from './lib/benchmark.ts';
import { draw, hotNames, kind, makeNames, privateMap, randomNumbers, sampleText } from './lib/fixtures.ts';
import { ratioAtMost } from './lib/rows.ts';
import { type Contestant, loop } from './lib/sampler.ts';

export const name = 'mixes';
export const summary = 'lookups mixed with updates, one thread, against a private Map under the same mix';

/** Lookups and updates of one pass. */
const OPERATIONS = 10_000;

/** A pass is ten draws of 1,000 names; `writes` marks the operations that are updates. */
export async function run(context: Context): Promise<void> {
  const { effort, rows, resources } = context;
  const registry = resources.use(await Registry.open());
  const names = makeNames(effort.size(100_000, 5_000));
  const map = privateMap(names);
  const encoded = encodeConfig(JSON.parse(sampleText));
  for (const id of names) registry.register(kind, id, { config: encoded });
  const hot = draw(draw(names, hotNames, 1), OPERATIONS, 3);

  for (const percent of [1, 10]) {
    const random = randomNumbers(percent);
    const writes = Array.from({ length: OPERATIONS }, () => random(100) < percent);
    const title = (what: string) => `${what}, ${percent} % updates`;
    // Written out, one function for each loop, so that V8 compiles each for itself; hence the two almost equal makers.
    const mine: Contestant = loop(title('whereis of the entry'), OPERATIONS, () => {
      let sum = 0;
      for (let n = 0; n < OPERATIONS; n++) {
        if (writes[n]) sum += registry.update(kind, hot[n], encoded) & 1;
        else sum += registry.whereis(kind, hot[n])!.version & 1;
      }
      return sum;
    });
    const mineDecoded: Contestant = loop(title('whereis, the config used'), OPERATIONS, () => {
      let sum = 0;
      for (let n = 0; n < OPERATIONS; n++) {
        if (writes[n]) sum += registry.update(kind, hot[n], encoded) & 1;
        else sum += (registry.whereis(kind, hot[n])!.config as { port: number }).port & 1;
      }
      return sum;
    });
    const theirs: Contestant = loop(title('Map, set of a freshly parsed object'), OPERATIONS, () => {
      let sum = 0;
      for (let n = 0; n < OPERATIONS; n++) {
        const id = hot[n];
        if (writes[n]) map.set(id, { id, version: n, config: JSON.parse(sampleText) });
        else sum += map.get(id)!.version & 1;
      }
      return sum;
    });
    const theirsDecoded: Contestant = loop(
      title('Map, set of a freshly parsed object, its config used'),
      OPERATIONS,
      () => {
        let sum = 0;
        for (let n = 0; n < OPERATIONS; n++) {
          const id = hot[n];
          if (writes[n]) map.set(id, { id, version: n, config: JSON.parse(sampleText) });
          else sum += map.get(id)!.config.port & 1;
        }
        return sum;
      },
    );
    const figures = await context.measure(title('mix'), [mine, mineDecoded, theirs, theirsDecoded]);
    const goal = percent === 10 ? { goal: ratioAtMost(0.8) } : {};
    rows.times(figures, mine, theirs, { ...goal, headline: percent === 10, note: 'updates are pre-encoded' });
    rows.times(figures, mineDecoded, theirsDecoded, { ...goal, note: 'every change is parsed once by the reader' });
  }
}
