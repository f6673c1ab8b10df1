// The entry `rollcall/opentelemetry`: the only one whose types need @opentelemetry/api. Nothing of it is loaded.
import type { Attributes, Meter, Observable } from '@opentelemetry/api';
import type { Figures } from './figures.ts';
import type { Registry } from './registry.ts';
import type { LatencyStats } from './stats.ts';

type Observation = readonly [value: number, attributes?: Attributes];

interface Instrument {
  readonly name: string;
  readonly type: 'gauge' | 'counter' | 'upDownCounter';
  readonly unit: string;
  readonly description: string;
  readonly read: (figures: Figures) => readonly Observation[];
}

/**
 * Observable instruments of a registry, which are read once in each collection, all together. One thread's are enough: the
 * figures are the same in all.
 * @param meter of `@opentelemetry/api`, which the application brings
 * @returns what ends the observation when it is disposed of; so does closing the registry
 * @example
 * const observation = observe(registry, metrics.getMeter('my-application'));
 */
export function observe(registry: Registry, meter: Meter): Disposable {
  const read = instruments.map((instrument) => [create(meter, instrument), instrument.read] as const);
  const observables: Observable[] = read.map(([observable]) => observable);
  const callback: Parameters<Meter['addBatchObservableCallback']>[0] = (result) => {
    if (registry.closed) return;
    const figures = registry.insight.figures();
    for (const [observable, observations] of read) {
      for (const [value, attributes] of observations(figures)) result.observe(observable, value, attributes);
    }
  };
  meter.addBatchObservableCallback(callback, observables);
  return { [Symbol.dispose]: () => meter.removeBatchObservableCallback(callback, observables) };
}

function create(meter: Meter, { name, type, unit, description }: Instrument): Observable {
  const options = { unit, description };
  switch (type) {
    case 'gauge':
      return meter.createObservableGauge(name, options);
    case 'counter':
      return meter.createObservableCounter(name, options);
    case 'upDownCounter':
      return meter.createObservableUpDownCounter(name, options);
  }
}

const instruments: readonly Instrument[] = [
  {
    name: 'rollcall.names',
    type: 'upDownCounter',
    unit: '{name}',
    description: 'Names that are registered, by kind',
    read: ({ kinds }) => kinds.map(({ kind, names }) => [names, { 'rollcall.kind': kind }]),
  },
  one('rollcall.threads', '{thread}', 'Attachments of threads', ({ threads }) => threads.length),
  one('rollcall.owners', '{owner}', 'Owners smaller than a thread that live', ({ owners }) => owners),
  one('rollcall.bindings', '{binding}', 'Transports that are bound to a server', ({ bindings }) => bindings),
  one('rollcall.groups', '{group}', 'Groups that were joined', ({ groups }) => groups.count),
  {
    name: 'rollcall.group.members',
    type: 'upDownCounter',
    unit: '{member}',
    description: 'Members of the largest groups',
    read: ({ groups }) => groups.largest.map(({ group, members }) => [members, { 'rollcall.group': group }]),
  },
  {
    name: 'rollcall.counter',
    type: 'upDownCounter',
    unit: '1',
    description: "The application's counters, summed over all who count",
    read: ({ counters = [] }) => counters.map(({ name, value }) => [value, { 'rollcall.counter': name }]),
  },
  one('rollcall.message.lanes', '{lane}', 'Lanes of messages between pairs of threads', ({ lanes }) => lanes.open),
  one('rollcall.message.unread', 'By', 'Messages that were not read yet', ({ lanes }) => lanes.waitingBytes),
  {
    name: 'rollcall.memory',
    type: 'upDownCounter',
    unit: 'By',
    description: 'Shared memory that is committed, by part',
    read: ({ memory }) => [
      [memory.controlBytes, { 'rollcall.part': 'control' }],
      [memory.shardBytes, { 'rollcall.part': 'shards' }],
      [memory.laneBytes, { 'rollcall.part': 'lanes' }],
    ],
  },
  {
    name: 'rollcall.admission.open',
    type: 'gauge',
    unit: '1',
    description: '1 while new names are taken, else 0',
    read: ({ admission }) => [[Number(admission.state === 'open')]],
  },
  {
    name: 'rollcall.shard.alarmed',
    type: 'gauge',
    unit: '1',
    description: '1 while the shard is alarmed for contention, else 0',
    read: ({ shards }) => shards.map(({ shard, alarmed }) => [Number(alarmed), { 'rollcall.shard': shard }]),
  },
  perShard('rollcall.registrations', '{name}', 'Names registered', 'registrations'),
  perShard('rollcall.updates', '{update}', 'Configs replaced', 'updates'),
  perShard('rollcall.removals', '{name}', 'Names taken back', 'removals'),
  perShard('rollcall.swept', '{name}', 'Entries of dead owners removed', 'swept'),
  perShard('rollcall.lock.waits', '{wait}', 'Times a writer did not get the lock at once', 'lockWaits'),
  perShard('rollcall.lock.steals', '{steal}', 'Times the lock was taken from a dead holder', 'lockSteals'),
  latency('rollcall.write.duration', 'Durations of writes by quantile, of all shards', ({ writes }) => writes),
  latency('rollcall.lock.wait.duration', 'Durations of lock waits by quantile, of all shards', (all) => all.lockWaits),
];

type Value = (figures: Figures) => number | undefined;

function one(name: string, unit: string, description: string, value: Value): Instrument {
  const read = (figures: Figures): Observation[] => {
    const known = value(figures);
    return known === undefined ? [] : [[known]];
  };
  return { name, type: 'upDownCounter', unit, description, read };
}

type ShardCounter = 'registrations' | 'updates' | 'removals' | 'swept' | 'lockWaits' | 'lockSteals';

function perShard(name: string, unit: string, description: string, counter: ShardCounter): Instrument {
  const read = ({ shards }: Figures): Observation[] =>
    shards.map((figures) => [figures[counter], { 'rollcall.shard': figures.shard }]);
  return { name, type: 'counter', unit, description, read };
}

/** Quantiles, since there are no observable histograms. */
function latency(name: string, description: string, of: (figures: Figures) => LatencyStats): Instrument {
  const read = (figures: Figures): Observation[] => {
    const { count, p50Us, p99Us, maxUs } = of(figures);
    if (count === 0) return [];
    return [
      [p50Us / 1e6, { quantile: 0.5 }],
      [p99Us / 1e6, { quantile: 0.99 }],
      [maxUs / 1e6, { quantile: 1 }],
    ];
  };
  return { name, type: 'gauge', unit: 's', description, read };
}
