// npm run explore: interleavings of the source of src/shared, program by program. See `usage`.
import { type Exploration, Explorer, MisfitError, type Program, type Schedule } from '../test/model/explore.ts';
import { loadStepped } from '../test/model/load.ts';
import { explorerPool } from '../test/model/pool.ts';
import { boundOf, programNamed, programs } from '../test/model/programs.ts';
import { numberOf, parseCommandLine, refuse } from './lib/command-line.ts';

const walksDefault = 1_000;
const usage = `npm run explore -- [NAME…] [options]

  NAME               a program; else a part of its name, and of several parts all; without one, every program.
                     'random SEED' is the large random program of that seed, for walks and replays
  --bound N          preemptions; default 3, as in the tests, where some programs of three threads have fewer
  --deep             bound 5 for two threads, 4 for three; this takes hours
  --walks N          N interleavings at random instead, with no bound; ${walksDefault} for random programs
  --seed N           of the walks
  --replay SCHEDULE  one interleaving of one program again, as a failure prints it: [thread, steps] pairs, of which
                     0 steps kill the thread
  --list             names the programs

One thread a core explores; a state that was met before is not explored again. Exit code 1: something fails. Exit code 2:
it cannot be run as asked, or the schedule is not one of that program as it stands.`;

const { values, positionals } = parseCommandLine({
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

const isRandom = (name: string): boolean => /^random \d+$/.test(name);

/** Options that mean nothing together would be taken for what they are not. */
function refuseContradictions(): void {
  const { replay, walks, bound, deep, seed } = values;
  const modes = Object.entries({ replay, walks, bound, deep }).filter(([, value]) => value !== undefined);
  if (modes.length > 1) refuse(`only one of ${modes.map(([name]) => `--${name}`).join(', ')} can be had at once`);
  if (seed !== undefined && walks === undefined) refuse('--seed is of walks: say --walks N too');
}

function chosenPrograms(): readonly Program[] {
  const isName = (name: string) => isRandom(name) || programs.some((program) => program.name === name);
  if (positionals.length > 0 && positionals.every(isName)) return positionals.map(programNamed);
  const found = programs.filter(({ name }) => positionals.every((part) => name.includes(part)));
  return found.length > 0 ? found : refuse(`no program is named ${positionals.join(', ')}: --list names them`);
}

/** How a program is looked into: to a bound, or by so many walks. */
function effortFor(program: Program): { bound: number } | { walks: number } {
  if (values.walks !== undefined) return { walks: numberOf('walks', values.walks, { min: 1 }) };
  if (values.bound !== undefined) return { bound: numberOf('bound', values.bound) };
  if (values.deep) return { bound: program.threads.filter(({ length }) => length > 0).length > 2 ? 4 : 5 };
  return isRandom(program.name) ? { walks: walksDefault } : { bound: boundOf(program) };
}

async function main(): Promise<number> {
  if (values.help) {
    console.log(usage);
    return 0;
  }
  refuseContradictions();
  const chosen = chosenPrograms();
  if (values.list) {
    console.log(chosen.map(({ name }) => name).join('\n'));
    return 0;
  }
  return values.replay === undefined ? explore(chosen) : replay(chosen, scheduleIn(values.replay));
}

function scheduleIn(text: string): Schedule {
  const isCount = (value: unknown) => Number.isInteger(value) && (value as number) >= 0;
  try {
    const schedule = JSON.parse(text);
    const isPair = (pair: unknown) => Array.isArray(pair) && pair.length === 2 && pair.every(isCount);
    if (Array.isArray(schedule) && schedule.every(isPair)) return schedule as Schedule;
  } catch {
    // refused below
  }
  return refuse(`--replay is ${text}: a list of [thread, steps] pairs, as [[0,12],[1,30],[0,0]]`);
}

async function replay([program, ...others]: readonly Program[], schedule: Schedule): Promise<number> {
  if (others.length > 0) refuse(`--replay is of one program, not of ${others.length + 1}: give its whole name`);
  try {
    new Explorer(await loadStepped(), program, Number.POSITIVE_INFINITY).replay(schedule);
    console.log(`${program.name}: nothing fails`);
    return 0;
  } catch (error) {
    const { message } = error as Error;
    if (error instanceof MisfitError) refuse(`not a schedule of "${program.name}": ${message}`);
    console.error(message);
    return 1;
  }
}

async function explore(chosen: readonly Program[]): Promise<number> {
  const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : numberOf('seed', values.seed);
  const efforts = chosen.map(effortFor);
  const pool = explorerPool();
  const explorations: Promise<Exploration | Error>[] = chosen.map(({ name }, n) => {
    const effort = efforts[n];
    const walks = 'walks' in effort;
    const task = pool.run({ name, seed, ...effort }, { name: walks ? 'walk' : 'explore' });
    return task.catch((error: Error) => error);
  });
  const total = { interleavings: 0, states: 0, runs: 0 };
  let failures = 0;
  for (const [n, exploration] of explorations.entries()) {
    const found = await exploration;
    const { name } = chosen[n];
    if (found instanceof Error) {
      failures++;
      console.error(found.message + replayCommand(name, found));
      continue;
    }
    total.interleavings += found.interleavings;
    total.states += found.states;
    total.runs += found.runs;
    console.log(`${n + 1}/${chosen.length} ${name}: ${summary(found)}, ${how(efforts[n])}`);
  }
  await pool.destroy();
  const seeded = efforts.some((effort) => 'walks' in effort) ? `, walks of seed ${seed}` : '';
  console.log(`${chosen.length} programs, ${summary(total)}${seeded}; ${failures} failed`);
  return failures === 0 ? 0 : 1;
}

/** What replays a counterexample; of its fields only the message comes across from its thread. */
function replayCommand(name: string, { message }: Error): string {
  const schedule = /^ {2}schedule (.+)$/m.exec(message)?.[1];
  return schedule ? `\n  npm run explore -- '${name}' --replay '${schedule}'` : '';
}

const how = (effort: ReturnType<typeof effortFor>): string =>
  'walks' in effort ? 'walks at random' : `bound ${effort.bound}`;

const summary = ({ interleavings, states, runs }: Omit<Exploration, 'places' | 'passes'>): string =>
  `${interleavings} interleavings, ${states} states, ${runs} runs`;

process.exitCode = await main();
