import { Registry } from '../src/engine/index.ts';
import type { Context } from './lib/benchmark.ts';
import { kind, makeNames, privateMap, sampleText } from './lib/fixtures.ts';
import { residentBytes } from './lib/resident.ts';
import { valueAtMost } from './lib/rows.ts';
import { figureOf } from './lib/sampler.ts';

export const name = 'memory';
export const summary = 'bytes an entry: handed out, resident and committed; of the lookup cache; of a private Map';

const PASSES = 5;
export const method = `${PASSES} passes`;

const RECORD_BYTES = 64;
const INDEX_SLOT_BYTES = 4;
const goal = valueAtMost(200);

/** Node is started with --expose-gc. */
const collectGarbage = globalThis.gc!;

/** Bytes of `read` that `work` adds, with what it returns alive and garbage collected before and after. */
async function growth<Result>(read: () => number, work: () => Result | Promise<Result>): Promise<[number, Result]> {
  collectGarbage();
  const before = read();
  const result = await work();
  collectGarbage();
  return [read() - before, result];
}

export async function run(context: Context): Promise<void> {
  const { effort, rows } = context;
  const total = effort.size(100_000, 5_000);
  const names = makeNames(total);
  const seen = new Map<string, number[]>();
  const keep = (what: string, bytes: number) => void seen.set(what, [...(seen.get(what) ?? []), bytes / total]);

  // The first pass only lets the heap and the compiled code take their place.
  for (let pass = 0; pass <= effort.size(PASSES, 1); pass++) {
    await using registry = await fill(names);
    const stats = registry.partitionStats();
    const sum = (figure: (shard: (typeof stats)[number]) => number) => stats.reduce((all, s) => all + figure(s), 0);
    const [cache] = await growth(heapUsed, () => {
      for (const id of names) registry.whereis(kind, id);
    });
    const [map, entries] = await growth(heapUsed, () => privateMap(names));
    if (pass === 0 || entries.size !== total) continue;
    keep(
      'handed out',
      sum((s) => s.entries * RECORD_BYTES + s.slots * INDEX_SLOT_BYTES + s.valueBytes),
    );
    const resident = residentBytes(
      registry.handle.shards.flatMap(({ records, index, arena }) => [records, index, arena]),
    );
    if (resident !== undefined) keep('resident', resident);
    keep(
      'committed',
      sum((s) => s.bytesCommitted),
    );
    keep('cache', cache);
    keep('map', map);
  }
  const perMap = { name: 'private Map of objects, in each thread', figure: figureOf(seen.get('map')!) };
  const row = (title: string, what: string, note: string, goals = {}) =>
    rows.add(title, figureOf(seen.get(what)!), perMap, 'B', { ...goals, note });
  row('shared memory handed out', 'handed out', 'records, index slots, blocks and pages in use; once for all threads', {
    goal,
    headline: true,
  });
  if (seen.has('resident')) {
    row('shared memory resident', 'resident', 'what the system holds of those buffers, in whole pages of 4 KiB', {
      goal,
    });
  } else {
    context.note('the resident memory is skipped: the system does not tell it');
  }
  row(
    'shared memory committed',
    'committed',
    'buffers grow by an eighth when full; what is not touched takes no memory',
    {
      goal,
    },
  );
  row('lookup cache, in a thread that looked all names up', 'cache', 'at its default size; configs as text');
}

const heapUsed = (): number => process.memoryUsage().heapUsed;

async function fill(names: readonly string[]): Promise<Registry> {
  const registry = await Registry.open();
  for (const id of names) registry.register(kind, id, { config: JSON.parse(sampleText) });
  return registry;
}
