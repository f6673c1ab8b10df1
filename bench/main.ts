import { readdirSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Effort, fullEffort, quickEffort, type Row, takeChecksum } from './lib/compare.ts';
import { describeMachine, formatRows } from './lib/report.ts';

/** What every `*.bench.ts` exports. */
interface Benchmark {
  readonly name: string;
  readonly summary: string;
  run(effort: Effort, note: (line: string) => void): Promise<Row[]>;
}

const help = `Usage: npm run bench -- [NAME…] [--json FILE] [--quick]

Measures Rollcall beside its peers: subject and peer take turns within one run, and medians are compared.

  NAME         benchmarks to run; all when none is given
  --json FILE  write the rows: benchmark, subject, peer, value, peerValue, unit, ratio
  --quick      very short rounds: shows that the benchmarks run, not how fast
  --list       name the benchmarks
  --help       this text`;

class UsageError extends Error {}

async function loadBenchmarks(): Promise<Benchmark[]> {
  const files = readdirSync(import.meta.dirname).filter((file) => file.endsWith('.bench.ts'));
  return Promise.all(files.toSorted().map((file) => import(`./${file}`) as Promise<Benchmark>));
}

function choose(all: readonly Benchmark[], names: readonly string[]): readonly Benchmark[] {
  if (names.length === 0) return all;
  return names.map((name) => {
    const found = all.find((benchmark) => benchmark.name === name);
    if (found) return found;
    throw new UsageError(`no benchmark ${name}: there are ${all.map((benchmark) => benchmark.name).join(', ')}`);
  });
}

function parse(): { names: string[]; json?: string | undefined; quick?: boolean; list?: boolean; help?: boolean } {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        json: { type: 'string' },
        quick: { type: 'boolean' },
        list: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
    return { names: positionals, ...values };
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

async function main(): Promise<void> {
  const options = parse();
  if (options.help) {
    console.log(help);
    return;
  }
  const all = await loadBenchmarks();
  if (options.list) {
    for (const { name, summary } of all) console.log(`${name.padEnd(12)} ${summary}`);
    return;
  }
  const chosen = choose(all, options.names);
  const effort = options.quick ? quickEffort : fullEffort;
  console.log(`${describeMachine()}; ${effort.rounds} rounds of ${effort.roundMs} ms in turns`);
  const rows: Row[] = [];
  for (const benchmark of chosen) {
    console.log(`\n${benchmark.name}: ${benchmark.summary}`);
    const measured = await benchmark.run(effort, (line) => console.log(`  ${line}`));
    console.log(`\n${formatRows(measured)}`);
    rows.push(...measured);
  }
  console.log(`\nchecksum ${takeChecksum()}`);
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(rows, null, 2)}\n`);
}

try {
  await main();
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`${error.message}\n\n${help}`);
  process.exitCode = 2;
}
