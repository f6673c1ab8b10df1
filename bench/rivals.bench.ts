import { encodeConfig, Registry } from '../src/engine/index.ts';
import type { Context } from './lib/benchmark.ts';
import { draw, hotNames, kind, makeNames, sampleText } from './lib/fixtures.ts';
import { Internals } from './lib/internals.ts';
import { speedupAtLeast } from './lib/rows.ts';
import { loop } from './lib/sampler.ts';
import { ets } from './peers/ets.ts';
import { lmdb } from './peers/lmdb.ts';
import { messageMap } from './peers/message-map.ts';
import type { Peer } from './peers/peer.ts';
import { redis } from './peers/redis.ts';
import { sharedmap } from './peers/sharedmap.ts';

export const name = 'rivals';
export const summary = 'what else threads could ask: a Map by messages, sharedmap, lmdb, Redis, Erlang’s ETS';

const peers: readonly Peer[] = [messageMap, sharedmap, lmdb, redis, ets];

/** How many times as fast a warm lookup should be, by the beginning of the contestant's name. */
const speedups: Readonly<Record<string, number>> = {
  'Map asked by messages, one after the other': 500,
  'Map asked by messages, 100 in flight': 200,
  'Map asked by messages, 100 names in each': 200,
  'Redis, get, pipelines of 100': 100,
  'lmdb, get of bytes': 40,
  'ETS, gproc-style, owner': 4,
  'ETS, 16 tables, owner': 4,
};

/**
 * One peer after the other, each in turns with Rollcall. Where there is a choice the peer has it easy: its answers stay
 * as they come (bytes, text), while ours is the whole entry.
 */
export async function run(context: Context): Promise<void> {
  const { effort, rows, resources } = context;
  const registry = resources.use(await Registry.open());
  const names = makeNames(effort.size(100_000, 2_000));
  const hot = draw(names, hotNames, 1);
  const encoded = encodeConfig(JSON.parse(sampleText));
  for (const id of names) registry.register(kind, id, { config: encoded });
  const internals = resources.use(new Internals(registry));

  const whereis = loop('whereis, 1,000 hot names', hotNames, () => {
    let sum = 0;
    for (let n = 0; n < hotNames; n++) sum += registry.whereis(kind, hot[n])!.version & 1;
    return sum;
  });
  const owner = loop('owner of a name, cold, hot memory', hotNames, () => {
    let sum = 0;
    for (let n = 0; n < hotNames; n++) sum += internals.ownerOf(hot[n]);
    return sum;
  });
  const update = loop('update with a pre-encoded config, 1,000 hot names', hotNames, () => {
    let sum = 0;
    for (let n = 0; n < hotNames; n++) sum += registry.update(kind, hot[n], encoded) & 1;
    return sum;
  });
  const fresh = hot.map((_, n) => `other-${String(n).padStart(14, '0')}`);
  const cycle = loop('register + unregister, pre-encoded', hotNames, () => {
    let sum = 0;
    for (let n = 0; n < hotNames; n++) {
      sum += registry.register(kind, fresh[n], { config: encoded }).record & 1;
      sum += registry.unregister(kind, fresh[n]) ? 1 : 0;
    }
    return sum;
  });

  for (const peer of peers) {
    const missing = await peer.missing();
    if (missing !== undefined) {
      context.note(`${peer.name} is skipped: ${missing}`);
      continue;
    }
    // Ended before the next begins, so that each has the machine for itself.
    const started = new AsyncDisposableStack();
    resources.defer(() => started.disposeAsync());
    const session = await peer.setup({ names, hot }, started);
    const lookups = await context.measure(`${peer.name}, lookups`, [whereis, owner, ...session.lookups]);
    for (const contestant of session.lookups) {
      const speedup = speedups[contestant.name];
      const goal = speedup === undefined ? {} : { goal: speedupAtLeast(speedup), headline: true };
      rows.times(lookups, whereis, contestant, goal);
    }
    if (peer === ets) {
      const cold = { goal: speedupAtLeast(1.5), note: 'the engine’s reader below the public calls' };
      for (const contestant of session.lookups.filter(({ name }) => name.endsWith('owner'))) {
        rows.times(lookups, owner, contestant, cold);
      }
    }
    const cycles = session.cycles ?? [];
    const changes = await context.measure(`${peer.name}, changes`, [update, cycle, ...session.updates, ...cycles]);
    for (const contestant of session.updates) rows.times(changes, update, contestant);
    for (const contestant of cycles) rows.times(changes, cycle, contestant);
    await started.disposeAsync();
  }
}
