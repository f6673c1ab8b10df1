import { fork } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseCommandLine, refuse } from '../scripts/lib/command-line.ts';
import { type Benchmark, loadBenchmarks } from './lib/benchmark.ts';
import { writeDocs } from './lib/docs.ts';
import { describeMachine, formatRows } from './lib/report.ts';
import { type Measured, mergeResults, type Outcome, readResults } from './lib/results.ts';
import { fullEffort, quickEffort } from './lib/sampler.ts';

const help = `Usage: npm run bench -- [NAME…] [options]

Measures Rollcall beside its peers: subject and peer take turns within one run, and medians are compared.

  NAME         benchmarks to run; all when none is given
  --quick      very short rounds and small tables: shows that the benchmarks run, not how fast
  --json FILE  write the rows: benchmark, subject, peer, value, peerValue, unit, ratio, …
  --docs       keep the results in docs/benchmarks/, and rewrite the charts there and the tables in README.md and
               docs/BENCHMARKS.md; results of benchmarks that were not run stay
  --render     rewrite charts and tables from the results that were kept; measures nothing
  --list       name the benchmarks
  --help       this text`;

const { values: options, positionals } = parseCommandLine({
  allowPositionals: true,
  options: {
    json: { type: 'string' },
    quick: { type: 'boolean', default: false },
    docs: { type: 'boolean', default: false },
    render: { type: 'boolean', default: false },
    list: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  },
});

function choose(all: readonly Benchmark[], names: readonly string[]): readonly Benchmark[] {
  if (names.length === 0) return all;
  return names.map((name) => {
    const found = all.find((benchmark) => benchmark.name === name);
    return found ?? refuse(`no benchmark ${name}: there are ${all.map((benchmark) => benchmark.name).join(', ')}`);
  });
}

/** Before minutes of measuring, and not after them. */
function checkWritable(file: string): void {
  try {
    closeSync(openSync(file, 'a'));
  } catch (error) {
    refuse(`--json: ${(error as Error).message}`);
  }
}

/** Runs one benchmark in a process of its own. */
async function measure(name: string, quick: boolean): Promise<Outcome> {
  const entry = path.join(import.meta.dirname, 'lib/benchmark.process.ts');
  const child = fork(entry, [name, quick ? 'quick' : 'full'], { execArgv: ['--expose-gc'] });
  // A terminal sends the signal to the child as well, which ends what it started and then itself; so shall we.
  const stop = () => child.kill('SIGTERM');
  const signals = ['SIGINT', 'SIGTERM'] as const;
  for (const signal of signals) process.on(signal, stop);
  let outcome: Outcome | undefined;
  child.on('message', (message) => {
    outcome = message as Outcome;
  });
  const [code, signal] = await once(child, 'exit');
  for (const other of signals) process.off(other, stop);
  if (outcome !== undefined && code === 0) return outcome;
  if (code === 130 || code === 143) process.exitCode = code; // interrupted
  throw new Error(`benchmark ${name} ended with ${signal ?? `exit code ${code}`}`);
}

async function main(): Promise<void> {
  if (options.help) return console.log(help);
  if (options.render) {
    if (readResults().length === 0) refuse('there are no results: run with --docs first');
    return writeDocs(readResults());
  }
  if (options.docs && options.quick) refuse('--quick measures nothing that is fit for --docs');
  if (options.json !== undefined) checkWritable(options.json);
  const all = await loadBenchmarks();
  if (options.list) {
    for (const { name, summary } of all) console.log(`${name.padEnd(12)} ${summary}`);
    return;
  }
  const chosen = choose(all, positionals);
  const { rounds, roundMs } = options.quick ? quickEffort : fullEffort;
  const effort = `${rounds} rounds of ${roundMs} ms in turns`;
  console.log(`${describeMachine()}; ${effort}`);
  const measured: Measured[] = [];
  for (const [n, { name, summary, method }] of chosen.entries()) {
    console.log(`\n[${n + 1}/${chosen.length}] ${name}: ${summary}`);
    const outcome = await measure(name, options.quick);
    console.log(`\n${formatRows(outcome.rows)}\n  checksum ${outcome.checksum}`);
    const day = new Date().toISOString().slice(0, 10);
    measured.push({ name, summary, machine: describeMachine(), day, effort: method ?? effort, ...outcome });
    // Kept one by one: an interrupted run has not measured for nothing.
    if (options.docs) mergeResults(measured);
  }
  const rows = measured.flatMap((result) => result.rows);
  const judged = rows.filter(({ met }) => met !== undefined);
  if (judged.length > 0) console.log(`\n${judged.filter(({ met }) => met).length} of ${judged.length} goals met`);
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(rows, null, 2)}\n`);
  if (options.docs) await writeDocs(readResults());
}

try {
  await main();
} catch (error) {
  console.error((error as Error).message);
  process.exitCode ??= 1;
}
