// npm run torture: real threads that are killed while they write. See `usage`.
import { availableParallelism, constants } from 'node:os';
import { limits } from '../src/shared/limits.ts';
import { type TortureOptions, threadsMax } from '../test/torture/options.ts';
import { heading, interruptedLine, isFlat, progressLine, reportOf } from '../test/torture/report.ts';
import { torture } from '../test/torture/run.ts';
import { numberOf, parseCommandLine, refuse } from './lib/command-line.ts';

const threadsDefault = Math.min(Math.max(6, availableParallelism()), 48);
const usage = `npm run torture -- [options]

Threads register, update, unregister, look up and list the same names, send each other messages and call each other, join
groups, bind, count, watch and monitor, while some of them are killed anywhere. Ends with a report. Ctrl-C or SIGTERM ends it early, with the report of what was done; another one ends it at once.

  --kills N            threads to kill, default 200; with 0 all threads survive, for --minutes
  --minutes N          run at least so long, and see whether memory stays flat
  --threads N          survivors (a third) and victims (the others) at once, 2 to ${threadsMax}, default ${threadsDefault} here
  --entries N          entries that are there all the while besides, default 0
  --shards N           a power of two up to ${limits.shardsMax}, default 2: the fewer, the more threads meet at a lock
  --no-abandon         else every second survivor is cut short by time-outs, also inside critical sections; with less than
                       4 threads there is no second survivor
  --control-seconds N  time before the first kill, to compare stalls with, default 5
  --seed N             chooses what the threads do and when they are killed

Exit code
  0    nothing was found
  1    something was stuck (no operation within a minute, or one that ended in BUSY, CORRUPT or TIMEOUT), torn (a config or
       a message that nobody wrote), lost (a write, a message or a count that was told, undone; a name or a member of the
       dead, found), repeated (a message or a count that came twice), leaked (memory neither in use nor free) or failed
       (any other error, in a thread or of the run itself), or memory grows (in runs of minutes)
  2    it cannot be run as asked
  130  interrupted (143: by SIGTERM), and nothing found until then`;

const { values } = parseCommandLine({
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

function optionsGiven(): TortureOptions {
  const amount = (name: Exclude<keyof typeof values, 'abandon' | 'help'>, bounds?: Parameters<typeof numberOf>[2]) =>
    numberOf(name, values[name], bounds);
  const options = {
    seed: amount('seed'),
    kills: amount('kills'),
    minutes: amount('minutes', { whole: false }),
    threads: amount('threads', { min: 2, max: threadsMax }),
    entries: amount('entries'),
    shards: amount('shards', { min: 1, max: limits.shardsMax }),
    abandon: values.abandon,
    controlSeconds: amount('control-seconds', { whole: false }),
  };
  const { shards, kills, minutes } = options;
  if ((shards & (shards - 1)) !== 0) refuse(`--shards is "${shards}": a power of two from 1 to ${limits.shardsMax}`);
  if (kills === 0 && minutes === 0) refuse('--kills 0 leaves nothing to do: say --minutes N too');
  return options;
}

/** Milliseconds in which a signal comes twice that was sent once: npm passes on what the terminal sent to both. */
const echoMs = 1_000;

/** Aborts with the first SIGINT or SIGTERM; the next one ends the process. */
function firstSignal(): AbortSignal {
  const first = new AbortController();
  const signals = ['SIGINT', 'SIGTERM'] as const;
  const stop = (signal: NodeJS.Signals) => {
    if (first.signal.aborted) return;
    console.log('\nending early; once more ends it at once');
    first.abort(signal);
    setTimeout(() => signals.forEach((one) => void process.off(one, stop)), echoMs).unref();
  };
  for (const signal of signals) process.on(signal, stop);
  return first.signal;
}

async function main(options: TortureOptions): Promise<number> {
  const interrupt = firstSignal();
  console.log(heading(options));
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  let before = { operations: 0, seconds: 0 };
  const tally = await torture(options, interrupt, (tally, seconds) => {
    const operations = tally.operations + tally.victimOperations;
    const rate = (operations - before.operations) / (seconds - before.seconds);
    console.log(progressLine(tally, seconds, rate));
    before = { operations, seconds };
  });
  console.log(`\n${reportOf(tally, seconds())}`);
  if (interrupt.aborted) console.log(interruptedLine(options, tally, seconds()));
  if (tally.problems.length > 0 || !isFlat(tally)) return 1;
  return interrupt.aborted ? 128 + constants.signals[interrupt.reason as NodeJS.Signals] : 0;
}

if (values.help) console.log(usage);
else process.exitCode = await main(optionsGiven());
