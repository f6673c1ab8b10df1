import { availableParallelism } from 'node:os';
import { encodeConfig, Registry } from '../src/engine/index.ts';
import type { Context } from './lib/benchmark.ts';
import { hotNames, kind, nameOf, randomNumbers, sampleConfig } from './lib/fixtures.ts';
import { type Goal, ratioAtLeast, valueAtLeast } from './lib/rows.ts';
import type { Contestant } from './lib/sampler.ts';
import { type Operation, Team } from './lib/team.ts';
import { Erlang, type EtsOperation, type EtsRegistry, missingErlang } from './peers/ets.ts';

export const name = 'scaling';
export const summary = '1 to 16 threads at once: lookups, updates, mixes; names of all shards and of a single one';

const THREADS_MAX = 16;
const UNIFORM = 0;
const ONE_SHARD = 1;

/** What is measured with each number of threads, and what it should reach, by that number. */
interface Line {
  readonly title: string;
  readonly contestant: (threads: number) => Contestant;
  readonly warm?: () => Promise<void>;
  readonly goals?: Readonly<Record<number, Goal>>;
}

export async function run(context: Context): Promise<void> {
  const { effort, resources } = context;
  const threadCounts = [1, 2, 4, 8, THREADS_MAX].filter((threads) => threads <= effort.size(THREADS_MAX, 4));
  const registry = resources.use(await Registry.open());
  const total = effort.size(100_000, 2_000);
  const encoded = encodeConfig(sampleConfig);
  const oneShard: number[] = [];
  for (let n = 0; n < total; n++) {
    const { shard } = registry.register(kind, nameOf(n), { config: encoded });
    if (shard === 0 && oneShard.length < hotNames) oneShard.push(n);
  }
  const random = randomNumbers(1);
  const uniform = Int32Array.from({ length: effort.size(100_000, hotNames) }, () => random(total));
  const hot = Int32Array.from({ length: hotNames }, () => oneShard[random(oneShard.length)]);
  const team = resources.use(await Team.start(registry, Math.max(...threadCounts), [uniform, hot]));
  context.note(`uniform: ${total} names at random; one shard: ${oneShard.length} names, all behind one lock`);

  const ours = (title: string, operation: Operation, shape: number, goals?: Line['goals']): Line => ({
    title,
    contestant: (threads) => team.contestant(titleOf(title, threads), operation, shape, threads),
    warm: () => team.warm(operation, shape),
    ...(goals && { goals }),
  });
  const reads = { 2: ratioAtLeast(1.85), 16: ratioAtLeast(13) };
  const lines = [
    ours('private Map.get, uniform', 'map', UNIFORM),
    ours('whereis, uniform', 'read', UNIFORM, reads),
    ours('99 % whereis, 1 % update, uniform', 'mix1', UNIFORM),
    ours('90 % whereis, 10 % update, uniform', 'mix10', UNIFORM),
    ours('update, uniform', 'update', UNIFORM, { 2: ratioAtLeast(1.6) }),
    ours('register + unregister, own names', 'cycle', UNIFORM, { 1: valueAtLeast(0.6), 2: valueAtLeast(1) }),
    ours('private Map.get, hot names', 'map', ONE_SHARD),
    ours('whereis, one shard', 'read', ONE_SHARD, reads),
    ours('99 % whereis, 1 % update, one shard', 'mix1', ONE_SHARD),
    ours('90 % whereis, 10 % update, one shard', 'mix10', ONE_SHARD),
    ours('update, one shard', 'update', ONE_SHARD),
  ];

  const missing = await missingErlang();
  if (missing === undefined) {
    const names = Array.from({ length: total }, (_, n) => nameOf(n));
    const erlang = resources.use(new Erlang({ names, hot: Array.from(uniform.subarray(0, hotNames), nameOf) }));
    await erlang.started;
    const theirs = (title: string, from: EtsRegistry, operation: EtsOperation): Line => ({
      title,
      contestant: (threads) => ({
        name: titleOf(title, threads),
        round: async (roundMs) => 1 / (await erlang.rate(from, operation, threads, roundMs)),
      }),
    });
    lines.push(
      theirs('ETS, 16 tables, owner', 'sharded', 'owner'),
      theirs('ETS, 16 tables, update', 'sharded', 'update'),
      theirs('ETS, 16 tables, register + unregister', 'sharded', 'cycle'),
      theirs('ETS, gproc-style, register + unregister', 'gproc', 'cycle'),
    );
  } else {
    context.note(`Erlang ETS is skipped: ${missing}`);
  }
  for (const line of lines) await measureLine(context, line, threadCounts);
}

const titleOf = (title: string, threads: number): string => `${title}, ${threads} thread${threads === 1 ? '' : 's'}`;

/** All numbers of threads in turns; the peer of each is the single thread. */
async function measureLine(context: Context, line: Line, threadCounts: readonly number[]): Promise<void> {
  const { title, contestant, goals = {} } = line;
  const cores = availableParallelism();
  const contestants = threadCounts.map(contestant);
  await line.warm?.();
  const figures = await context.measure(title, contestants);
  const chart = `scaling-${title.startsWith('ETS') ? 'ets' : /one shard|hot/.test(title) ? 'one-shard' : 'uniform'}`;
  for (const [n, threads] of threadCounts.entries()) {
    const goal = goals[threads];
    const crowded = threads > cores;
    context.rows.rates(figures, contestants[n], n === 0 ? undefined : contestants[0], {
      ...(goal && { goal, headline: threads > 1 && !crowded }),
      judged: !crowded,
      ...(goal && crowded && { note: `needs ${threads} cores; this machine has ${cores}` }),
      point: { chart, line: title, x: threads },
    });
  }
}
