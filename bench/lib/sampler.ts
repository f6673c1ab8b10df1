import { Bench } from 'tinybench';
import { randomNumbers } from './fixtures.ts';

/** One side of a comparison. */
export interface Contestant {
  readonly name: string;
  /** Works for about so many milliseconds. @returns nanoseconds an operation took on average. */
  round(roundMs: number): number | Promise<number>;
  /** Whether it works in this thread alone, so that a profile of the thread is one of it. */
  readonly inThread?: boolean;
}

/** How long everything is measured, and with how much. */
export interface Effort {
  readonly quick: boolean;
  /** Rounds of each contestant, and milliseconds of each round. */
  readonly rounds: number;
  readonly roundMs: number;
  /** The larger number in a full run, the smaller in a quick one. */
  size(full: number, quick: number): number;
}
export const fullEffort: Effort = { quick: false, rounds: 21, roundMs: 60, size: (full) => full };
export const quickEffort: Effort = { quick: true, rounds: 2, roundMs: 2, size: (_, quick) => quick };

/** Median and quartiles over the rounds. */
export interface Figure {
  readonly median: number;
  readonly quartiles: readonly [number, number];
}

export function figureOf(values: readonly number[]): Figure {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  return { median: at(0.5), quartiles: [at(0.25), at(0.75)] };
}

let checksum = 0;
/** Depends on every result of every measured loop, so that no compiler can leave one out. */
export const takeChecksum = (): number => checksum;
export function addToChecksum(result: number): void {
  if (!Number.isFinite(result)) throw new Error(`a measured loop returned ${result}`);
  checksum = (checksum + Math.abs(result)) % 1_000_000_007;
}

/**
 * A contestant of this thread: `run` does `operations` operations, 1,000 or more, and returns a number that depends on
 * all of them. Give each its own function literal with its own loop: V8 would compile a shared one for all callers
 * and inline none.
 * `prepare` comes before each pass and is not measured.
 */
export function loop(
  name: string,
  operations: number,
  run: () => number | Promise<number>,
  prepare?: () => void,
): Contestant {
  return {
    name,
    inThread: true,
    async round(roundMs) {
      const bench = new Bench({ time: roundMs, iterations: 1, warmup: false, throws: true });
      const pass = () => {
        const result = run();
        if (typeof result !== 'number') return result.then(addToChecksum);
        return addToChecksum(result);
      };
      bench.add(name, pass, prepare && { beforeEach: prepare });
      const [{ result }] = await bench.run();
      if (!('latency' in result)) throw new Error(`${name} did not run: ${result.state}`);
      // The mean, as a median would leave out the samples in which memory was collected.
      return (result.latency.mean * 1e6) / operations;
    },
  };
}

export type Figures = ReadonlyMap<Contestant, Figure>;

/**
 * Measures contestants in turns: one short round each, again and again, in another order each time, so that all
 * see the same machine. (tinybench alone would run one after the other.)
 * @returns nanoseconds an operation.
 */
export async function measureInTurns(
  contestants: readonly Contestant[],
  effort: Effort,
  progress: (done: number, of: number) => void = () => {},
): Promise<Figures> {
  for (const contestant of contestants) await contestant.round(effort.roundMs); // warms up
  const times = new Map<Contestant, number[]>(contestants.map((contestant) => [contestant, []]));
  const random = randomNumbers(contestants.length);
  for (let n = 0; n < effort.rounds; n++) {
    progress(n, effort.rounds);
    for (const contestant of shuffle(contestants, random)) {
      times.get(contestant)!.push(await contestant.round(effort.roundMs));
    }
  }
  progress(effort.rounds, effort.rounds);
  return new Map([...times].map(([contestant, seen]) => [contestant, figureOf(seen)]));
}

function shuffle<T>(values: readonly T[], random: (bound: number) => number): T[] {
  const shuffled = [...values];
  for (let n = shuffled.length - 1; n > 0; n--) {
    const other = random(n + 1);
    [shuffled[n], shuffled[other]] = [shuffled[other], shuffled[n]];
  }
  return shuffled;
}
