import type { Registry } from '../../engine/index.ts';
import { serverIds } from './servers.ts';

/** A way to ask who serves a name. */
export type Way = 'by reference' | 'by name' | 'a Map, copied' | 'a Map, by messages';

/** How fast it is. */
export interface Measured {
  readonly way: Way;
  readonly lookupsPerSecond: number;
  /** Lookups that found nothing. */
  readonly missed: number;
}

/** Asks the Map that the main thread keeps for the owner's thread. */
export type AskMap = (id: string) => Promise<number | undefined>;

/** Rounds of each way, in turns: what else the machine does slows all of them. The best counts. */
const ROUNDS = 5;
const ROUND_MS = 40;
/** Passes over the servers between two looks at the clock, which costs as much as some lookups. */
const PASSES = 500;

/** Looks each server up, so many times. Returns how many lookups found one. */
type Pass = (times: number) => number | Promise<number>;

/** Looks the servers up in every way, in the calling thread. */
export async function measure(
  registry: Registry,
  copy: ReadonlyMap<string, number>,
  askMap: AskMap,
): Promise<Measured[]> {
  const ways: readonly (readonly [way: Way, times: number, pass: Pass])[] = [
    ['by reference', PASSES, byReference(registry)],
    ['by name', PASSES, byName(registry)],
    ['a Map, copied', PASSES, inMap(copy)],
    ['a Map, by messages', 1, byMessages(askMap)],
  ];
  const rounds: Measured[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    for (const [way, times, pass] of ways) rounds.push({ way, ...(await repeat(pass, times, ROUND_MS)) });
  }
  return ways.map(([way]) => {
    const own = rounds.filter((round) => round.way === way);
    return {
      way,
      lookupsPerSecond: Math.max(...own.map((round) => round.lookupsPerSecond)),
      missed: own.reduce((sum, round) => sum + round.missed, 0),
    };
  });
}

/** The same by name only, for several threads at once. */
export async function measureByName(registry: Registry): Promise<Measured> {
  return { way: 'by name', ...(await repeat(byName(registry), PASSES, ROUNDS * ROUND_MS)) };
}

async function repeat(pass: Pass, times: number, forMs: number): Promise<Omit<Measured, 'way'>> {
  let lookups = 0;
  let found = 0;
  let elapsedMs = 0;
  const startedMs = performance.now();
  do {
    found += await pass(times);
    lookups += times * serverIds.length;
    elapsedMs = performance.now() - startedMs;
  } while (elapsedMs < forMs);
  return { lookupsPerSecond: (lookups / elapsedMs) * 1_000, missed: lookups - found };
}

function byReference(registry: Registry): Pass {
  const refs = serverIds.map((id) => registry.ref('server', id));
  return (times) => {
    let found = 0;
    for (let n = 0; n < times; n++) for (const ref of refs) if (ref.current() !== undefined) found++;
    return found;
  };
}

function byName(registry: Registry): Pass {
  return (times) => {
    let found = 0;
    for (let n = 0; n < times; n++) {
      for (const id of serverIds) if (registry.whereis('server', id) !== undefined) found++;
    }
    return found;
  };
}

function inMap(map: ReadonlyMap<string, number>): Pass {
  return (times) => {
    let found = 0;
    for (let n = 0; n < times; n++) for (const id of serverIds) if (map.get(id) !== undefined) found++;
    return found;
  };
}

function byMessages(askMap: AskMap): Pass {
  return async (times) => {
    let found = 0;
    for (let n = 0; n < times; n++) for (const id of serverIds) if ((await askMap(id)) !== undefined) found++;
    return found;
  };
}
