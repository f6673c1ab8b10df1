// npm run explore: interleavings of the source of src/shared, program by program. See `usage`.
import { parseArgs } from 'node:util';
import { Counterexample, Explorer, type Program } from '../test/model/explore.ts';
import { loadStepped } from '../test/model/load.ts';
import { programs } from '../test/model/programs.ts';
import { Random } from '../test/support/random.ts';

const usage = `npm run explore -- [PART OF A PROGRAM'S NAME] [options]

  --bound N          preemptions, default 3; states that were met before are not explored again
  --deep             bound 5 for two threads, 4 for three
  --walks N          N interleavings at random instead, with no bound
  --seed N           of the walks
  --replay SCHEDULE  one interleaving again, as a failure prints it
  --list             names the programs`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    bound: { type: 'string', default: '3' },
    deep: { type: 'boolean' },
    walks: { type: 'string' },
    seed: { type: 'string' },
    replay: { type: 'string' },
    list: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  },
});

const threadsOf = ({ threads }: Program): number => threads.filter(({ length }) => length > 0).length;

function boundFor(program: Program): number {
  if (!values.deep) return Number(values.bound);
  return threadsOf(program) > 2 ? 4 : 5;
}

async function main(): Promise<number> {
  const chosen = programs.filter(({ name }) => positionals.every((part) => name.includes(part)));
  if (values.help) console.log(usage);
  else if (values.list) console.log(chosen.map(({ name }) => name).join('\n'));
  else return explore(chosen);
  return 0;
}

async function explore(chosen: readonly Program[]): Promise<number> {
  const source = await loadStepped();
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
  const random = new Random(seed);
  let interleavings = 0;
  let states = 0;
  let failures = 0;
  for (const [n, program] of chosen.entries()) {
    const explorer = new Explorer(source, program, values.walks ? Number.POSITIVE_INFINITY : boundFor(program));
    try {
      if (values.replay) explorer.replay(JSON.parse(values.replay));
      else {
        const found = values.walks
          ? explorer.walk(Number(values.walks), (bound) => random.below(bound))
          : explorer.explore();
        interleavings += found.interleavings;
        states += found.states;
        console.log(
          `${n + 1}/${chosen.length} ${program.name}: ${found.interleavings} interleavings, ${found.states} states`,
        );
      }
    } catch (error) {
      if (!(error instanceof Counterexample)) throw error;
      failures++;
      console.error(error.message);
    }
  }
  const how = values.walks ? `walks of seed ${seed}` : `bound ${values.deep ? '5 (three threads: 4)' : values.bound}`;
  console.log(
    `${chosen.length} programs, ${interleavings} interleavings, ${states} states, ${how}; ${failures} failed`,
  );
  return failures === 0 ? 0 : 1;
}

process.exitCode = await main();
