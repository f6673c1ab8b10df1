import { inspect } from 'node:util';
import { alarmReasons } from '../shared/contention.ts';
import { RegistryError } from '../shared/errors.ts';
import type { Distribution, Figures, ShardFigures } from './figures.ts';
import { checkKnown, checkObject } from './options.ts';
import type { LatencyStats } from './stats.ts';

/** How figures are told to Prometheus. */
export interface PrometheusOptions {
  /** Labels of every sample, for who has several registries: `{ registry: 'sessions' }`. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

/** The media type of the text: what a scrape's answer has for `content-type`. */
export const prometheusContentType = 'text/plain; version=0.0.4; charset=utf-8';

type Labels = Readonly<Record<string, string | number>>;
type Sample = readonly [labels: Labels, value: number];

/** Labels that samples have of themselves. */
const OWN_LABELS: readonly string[] = ['group', 'kind', 'le', 'name', 'part', 'quantile', 'reason', 'shard'];

/** @throws {RegistryError} `INVALID_OPTION` */
export function prometheusText(figures: Figures, options: PrometheusOptions = {}): string {
  const text = new Text(checkedLabels(options));
  writeRegistry(text, figures);
  writeShards(text, figures.shards);
  return text.toString();
}

function writeRegistry(text: Text, figures: Figures): void {
  const { groups, threads, lanes, memory, admission, counters, bindings } = figures;
  text.gauge(
    'names',
    'Names that are registered.',
    figures.kinds.map(({ kind, names }) => [{ kind }, names]),
  );
  text.gauge('threads', 'Attachments of threads.', threads.length);
  text.gauge('threads_max', 'Attachments that there is room for.', figures.threadsMax);
  text.gauge('owners', 'Owners smaller than a thread that live.', figures.owners);
  text.gauge('owners_max', 'Owners smaller than a thread that there is room for.', figures.ownersMax);
  if (bindings !== undefined) text.gauge('bindings', 'Transports that are bound to a server.', bindings);
  text.gauge('groups', 'Groups that were joined.', groups.count);
  text.gauge('group_memberships', 'Members of all groups together.', groups.members);
  text.gauge(
    'group_members',
    'Members of a group, of the largest groups.',
    groups.largest.map(({ group, members }) => [{ group }, members]),
  );
  text.gauge('admission_open', '1 while new names are taken.', Number(admission.state === 'open'));
  text.gauge(
    'admission_forced',
    '1 while somebody has forced admission open or closed.',
    Number(admission.mode === 'forced'),
  );
  text.gauge('alarmed_shards', 'Shards that are alarmed for contention.', figures.alarmed);
  if (counters !== undefined) {
    const samples = counters.map(({ name, value }): Sample => [{ name }, value]);
    text.gauge('counter', "The application's counters, summed over all who count.", samples);
  }
  text.gauge('lanes', 'Lanes of messages between pairs of threads.', lanes.open);
  text.gauge('lanes_max', 'Lanes that there is room for.', lanes.max);
  text.gauge('mailbox_waiting_bytes', 'Bytes of messages that their receivers have not read.', lanes.waitingBytes);
  text.gauge('mailbox_fullest_ratio', 'How full the fullest ring of a lane is, from 0 to 1.', lanes.fullest);
  text.gauge('memory_bytes', 'Shared memory that is committed.', [
    [{ part: 'control' }, memory.controlBytes],
    [{ part: 'shards' }, memory.shardBytes],
    [{ part: 'lanes' }, memory.laneBytes],
  ]);
  text.histogram('write_duration_seconds', 'Durations of writes, lock waits included; sampled.', figures.writes);
  text.histogram('lock_wait_duration_seconds', 'Durations of waits for a lock.', figures.lockWaits);
}

function writeShards(text: Text, shards: readonly ShardFigures[]): void {
  const each = (value: (figures: ShardFigures) => number): Sample[] =>
    shards.map((figures) => [{ shard: figures.shard }, value(figures)]);
  text.gauge(
    'shard_entries',
    'Entries in the index, of dead owners too until they are swept.',
    each((s) => s.entries),
  );
  text.gauge(
    'shard_load_ratio',
    'Share of the index slots that is in use.',
    each((s) => s.loadFactor),
  );
  text.gauge(
    'shard_probes',
    'Index words that a search of a write looks at, on average.',
    each((s) => s.probesMean),
  );
  text.gauge(
    'shard_value_bytes',
    'Bytes of configs and long names.',
    each((s) => s.valueBytes),
  );
  text.gauge(
    'shard_memory_bytes',
    'Shared memory that is committed.',
    each((s) => s.bytesCommitted),
  );
  text.counter(
    'shard_registrations',
    'Names registered.',
    each((s) => s.registrations),
  );
  text.counter(
    'shard_updates',
    'Configs replaced.',
    each((s) => s.updates),
  );
  text.counter(
    'shard_removals',
    'Names taken back.',
    each((s) => s.removals),
  );
  text.counter(
    'shard_swept',
    'Entries of dead owners removed.',
    each((s) => s.swept),
  );
  text.counter(
    'shard_lock_takings',
    'Times the lock was taken.',
    each((s) => s.lockTakings),
  );
  text.counter(
    'shard_lock_waits',
    'Times a writer did not get the lock at once.',
    each((s) => s.lockWaits),
  );
  text.counter(
    'shard_lock_steals',
    'Times the lock was taken from a dead holder.',
    each((s) => s.lockSteals),
  );
  text.counter(
    'shard_resizes',
    'Times the index was rebuilt.',
    each((s) => s.resizes),
  );
  const latencies = (of: (figures: ShardFigures) => LatencyStats) =>
    shards.map((figures) => [{ shard: figures.shard }, of(figures)] as const);
  text.summary(
    'shard_write_seconds',
    'Durations of writes of a shard; sampled.',
    latencies((s) => s.writeLatency),
  );
  text.summary(
    'shard_lock_wait_seconds',
    'Durations of lock waits of a shard.',
    latencies((s) => s.lockWaitLatency),
  );
  text.gauge(
    'shard_write_max_seconds',
    'The longest write.',
    each((s) => s.writeLatency.maxUs / 1e6),
  );
  text.gauge(
    'shard_lock_wait_max_seconds',
    'The longest lock wait.',
    each((s) => s.lockWaitLatency.maxUs / 1e6),
  );
  text.gauge(
    'shard_alarm',
    '1 while the shard is alarmed for this reason.',
    shards.flatMap(({ shard, reasons }) =>
      alarmReasons.map(([, reason]): Sample => [{ shard, reason }, Number(reasons.includes(reason))]),
    ),
  );
}

/**
 * Prometheus' text format, version 0.0.4: each metric once, with its help and type before its samples. Names begin with
 * `rollcall_`; units are seconds and bytes.
 */
class Text {
  readonly #lines: string[] = [];
  readonly #labels: Labels;

  constructor(labels: Labels) {
    this.#labels = labels;
  }

  gauge(name: string, help: string, samples: number | readonly Sample[]): void {
    this.#head(name, help, 'gauge');
    const all: readonly Sample[] = typeof samples === 'number' ? [[{}, samples]] : samples;
    for (const [labels, value] of all) this.#sample(name, labels, value);
  }

  counter(name: string, help: string, samples: readonly Sample[]): void {
    this.#head(`${name}_total`, help, 'counter');
    for (const [labels, value] of samples) this.#sample(`${name}_total`, labels, value);
  }

  histogram(name: string, help: string, { buckets, count, meanUs }: Distribution): void {
    this.#head(name, help, 'histogram');
    for (const [upToUs, upTo] of buckets) this.#sample(`${name}_bucket`, { le: upToUs / 1e6 }, upTo);
    this.#sample(`${name}_bucket`, { le: '+Inf' }, count);
    this.#sum(name, {}, count, meanUs);
  }

  summary(name: string, help: string, latencies: readonly (readonly [Labels, LatencyStats])[]): void {
    this.#head(name, help, 'summary');
    for (const [labels, { count, p50Us, p99Us, meanUs }] of latencies) {
      this.#sample(name, { ...labels, quantile: 0.5 }, count === 0 ? Number.NaN : p50Us / 1e6);
      this.#sample(name, { ...labels, quantile: 0.99 }, count === 0 ? Number.NaN : p99Us / 1e6);
      this.#sum(name, labels, count, meanUs);
    }
  }

  toString(): string {
    return this.#lines.join('');
  }

  #sum(name: string, labels: Labels, count: number, meanUs: number): void {
    this.#sample(`${name}_sum`, labels, (count * meanUs) / 1e6);
    this.#sample(`${name}_count`, labels, count);
  }

  #head(name: string, help: string, type: string): void {
    this.#lines.push(`# HELP rollcall_${name} ${help}\n# TYPE rollcall_${name} ${type}\n`);
  }

  #sample(name: string, labels: Labels, value: number): void {
    const pairs = Object.entries({ ...this.#labels, ...labels }).map(([label, text]) => `${label}="${escaped(text)}"`);
    this.#lines.push(`rollcall_${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}\n`);
  }
}

const escaped = (text: string | number): string =>
  String(text).replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');

function checkedLabels(options: PrometheusOptions): Labels {
  checkKnown(options, ['labels']);
  const { labels = {} } = options;
  checkObject(labels);
  for (const [name, value] of Object.entries(labels)) {
    const isLabel = /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) && !name.startsWith('__') && !OWN_LABELS.includes(name);
    if (isLabel && typeof value === 'string' && value.isWellFormed()) continue;
    const want = `letters, digits and _, none of ${OWN_LABELS.join(', ')}; its value a string`;
    throw new RegistryError('INVALID_OPTION', `label ${inspect(name)} is ${inspect(value)}: its name has ${want}`);
  }
  return labels;
}
