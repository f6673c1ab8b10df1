import { readdirSync } from 'node:fs';
import path from 'node:path';
import { profileOf } from './profile.ts';
import { type Row, Rows } from './rows.ts';
import { type Contestant, type Effort, type Figures, measureInTurns } from './sampler.ts';

/** What every `*.bench.ts` exports. */
export interface Benchmark {
  readonly name: string;
  readonly summary: string;
  /** How often it measures, where that is not by rounds in turns. */
  readonly method?: string;
  run(context: Context): Promise<void>;
}

/** What a benchmark works with. */
export class Context {
  readonly effort: Effort;
  readonly rows: Rows;
  /** Ended after the benchmark, and also when it fails or is interrupted: whatever it starts belongs here. */
  readonly resources = new AsyncDisposableStack();
  readonly #print: (line: string) => void;
  readonly #contestants = new Map<string, Contestant>();

  constructor(benchmark: string, effort: Effort, print: (line: string) => void) {
    this.effort = effort;
    this.rows = new Rows(benchmark, !effort.quick);
    this.#print = print;
  }

  note(line: string): void {
    this.#print(`  ${line}`);
  }

  /** Measures in turns and says how far it is. */
  async measure(title: string, contestants: readonly Contestant[]): Promise<Figures> {
    for (const contestant of contestants) this.#contestants.set(contestant.name, contestant);
    const startedMs = performance.now();
    let printedMs = startedMs;
    const figures = await measureInTurns(contestants, this.effort, (done, of) => {
      const now = performance.now();
      if (now - printedMs < 5_000 || done === of) return;
      printedMs = now;
      this.note(`${title}: round ${done} of ${of}`);
    });
    this.note(`${title}: ${((performance.now() - startedMs) / 1_000).toFixed(1)} s`);
    return figures;
  }

  /** Finds out where the time goes of those that missed a goal, as far as they work in this thread. */
  async profileMissed(): Promise<void> {
    const rows: Row[] = [];
    for (const row of this.rows.all) {
      const contestant = row.met === false ? this.#contestants.get(row.subject) : undefined;
      rows.push(contestant?.inThread ? { ...row, profile: await profileOf(contestant) } : row);
    }
    this.rows.all = rows;
  }
}

const folder = path.resolve(import.meta.dirname, '..');

export async function loadBenchmark(name: string): Promise<Benchmark> {
  return (await import(path.join(folder, `${name}.bench.ts`))) as Benchmark;
}

/** Every benchmark there is, by name. */
export function loadBenchmarks(): Promise<Benchmark[]> {
  const names = readdirSync(folder).filter((file) => file.endsWith('.bench.ts'));
  return Promise.all(names.toSorted().map((file) => loadBenchmark(file.replace(/\.bench\.ts$/, ''))));
}
