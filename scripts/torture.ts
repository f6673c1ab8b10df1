// npm run torture: real threads that are killed while they write. See `usage`.
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import type { TortureOptions } from '../test/torture/options.ts';
import { heading, isFlat, progressLine, reportOf } from '../test/torture/report.ts';
import { torture } from '../test/torture/run.ts';

const threadsDefault = Math.min(Math.max(6, availableParallelism()), 48);
const usage = `npm run torture -- [options]

Threads register, update, unregister, look up and list the same names, while some of them are killed anywhere. Ends with
a report, and with exit code 1 if anything was stuck, torn, lost or leaked. Ctrl-C ends it early, with the report.

  --kills N            threads to kill, default 200; with 0 all threads survive
  --minutes N          run at least so long, and see whether memory stays flat
  --threads N          survivors (a third) and victims (the others) at once, default ${threadsDefault} here
  --entries N          entries that are there all the while besides, default 0
  --shards N           default 2: the fewer, the more threads meet at a lock
  --no-abandon         else every second survivor is cut short by time-outs, also inside critical sections
  --control-seconds N  time before the first kill, to compare stalls with, default 5
  --seed N             chooses what the threads do and when they are killed`;

const { values } = parseArgs({
  allowNegative: true,
  options: {
    kills: { type: 'string', default: '200' },
    minutes: { type: 'string', default: '0' },
    threads: { type: 'string', default: String(threadsDefault) },
    entries: { type: 'string', default: '0' },
    shards: { type: 'string', default: '2' },
    abandon: { type: 'boolean', default: true },
    'control-seconds': { type: 'string', default: '5' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    help: { type: 'boolean', short: 'h' },
  },
});

const wrong: string[] = [];

function amount(name: Exclude<keyof typeof values, 'abandon' | 'help'>, min = 0): number {
  const value = Number(values[name]);
  const fractions = name === 'minutes' || name === 'control-seconds';
  if (!(value >= min && (fractions ? Number.isFinite(value) : Number.isInteger(value)))) {
    wrong.push(`--${name} is "${values[name]}": a ${fractions ? '' : 'whole '}number from ${min} on`);
  }
  return value;
}

async function main(): Promise<number> {
  const options: TortureOptions = {
    seed: amount('seed'),
    kills: amount('kills'),
    minutes: amount('minutes'),
    threads: amount('threads', 2),
    entries: amount('entries'),
    shards: amount('shards', 1),
    abandon: values.abandon,
    controlSeconds: amount('control-seconds'),
  };
  if (wrong.length > 0) {
    console.error(wrong.join('\n'));
    return 2;
  }
  console.log(heading(options));
  const interrupt = new AbortController();
  process.once('SIGINT', () => interrupt.abort()); // the next one ends the process
  const started = performance.now();
  let before = { operations: 0, seconds: 0 };
  const tally = await torture(options, interrupt.signal, (tally, seconds) => {
    const operations = tally.operations + tally.victimOperations;
    const rate = (operations - before.operations) / (seconds - before.seconds);
    console.log(progressLine(tally, seconds, rate));
    before = { operations, seconds };
  });
  console.log(`\n${reportOf(tally, (performance.now() - started) / 1000)}`);
  return tally.problems.length === 0 && isFlat(tally) ? 0 : 1;
}

if (values.help) console.log(usage);
else process.exitCode = await main();
