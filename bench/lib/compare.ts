import { Bench } from 'tinybench';

/** One figure beside its peer's, measured in turns in one run. This shape is for good: tools read it. */
export interface Row {
  /** The benchmark file's name. */
  readonly benchmark: string;
  readonly subject: string;
  readonly peer: string;
  /** Medians over the rounds. */
  readonly value: number;
  readonly peerValue: number;
  readonly unit: string;
  /** value / peerValue: below 1 the subject is faster where the unit is a time. */
  readonly ratio: number;
}

/** A measured loop: does `operations` operations and returns a number that depends on all of them. */
export interface Loop {
  readonly name: string;
  readonly operations: number;
  run(): number;
}

export interface Effort {
  readonly rounds: number;
  readonly roundMs: number;
}
export const fullEffort: Effort = { rounds: 21, roundMs: 60 };
export const quickEffort: Effort = { rounds: 3, roundMs: 10 };

let checksum = 0;
/** Depends on every result of every measured loop, so that none could be left out by the compiler. */
export const takeChecksum = (): number => checksum;

/** Nanoseconds an operation took in one round: the median of tinybench's samples, each a whole loop. */
async function round(loop: Loop, roundMs: number): Promise<number> {
  const bench = new Bench({ time: roundMs, iterations: 3, warmup: false, retainSamples: true });
  bench.add(loop.name, () => {
    checksum = (checksum + loop.run()) % 1_000_000_007;
  });
  const [task] = await bench.run();
  const result = task.result;
  if (!('latency' in result)) throw new Error(`${loop.name} did not run: ${JSON.stringify(result)}`);
  return (result.latency.p50 * 1e6) / loop.operations;
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1];

/**
 * Measures loops that do the same job in turns: one short round each, again and again, so that all see the same
 * machine. tinybench alone would run one after the other.
 * @returns nanoseconds an operation by loop: the median, and the quartiles, over the rounds.
 */
export async function measureInTurns(
  loops: readonly Loop[],
  effort: Effort,
): Promise<Map<Loop, { median: number; quartiles: [number, number] }>> {
  for (const loop of loops) await round(loop, effort.roundMs); // warms up
  const times = new Map<Loop, number[]>(loops.map((loop) => [loop, []]));
  for (let n = 0; n < effort.rounds; n++) {
    for (const [loop, seen] of times) seen.push(await round(loop, effort.roundMs));
  }
  return new Map(
    [...times].map(([loop, seen]) => {
      const sorted = seen.toSorted((a, b) => a - b);
      const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
      return [loop, { median: median(seen), quartiles: [at(0.25), at(0.75)] }];
    }),
  );
}
