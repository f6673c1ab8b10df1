export interface TortureOptions {
  /** Chooses what threads do and when they are killed; not how the machine interleaves them. */
  readonly seed: number;
  readonly kills: number;
  /** The run lasts at least so long, its kills spread over it. 0: as fast as they come. */
  readonly minutes: number;
  /** Survivors and victims together; the first half survives. */
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
const killsPerRegistry = 100;

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

export const victimsOf = (options: TortureOptions): number => options.threads - survivorsOf(options);
