import type { Way } from './benchmark.ts';
import { TIMEOUT_MS } from './thread.ts';
import type { Tour } from './tour.ts';

/** How fast lookups are, beside what one would do without a registry, and whether the main thread is needed for them. */
export async function comparison({ report, threads, done }: Tour): Promise<void> {
  report.step('A small benchmark, beside a Map that is copied, and one that is asked by postMessage');
  const [client, other] = [threads['client-1'], threads['client-2']];
  const measured = await client.ask('measure');
  const together = await Promise.all([client.ask('measureByName'), other.ask('measureByName')]);

  const asked = client.ask('whileMainIsBlocked');
  const woken = Atomics.wait(done, 0, 0, TIMEOUT_MS); // this thread runs nothing else meanwhile
  const blocked = await asked;

  const perSecond = new Map<Way, number>(measured.map(({ way, lookupsPerSecond }) => [way, lookupsPerSecond]));
  const byMessages = perSecond.get('a Map, by messages') ?? 0;
  const byName = perSecond.get('by name') ?? 0;
  const rows = measured.map(({ way, lookupsPerSecond }) => [
    way,
    whole(lookupsPerSecond),
    `${whole(lookupsPerSecond / byMessages)}×`,
    blocked[way] > 0 ? 'goes on' : 'no answer',
  ]);
  report.table(['a lookup', 'per second', 'ratio', 'main thread blocked'], rows);
  const sum = together.reduce((total, { lookupsPerSecond }) => total + lookupsPerSecond, 0);
  report.say(`by name in two threads at once: ${whole(sum)} per second in all`);

  const missed = [...measured, ...together].map((each) => each.missed);
  report.check(
    'every lookup found its server',
    missed,
    missed.map(() => 0),
  );
  const answered = {
    woken,
    goOn: Object.values(blocked).filter((found) => found > 0).length,
    byMessages: blocked['a Map, by messages'],
  };
  report.check('while the main thread stands still all others go on', answered, {
    woken: 'ok',
    goOn: 3,
    byMessages: 0,
  });
  report.check('a lookup by name is faster than a question', byName > byMessages, true);
}

const whole = (value: number): string => Math.round(value).toLocaleString('en-US');
