import { availableParallelism } from 'node:os';
import type { Account, Accounts } from './accounts.ts';
import { Durations } from './durations.ts';
import { type Trend, trendsOf } from './memory.ts';
import { abandonersOf, survivorsOf, type TortureOptions } from './options.ts';
import type { Tally } from './tally.ts';
import { Phase } from './words.ts';

const count = (n: number) => n.toLocaleString('en');
const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
const row = (what: string, ...values: (number | string)[]) =>
  `  ${what.padEnd(50)}${values.map((value) => String(typeof value === 'number' ? count(value) : value).padStart(13)).join('')}`;

export function heading(options: TortureOptions): string {
  const asked = [
    `seed ${options.seed}`,
    `${count(options.kills)} kills`,
    ...(options.minutes > 0 ? [`${options.minutes} minutes`] : []),
    `${options.threads} threads (${survivorsOf(options)} survive, of which ${abandonersOf(options)} abandon locks alive)`,
    `${options.shards} shards`,
    ...(options.entries > 0 ? [`${count(options.entries)} entries present`] : []),
  ];
  const machine = `${availableParallelism()} cores, Node ${process.version}, ${process.platform} ${process.arch}`;
  return `torture: ${asked.join(', ')}\nmachine: ${machine}\n`;
}

/** A line while it runs. */
export function progressLine({ memory, ...tally }: Tally, seconds: number, operationsPerSecond: number): string {
  const now = memory.at(-1);
  return [
    `${Math.round(seconds)} s`.padStart(6),
    `${count(tally.kills)} kills`.padStart(12),
    `${count(tally.steals)} locks taken over`.padStart(25),
    `${count(Math.round(operationsPerSecond))} operations/s`.padStart(22),
    `process ${mebibytes(now?.process ?? 0)}`.padStart(20),
    `registry ${mebibytes(now?.committed ?? 0)}`.padStart(20),
  ].join('');
}

/**
 * Locks that were taken over from killed threads: each kill leaves one at most. The registry counts takeovers of shards'
 * locks by all threads, but not one whose taker was itself stopped right then; so it is at least what was seen.
 */
export function locksOfTheKilled(tally: Tally): { all: number; byParent: number; byWaiters: number } {
  const survivors = tally.locks;
  const main = tally.probe.report;
  const byParent = main.ofShards.recovered + main.ofRows.recovered;
  const byWaiters = [survivors, main].reduce((sum, { ofShards, ofRows }) => sum + ofShards.stolen + ofRows.stolen, 0);
  const ofShards = tally.steals - survivors.ofShards.takenBack - survivors.ofShards.recovered;
  const ofRows = survivors.ofRows.stolen + main.ofRows.stolen + main.ofRows.recovered;
  return { all: Math.max(ofShards + ofRows, byParent + byWaiters, tally.killsHolding), byParent, byWaiters };
}

export function isFlat(tally: Tally): boolean {
  return trendsOf(tally.memory).every(({ flat }) => flat);
}

/** How far a run came that was interrupted. */
export function interruptedLine({ kills, minutes }: TortureOptions, tally: Tally, seconds: number): string {
  const done = [
    ...(kills > 0 ? [`${count(tally.kills)} of ${count(kills)} kills`] : []),
    ...(minutes > 0 ? [`${(seconds / 60).toFixed(1)} of ${minutes} minutes`] : []),
  ];
  return `interrupted after ${done.join(', ')}`;
}

export function reportOf(tally: Tally, seconds: number): string {
  return [
    `${count(tally.kills)} kills in ${seconds.toFixed(0)} s, on ${count(tally.accounts.length)} ${tally.accounts.length === 1 ? 'registry' : 'registries'}`,
    '',
    ...workLines(tally, seconds),
    '',
    ...lockLines(tally),
    '',
    ...stallLines(tally),
    '',
    ...accountLines(tally),
    '',
    ...memoryLines(trendsOf(tally.memory)),
    ...problemLines(tally),
    verdict(tally),
  ].join('\n');
}

function workLines(tally: Tally, seconds: number): string[] {
  return [
    row('operations of survivors, a second', Math.round(tally.operations / seconds)),
    row('operations of victims, a second', Math.round(tally.victimOperations / seconds)),
    row('configs read by survivors, all of them whole', tally.reads),
    row('acknowledged writes looked for and found', tally.acknowledged),
    row('names of the living found right after kills', tally.listed),
    row('ends of threads that monitors were told of', tally.ends),
    row('changes that watches were told of', tally.changes),
    row('letters survivors sent, and were told so', tally.sent),
    row('  refused, and told so: full lanes, dead threads', tally.refused),
    row('letters that came to survivors, each once', tally.received),
    row('  at the end of a lane, their senders not told', tally.receivedUntold),
    row('calls, and waits for room, that had their end', tally.settled),
    row('additions to counters', tally.counted),
    row('  done, and who did them not told', tally.countedUntold),
  ];
}

function lockLines(tally: Tally): string[] {
  const { ofShards, ofRows } = tally.locks;
  const { all, byParent, byWaiters } = locksOfTheKilled(tally);
  return [
    row('kills that left a lock held', all),
    row('  still held when the thread had exited', tally.killsHolding),
    row('  taken over by the parent, at the exit', byParent),
    row('  by a survivor that waited for it', byWaiters),
    row('  by other victims or the coordinator', all - byParent - byWaiters),
    row('callbacks cut short by a time-out', tally.cuts),
    row('  that left a lock held', tally.abandoned),
    row('  taken back by their thread on its own', ofShards.takenBack + ofRows.takenBack),
    row('  given back by it when it was asked', ofShards.recovered + ofRows.recovered),
  ];
}

function stallLines({ locks, phases, terminations, dyingRan, dyingQueued, probe }: Tally): string[] {
  const line = (what: string, durations: Durations) => {
    const ms = (value: number) => value.toFixed(3);
    return row(
      what,
      durations.count,
      ms(durations.quantileMs(0.5)),
      ms(durations.quantileMs(0.99)),
      ms(durations.quantileMs(0.999)),
      ms(durations.longestMs),
    );
  };
  const [control, kills] = [locks.waits[Phase.control], locks.waits[Phase.kills]];
  const repairs = new Durations();
  for (const seen of [locks, probe.report]) repairs.merge(seen.repairs);
  return [
    row('milliseconds', 'count', 'median', '99 %', '99.9 %', 'longest'),
    line('a survivor waited for a lock of a killed thread', kills.dead),
    line('  of one that abandons locks alive', kills.abandoned),
    line('  of another living thread', kills.alive),
    line('  of a living thread before the first kill', control.alive),
    line('an operation of a survivor', phases[Phase.kills]),
    line('  before the first kill', phases[Phase.control]),
    line('from terminate() to the exit of the thread', terminations),
    line('  in which it ran', dyingRan),
    line('  in which it waited for a processor', dyingQueued),
    line('a repair of what it had left half-done', repairs),
  ];
}

function accountLines({ accounts }: Tally): string[] {
  const sum = (when: 'living' | 'empty', what: keyof Omit<Accounts, 'valueBytes'>, field: keyof Account) =>
    accounts.reduce((sum, account) => sum + account[when][what][field], 0);
  const bytes = (when: 'living' | 'empty') => accounts.reduce((sum, account) => sum + account[when].valueBytes, 0);
  const line = (what: string, when: 'living' | 'empty', which: keyof Omit<Accounts, 'valueBytes'>) =>
    row(what, sum(when, which, 'used'), sum(when, which, 'free'), sum(when, which, 'total'));
  return [
    row('exact audit: used + free = total', 'used', 'free', 'total'),
    line('records, survivors at rest', 'living', 'records'),
    line('pages', 'living', 'pages'),
    line('lanes', 'living', 'lanes'),
    line('rows of counters', 'living', 'counters'),
    row('bytes of configs and long names', bytes('living')),
    line('records, everything unregistered', 'empty', 'records'),
    line('pages', 'empty', 'pages'),
    line('lanes', 'empty', 'lanes'),
    line('rows of counters', 'empty', 'counters'),
    row('bytes of configs and long names', bytes('empty')),
  ];
}

const trendNames: Record<Trend['of'], string> = {
  process: 'process, resident',
  mainHeap: 'heap of the main thread',
  survivorHeaps: 'heaps of the survivors',
  committed: 'registry, committed',
  handedOut: 'registry, configs and long names',
};

function memoryLines(trends: readonly Trend[]): string[] {
  if (trends.length === 0) return [];
  return [
    row('memory, medians', 'first quarter', 'last quarter', ''),
    ...trends.map(({ of, first, last, flat }) =>
      row(trendNames[of], mebibytes(first), mebibytes(last), flat ? 'flat' : 'GROWS'),
    ),
    '',
  ];
}

function problemLines({ problems }: Tally): string[] {
  return problems.map(({ kind, message }) => `${kind.toUpperCase()} ${message}\n`);
}

function verdict(tally: Tally): string {
  const kinds = (['stuck', 'torn', 'lost', 'repeated', 'leaked', 'failed'] as const).map(
    (kind) => `${tally.count(kind)} ${kind}`,
  );
  return `${kinds.join(', ')}${isFlat(tally) ? '' : ', memory grows'}`;
}
