import type { Figures, ShardFigures } from '../engine/index.ts';
import { count, duration, percent, table } from './format.ts';
import { summaryOf } from './inspect-report.ts';

/** Counters whose rates are shown. */
const counted = ['registrations', 'updates', 'removals', 'swept', 'lockWaits'] as const;
type Rates = Readonly<Record<(typeof counted)[number], number>>;

/** What `rollcall top` shows: a registry now, and what has happened since it was looked at before, if it was. */
export function frameOf(now: Figures, before: Figures | undefined): string[] {
  const seconds = before === undefined ? 0 : (now.takenMs - before.takenMs) / 1_000;
  const rates = now.shards.map((shard, n) => ratesOf(shard, before?.shards[n], seconds));
  const total = (name: keyof Rates): string => {
    if (seconds === 0) return '–';
    return count(rates.reduce((sum, rate) => sum + rate[name], 0));
  };
  return [
    `rollcall top · process ${now.pid} · ${new Date().toISOString().slice(11, 19)} UTC`,
    ...summaryOf(now),
    `per second: registrations ${total('registrations')}, updates ${total('updates')}, ` +
      `removals ${total('removals')}, swept ${total('swept')}, lock waits ${total('lockWaits')}`,
    '',
    ...table(
      ['KIND', 'NAMES'],
      now.kinds.slice(0, 5).map(({ kind, names }) => [kind, count(names)]),
    ),
    '',
    ...shardTable(now.shards, rates, seconds > 0),
  ];
}

/** The alarmed first, then those with the most writes now, then the fullest. */
function shardTable(shards: readonly ShardFigures[], rates: readonly Rates[], known: boolean): string[] {
  const writes = shards.map((_, n) => rates[n].registrations + rates[n].updates + rates[n].removals);
  const order = [...shards.keys()].sort(
    (a, b) =>
      Number(shards[b].alarmed) - Number(shards[a].alarmed) ||
      writes[b] - writes[a] ||
      shards[b].entries - shards[a].entries ||
      a - b,
  );
  return table(
    ['SHARD', 'ENTRIES', 'LOAD', 'WRITES/s', 'WAITS/s', 'WRITE P99', 'WAIT P99', 'ALARM'],
    order.map((n) => [
      `${n}`,
      count(shards[n].entries),
      percent(shards[n].loadFactor),
      known ? count(writes[n]) : '–',
      known ? count(rates[n].lockWaits) : '–',
      duration(shards[n].writeLatency.p99Us),
      duration(shards[n].lockWaitLatency.p99Us),
      shards[n].reasons.join(' '),
    ]),
  );
}

function ratesOf(now: ShardFigures, before: ShardFigures | undefined, seconds: number): Rates {
  const rate = (name: (typeof counted)[number]): number => {
    if (before === undefined || seconds <= 0) return 0;
    // It goes back only when the statistics were reset, or after 2^32: then at least so much has happened.
    const happened = now[name] < before[name] ? now[name] : now[name] - before[name];
    return happened / seconds;
  };
  return Object.fromEntries(counted.map((name) => [name, rate(name)])) as Rates;
}
