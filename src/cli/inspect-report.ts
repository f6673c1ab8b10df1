import type { Figures, NamedEntry, NameList } from '../engine/index.ts';
import { printable } from '../gateway/text.ts';
import { bytes, count, duration, percent, table } from './format.ts';

/** A registry on a page, for people. */
export function reportOf(figures: Figures): string {
  const { kinds, threads, groups, counters = [] } = figures;
  const sections: string[][] = [
    [`process ${figures.pid}, ${new Date().toISOString()}`, ...summaryOf(figures)],
    table(
      ['KIND', 'NAMES'],
      kinds.map(({ kind, names }) => [kind, count(names)]),
    ),
    table(
      ['THREAD', 'NAMES', 'OWNERS', 'UNREAD'],
      threads.map((thread) => [
        `${thread.threadId}`,
        count(thread.names),
        count(thread.owners),
        bytes(thread.waitingBytes),
      ]),
    ),
    table(
      ['GROUP', 'MEMBERS'],
      groups.largest.map(({ group, members }) => [group, count(members)]),
    ),
    table(
      ['COUNTER', 'VALUE'],
      counters.map(({ name, value }) => [name, count(value)]),
    ),
    table(
      ['SHARD', 'ENTRIES', 'LOAD', 'VALUES', 'MEMORY', 'WRITE P99', 'WAITS', 'WAIT P99', 'ALARM'],
      figures.shards.map((shard) => [
        `${shard.shard}`,
        count(shard.entries),
        percent(shard.loadFactor),
        bytes(shard.valueBytes),
        bytes(shard.bytesCommitted),
        duration(shard.writeLatency.p99Us),
        count(shard.lockWaits),
        duration(shard.lockWaitLatency.p99Us),
        shard.reasons.join(' '),
      ]),
    ),
  ];
  return sections
    .filter(({ length }) => length > 1) // a table without rows is left out
    .map((lines) => lines.join('\n'))
    .join('\n\n');
}

/** What is said of a registry as a whole, in a few lines. */
export function summaryOf(figures: Figures): string[] {
  const { threads, groups, admission, shards, writes, lockWaits, lanes, memory } = figures;
  const forced = admission.mode === 'forced' ? ' (forced)' : '';
  return [
    `names ${count(figures.names)} · threads ${threads.length} of ${count(figures.threadsMax)} · ` +
      `owners ${count(figures.owners)} · groups ${count(groups.count)} with ${count(groups.members)} members · ` +
      `bindings ${figures.bindings === undefined ? 'unknown' : count(figures.bindings)}`,
    `admission ${admission.state}${forced} · ${figures.alarmed} of ${shards.length} shards alarmed`,
    `writes p50 ${duration(writes.p50Us)}, p99 ${duration(writes.p99Us)}, max ${duration(writes.maxUs)}`,
    `lock waits ${count(lockWaits.count)}, p99 ${duration(lockWaits.p99Us)}, max ${duration(lockWaits.maxUs)}`,
    `messages ${count(lanes.open)} lanes, ${bytes(lanes.waitingBytes)} unread, fullest ring ${percent(lanes.fullest)} · ` +
      `memory ${bytes(memory.controlBytes + memory.shardBytes + memory.laneBytes)}`,
  ];
}

export function namesReport(kind: string, { names, more }: NameList): string {
  if (names.length === 0) return `no names of kind ${printable(kind)}`;
  const rows = names.map(({ id, owner }) => [id, `${owner.threadId}`, `${owner.slot}`, `${owner.epoch}`]);
  const rest = more === 0 ? [] : [`… and ${count(more)} more: --limit`];
  return [...table(['ID', 'THREAD', 'SLOT', 'EPOCH'], rows), ...rest].join('\n');
}

export function entryReport({ kind, id, owner, config }: NamedEntry): string {
  const head = `${printable(kind)} ${printable(id)}: thread ${owner.threadId}, owner ${owner.slot}, epoch ${owner.epoch}`;
  if (config === undefined) return `${head}\nno config`;
  return [head, ...JSON.stringify(config, undefined, 2).split('\n').map(printable)].join('\n');
}
