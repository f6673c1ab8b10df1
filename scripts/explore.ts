// npm run explore: interleavings of the source of src/shared, program by program. See `usage`.
import { parseArgs } from 'node:util';
import { type Exploration, Explorer, type Program } from '../test/model/explore.ts';
import { loadStepped } from '../test/model/load.ts';
import { explorerPool } from '../test/model/pool.ts';
import { boundOf, programNamed, programs } from '../test/model/programs.ts';

const usage = `npm run explore -- [PART OF A PROGRAM'S NAME] [options]

  --bound N          preemptions; default 3, as in the tests, where some programs of three threads have fewer
  --deep             bound 5 for two threads, 4 for three; this takes hours
  --walks N          N interleavings at random instead, with no bound
  --seed N           of the walks
  --replay SCHEDULE  one interleaving again, as a failure prints it
  --list             names the programs

'random SEED' names the large random program of that seed: walk through it, or replay what a walk has found.
One thread a core explores; a state that was met before is not explored again.`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    bound: { type: 'string' },
    deep: { type: 'boolean' },
    walks: { type: 'string' },
    seed: { type: 'string' },
    replay: { type: 'string' },
    list: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  },
});

function boundFor(program: Program): number {
  if (values.bound !== undefined) return Number(values.bound);
  if (!values.deep) return boundOf(program);
  return program.threads.filter(({ length }) => length > 0).length > 2 ? 4 : 5;
}

function chosenPrograms(): readonly Program[] {
  const seeded = positionals.filter((name) => /^random \d+$/.test(name));
  if (seeded.length > 0) return seeded.map(programNamed);
  return programs.filter(({ name }) => positionals.every((part) => name.includes(part)));
}

async function main(): Promise<number> {
  const chosen = chosenPrograms();
  if (values.help) console.log(usage);
  else if (values.list) console.log(chosen.map(({ name }) => name).join('\n'));
  else if (chosen.length === 0) console.error('no program has such a name: see --list');
  else if (values.replay !== undefined) return replay(chosen[0], JSON.parse(values.replay));
  else return explore(chosen);
  return values.help || values.list ? 0 : 1;
}

async function replay(program: Program, schedule: [number, number][]): Promise<number> {
  try {
    new Explorer(await loadStepped(), program, Number.POSITIVE_INFINITY).replay(schedule);
    console.log(`${program.name}: nothing fails`);
    return 0;
  } catch (error) {
    console.error((error as Error).message);
    return 1;
  }
}

async function explore(chosen: readonly Program[]): Promise<number> {
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
  const pool = explorerPool();
  const explorations: Promise<Exploration | Error>[] = chosen.map((program) => {
    const { name } = program;
    const task = values.walks
      ? pool.run({ name, walks: Number(values.walks), seed }, { name: 'walk' })
      : pool.run({ name, bound: boundFor(program) }, { name: 'explore' });
    return task.catch((error: Error) => error);
  });
  const total = { interleavings: 0, states: 0, runs: 0 };
  let failures = 0;
  for (const [n, exploration] of explorations.entries()) {
    const found = await exploration;
    if (found instanceof Error) {
      failures++;
      console.error(found.message);
      continue;
    }
    total.interleavings += found.interleavings;
    total.states += found.states;
    total.runs += found.runs;
    console.log(`${n + 1}/${chosen.length} ${chosen[n].name}: ${summary(found)}`);
  }
  await pool.destroy();
  const how = values.walks ? `walks of seed ${seed}` : 'explored';
  console.log(`${chosen.length} programs, ${summary(total)}, ${how}; ${failures} failed`);
  return failures === 0 ? 0 : 1;
}

const summary = ({ interleavings, states, runs }: Omit<Exploration, 'places' | 'passes'>): string =>
  `${interleavings} interleavings, ${states} states, ${runs} runs`;

process.exitCode = await main();
