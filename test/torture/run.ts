import { performance } from 'node:perf_hooks';
import { Random } from '../support/random.ts';
import { roundsOf, type TortureOptions } from './options.ts';
import { Round } from './round.ts';
import { Tally } from './tally.ts';

const progressEveryMs = 10_000;

/**
 * Runs threads against each other and kills some of them, over and over. Ends early at the first problem, or when the
 * signal says so; the tally tells what was found either way.
 */
export async function torture(
  options: TortureOptions,
  signal: AbortSignal,
  onProgress: (tally: Tally, seconds: number) => void = () => {},
): Promise<Tally> {
  const tally = new Tally();
  const random = new Random(options.seed);
  const started = performance.now();
  const progress = setInterval(() => onProgress(tally, (performance.now() - started) / 1000), progressEveryMs);
  for (const [n, kills] of roundsOf(options).entries()) {
    if (signal.aborted || tally.problems.length > 0) break;
    const controlSeconds = n === 0 && kills > 0 ? options.controlSeconds : 0;
    await Round.run({ options, kills, controlSeconds, random, tally, signal });
  }
  clearInterval(progress);
  return tally;
}
