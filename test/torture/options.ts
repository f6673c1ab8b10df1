import { defaults } from '../../src/shared/limits.ts';

/** Threads of a run, at most: half of what a registry has rows for, as a killed thread's is free a moment later than
 *  the thread in its place wants one. */
export const threadsMax = defaults.threadsMax / 2;

export interface TortureOptions {
  /** Chooses what threads do and when they are killed; not how the machine interleaves them. */
  readonly seed: number;
  readonly kills: number;
  /** The run lasts at least so long, its kills spread over it. 0: as fast as they come. */
  readonly minutes: number;
  /** Survivors and victims together; a third survives, and all where none is killed. */
  readonly threads: number;
  /** Entries that are there all the while, besides what the threads write. */
  readonly entries: number;
  readonly shards: number;
  /** Whether every second survivor has its operations cut short by time-outs. */
  readonly abandon: boolean;
  /** Seconds without kills before them, to compare stalls with. */
  readonly controlSeconds: number;
}

/** Kills on one registry before the next is opened, which has to grow anew. */
const killsPerRegistry = 50;

/** Kills of each registry. A run that is long, or has entries to keep, has one registry. */
export function roundsOf({ kills, minutes, entries }: TortureOptions): number[] {
  const rounds = minutes > 0 || entries > 0 ? 1 : Math.max(1, Math.ceil(kills / killsPerRegistry));
  return Array.from(
    { length: rounds },
    (_, n) => Math.floor(((n + 1) * kills) / rounds) - Math.floor((n * kills) / rounds),
  );
}

export const survivorsOf = ({ threads, kills }: TortureOptions): number =>
  kills > 0 ? Math.ceil(threads / 3) : threads;

/** Survivors that abandon locks: every second, so that one alone does not. */
export const abandonersOf = (options: TortureOptions): number =>
  options.abandon ? Math.floor(survivorsOf(options) / 2) : 0;

export const victimsOf = (options: TortureOptions): number => options.threads - survivorsOf(options);
