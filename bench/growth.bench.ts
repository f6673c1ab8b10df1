import { encodeConfig, Registry } from '../src/engine/index.ts';
import type { Context } from './lib/benchmark.ts';
import { kind, nameOf, randomNumbers, sampleConfig } from './lib/fixtures.ts';
import { Internals } from './lib/internals.ts';
import { probesOf } from './lib/probes.ts';
import { ratioAtMost, valueAtMost } from './lib/rows.ts';
import { type Contestant, type Figure, figureOf, loop } from './lib/sampler.ts';

export const name = 'growth';
export const summary =
  'the cost of cold lookups from 1,000 to 10,000,000 entries, beside the machine’s own cache misses';

/** Names a pass looks up; at 1,000 entries each of them a hundred times. */
const LOOKUPS = 100_000;
/** What linear probing takes at the load limit of 3/4, on average: (1 + 1 / (1 - 3/4)) / 2. */
const PROBES_MEAN_MAX = 2.5;
const FIRST_LETTER = nameOf(0).charCodeAt(0);

interface Size {
  readonly entries: number;
  readonly lookup: Contestant;
  readonly misses: Contestant;
}

export async function run(context: Context): Promise<void> {
  const { effort, rows, resources } = context;
  const counts = effort.quick ? [1_000, 5_000] : [1_000, 10_000, 100_000, 1_000_000, 10_000_000];
  const sizes: Size[] = [];
  for (const entries of counts) {
    const startedMs = performance.now();
    const registry = resources.use(await Registry.open());
    const encoded = encodeConfig(sampleConfig);
    for (let n = 0; n < entries; n++) registry.register(kind, nameOf(n), { config: encoded });
    const perEntryMicros = ((performance.now() - startedMs) * 1_000) / entries;
    context.note(`${entries} entries registered, ${perEntryMicros.toFixed(2)} µs each`);
    const internals = resources.use(new Internals(registry));
    const size = makeSize(entries, internals);
    sizes.push(size);
    addProbes(context, entries, internals, size.ids);
  }
  const figures = await context.measure(
    'cold lookups',
    sizes.flatMap(({ lookup, misses }) => [lookup, misses]),
  );
  for (const { entries, lookup, misses } of sizes) {
    rows.times(figures, lookup, misses, { point: { chart: 'growth', line: 'cold lookup', x: entries } });
    rows.times(figures, misses, undefined, { point: { chart: 'growth', line: 'cache misses alone', x: entries } });
  }
  // What the largest table costs more than the smallest, of both.
  const [smallest, largest] = [sizes[0], sizes.at(-1)!];
  const extra = (of: 'lookup' | 'misses'): Figure => {
    const { median, quartiles } = figures.get(largest[of])!;
    const base = figures.get(smallest[of])!.median;
    return { median: median - base, quartiles: [quartiles[0] - base, quartiles[1] - base] };
  };
  const title = (what: string) => `${what}, ${largest.entries.toLocaleString('en-US')} entries over 1,000`;
  rows.add(
    title('cold lookup: what it costs more'),
    extra('lookup'),
    { name: title('cache misses: the same'), figure: extra('misses') },
    'ns',
    {
      goal: ratioAtMost(1.5),
      headline: true,
      note: 'the same loads (the name, an index word, a line of 64 bytes), one after the other, in as much memory',
    },
  );
}

function makeSize(entries: number, internals: Internals): Size & { readonly ids: readonly string[] } {
  const random = randomNumbers(entries);
  const count = entries.toLocaleString('en-US');
  const numbers = Int32Array.from({ length: LOOKUPS }, () => random(entries));
  const distinct = new Map<number, string>(); // one string object a name, as a program that keeps its names has
  const ids = Array.from(numbers, (n) => remember(distinct, n));

  // A look-alike of the table: index words at 3/4 load or less, each the number of a record's line.
  const slots = 2 ** Math.ceil(Math.log2(entries / 0.75));
  const index = new Int32Array(new SharedArrayBuffer(slots * 4));
  for (let n = 0; n < slots; n++) index[n] = random(entries);
  const records = new Int32Array(new SharedArrayBuffer(entries * 64)).fill(1);
  const starts = Int32Array.from({ length: LOOKUPS }, () => random(slots));
  return {
    entries,
    ids,
    lookup: loop(`cold lookup, ${count} entries`, LOOKUPS, () => {
      let sum = 0;
      for (let n = 0; n < LOOKUPS; n++) sum += internals.ownerOf(ids[n]);
      return sum;
    }),
    misses: loop(`cache misses alone, ${count} entries`, LOOKUPS, () => {
      // Each load needs the one before: the machine must not fetch several lookups' memory at once, as it cannot when a
      // program does something with each answer. (Every record holds 1, every name begins with the same letter.)
      let sum = 0;
      let previous = 1;
      for (let n = 0; n < LOOKUPS; n++) {
        const letter = ids[n + previous - 1].charCodeAt(0);
        previous = records[index[starts[n] + letter - FIRST_LETTER] * 16];
        sum += previous;
      }
      return sum;
    }),
  };
}

function remember(names: Map<number, string>, n: number): string {
  const name = names.get(n) ?? nameOf(n);
  names.set(n, name);
  return name;
}

function addProbes(context: Context, entries: number, internals: Internals, ids: readonly string[]): void {
  const probes = ids.map((id) => probesOf(internals, id)).toSorted((a, b) => a - b);
  const mean = probes.reduce((sum, n) => sum + n, 0) / probes.length;
  const { quartiles } = figureOf(probes);
  context.rows.add(
    `probes of a lookup, ${entries.toLocaleString('en-US')} entries`,
    { median: mean, quartiles },
    undefined,
    'words',
    {
      goal: valueAtMost(PROBES_MEAN_MAX),
      note: `the mean; 99 of 100 within ${probes[Math.floor(probes.length * 0.99)]}, all within ${probes.at(-1)}`,
    },
  );
}
