import { Session } from 'node:inspector/promises';
import path from 'node:path';
import type { Contestant } from './sampler.ts';

/** Where a contestant spends its time: functions, and the share of samples in each itself, without what it calls. */
export type Profile = readonly (readonly [where: string, share: number])[];

const SAMPLE_EVERY_US = 100;
const PROFILE_MS = 1_000;
/** Functions with a smaller share are left out. */
const SHARE_MIN = 0.03;

/** Profiles a contestant of this thread. Inlined functions count for themselves. */
export async function profileOf(contestant: Contestant): Promise<Profile> {
  const session = new Session();
  session.connect();
  try {
    await session.post('Profiler.enable');
    await session.post('Profiler.setSamplingInterval', { interval: SAMPLE_EVERY_US });
    await session.post('Profiler.start');
    await contestant.round(PROFILE_MS);
    const { profile } = await session.post('Profiler.stop');
    const names = new Map(profile.nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
    const samples = Map.groupBy(profile.samples ?? [], (id) => names.get(id));
    const total = profile.samples?.length ?? 0;
    return [...samples]
      .flatMap(([name, hits]) => (name === undefined ? [] : [[name, hits.length / total] as const]))
      .filter(([, share]) => share >= SHARE_MIN)
      .toSorted((a, b) => b[1] - a[1]);
  } finally {
    session.disconnect();
  }
}

/** A function as `name (file)`; what V8 gives no name or file for as it calls it. */
function nameOf({ functionName, url }: { functionName: string; url: string }): string {
  const name = functionName === '' ? 'the loop itself' : functionName;
  return url === '' ? name : `${name} (${path.basename(url)})`;
}
