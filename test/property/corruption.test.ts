// @timeout 300
import { setImmediate as turn } from 'node:timers/promises';
import { Script } from 'node:vm';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Registry, type RegistryHandle } from '../../src/engine/index.ts';
import { RegistryError } from '../../src/shared/errors.ts';
import { ControlMap, Guard, Header } from '../../src/shared/layout.ts';
import { defaults } from '../../src/shared/limits.ts';
import { lockToken } from '../../src/shared/lock.ts';
import { allocateTable, Table, type TableBuffers } from '../../src/shared/table.ts';
import { BareThread, bareTable } from '../support/bare-thread.ts';
import { collectTables } from '../support/collect.ts';
import { Crasher, dies } from '../support/crash.ts';
import { applyDamage, type Damage, damages, regionsOf } from '../support/damage.ts';
import { property } from '../support/property.ts';
import { withWatchedAtomics } from '../support/watched-words.ts';

/*
 * Words of shared memory are overwritten behind the registry's back; then every public call is made.
 *
 * - Each ends: with an answer, or with a `RegistryError`, and with no other exception.
 * - None leaves a lock of its own held: another call of the same thread is not kept waiting.
 *
 * The answers themselves may be wrong where nothing can tell: another config that is JSON, another name of the same
 * length, a version or an epoch that could have been, a name's index word that is gone.
 */
const test = suite('corruption');

/** Longer than all calls of a case take on any machine, waits for locks included: only an endless loop gets there. */
const CASE_LIMIT_MS = 60_000;

const long = 'long name '.repeat(12);
const chained = 'page '.repeat(8_000); // a value of several pages
const names = ['a', 'b', long, `${long}2`, 'chained', 'none', 'dead 0', 'dead 1', 'session', 'filler 20', 'new'];

/** A registry with something of everything, and no coordinator that would mend or sweep meanwhile. */
function populated(): { registry: Registry; handle: RegistryHandle } {
  collectTables(2);
  const handle = allocateTable({
    ...defaults,
    shards: 2,
    entriesPerShardMax: 200,
    threadsMax: 6,
    ownersMax: 8,
    configBytesMax: 65_536,
    valueBytesPerShardMax: 1 << 20,
    messageBytesMax: 1_024,
  });
  const registry = Registry.attach(handle);
  registry.register('kind', 'a', { config: { port: 1 } });
  registry.register('kind', 'b', { config: '漢字' });
  registry.register('kind', long, { config: 'x'.repeat(300) });
  registry.register('kind', `${long}2`);
  registry.register('kind', 'chained', { config: chained });
  registry.register('other kind', 'none');
  for (let n = 0; n < 60; n++) registry.register('kind', `filler ${n}`, { config: 'f'.repeat(n * 5) });
  registry.update('kind', 'a', 'x'.repeat(20_000));
  registry.update('kind', 'a', { port: 2 });
  for (let n = 0; n < 60; n += 3) registry.unregister('kind', `filler ${n}`);
  registry.register('kind', 'session', { owner: registry.owner(), config: 1 });
  registry.counter('all').increment();
  registry.counter('kept', { owner: registry.owner(), keep: true }).increment();
  registry.owner().close();
  registry.register('server', 'serves', { config: { capabilities: { tools: {} } } });
  registry.register('transport', 'bound');
  registry.register('transport', 'implied', { config: { server_id: 'serves' } });
  registry.bindings.bind('bound', 'serves');
  registry.groups.join('group');
  registry.groups.join('group', { owner: registry.owner() });
  registry.groups.join('group', { kind: 'server', id: 'serves' });
  // An attachment that has gone, and whose names nobody has swept.
  const gone = Registry.attach(handle);
  for (let n = 0; n < 4; n++) gone.register('kind', `dead ${n}`, { config: 'd'.repeat(n * 4_000) });
  gone.register('kind', 'dead session', { owner: gone.owner() });
  gone.groups.join('group');
  void gone.close();
  return { registry, handle };
}

type Call = (registry: Registry, handle: RegistryHandle) => unknown;

const eachName = (call: (registry: Registry, name: string) => unknown): Call[] =>
  names.map((name) => (registry) => call(registry, name));

function detachAgain(table: Table): void {
  try {
    table.detach();
  } catch (error) {
    expectTyped(error);
  }
}

const calls: Record<string, Call[]> = {
  whereis: eachName((registry, name) => registry.whereis('kind', name)?.config),
  has: eachName((registry, name) => registry.has('kind', name)),
  ref: eachName((registry, name) => registry.ref('kind', name).current()?.config),
  register: eachName((registry, name) => registry.register('kind', name, { config: name.repeat(20) })),
  registerNewKind: [(registry) => registry.register(`new kind ${Math.random()}`, 'x')],
  registerMany: [
    (registry) => {
      for (let n = 0; n < 100; n++) registry.register('kind', `many ${n}`, { config: 'm'.repeat(n) });
    },
  ],
  registerOrUpdate: eachName((registry, name) => registry.registerOrUpdate('kind', name, { config: chained })),
  update: eachName((registry, name) => registry.update('kind', name, { long: 'u'.repeat(1_000) })),
  compareAndUpdate: eachName((registry, name) => {
    const entry = registry.whereis('kind', name);
    return entry && registry.compareAndUpdate('kind', name, entry.version, 1);
  }),
  unregister: eachName((registry, name) => registry.unregister('kind', name)),
  list: [
    (registry) => [...registry.list('kind')].map(({ config }) => config),
    (registry) => [...registry.list('none')],
  ],
  count: [(registry) => registry.count('kind'), (registry) => registry.count()],
  partitionStats: [(registry) => registry.partitionStats(), (registry) => registry.resetStats()],
  counters: [
    (registry) => registry.counter('all').increment(),
    (registry) => registry.counter('new').read(),
    (registry) => registry.counter('kept', { owner: registry.owner(), keep: true }).increment(),
    (registry) => registry.counters.names().map((name) => registry.counters.sum(name)),
  ],
  contention: [(registry) => registry.contentionStatus(), (registry) => registry.admission.force('open')],
  owner: [
    (registry) => {
      using owner = registry.owner();
      registry.register('kind', 'of an owner', { owner, config: 1 });
    },
  ],
  groups: [
    (registry) => registry.groups.members('group'),
    (registry) => registry.groups.join('group', { owner: registry.owner() }).leave(),
    (registry) => registry.groups.join(long).leave(),
    (registry) => registry.groups.join('group', { kind: 'kind', id: 'a' }),
    (registry) => registry.groups.leave('group'),
    (registry) => registry.groups.members('group'),
    (registry) => registry.groups.members('mcp_tool_servers'),
    (registry) => registry.groups.list(),
  ],
  groupsOfAnother: [
    (_, handle) => {
      using attached = Registry.attach(handle);
      return [attached.groups.list(), attached.groups.members('group')];
    },
  ],
  bindings: [
    (registry) => ['bound', 'implied', 'none'].map((transport) => registry.bindings.serverOf(transport)),
    (registry) => registry.bindings.transportsOf('serves'),
    (registry) => registry.bindings.bind('implied', 'serves'),
    (registry) => registry.bindings.unbind('bound'),
    (registry) => registry.bindings.unbind('implied'),
    (registry) => registry.bindings.transportsOf('serves'),
  ],
  registration: [
    (registry) => {
      const registration = registry.register('kind', `registration ${Math.random()}`, { config: 1 });
      registration.update('other');
      return [registration.active, registration.unregister()];
    },
  ],
  attach: [
    (_, handle) => {
      using attached = Registry.attach(handle);
      return attached.has('kind', 'a');
    },
  ],
  sweep: [
    (_, handle) => {
      const table = new Table(handle);
      try {
        for (const _ of table.sweepDead());
      } finally {
        detachAgain(table);
      }
    },
  ],
  coordinator: [
    (_, handle) => {
      const table = new Table(handle, 'coordinator');
      try {
        for (let slot = 1; slot < 4; slot++)
          if (!table.owners.isThisThread(slot)) table.bury(slot, table.owners.epoch(slot));
        for (const _ of table.sweepDead());
      } finally {
        detachAgain(table);
      }
    },
  ],
};

function expectTyped(error: unknown): void {
  if (!(error instanceof RegistryError)) throw error;
}

/** Runs to its end, or throws after `CASE_LIMIT_MS`: an endless loop fails the property and is shrunk like the rest. */
const bounded = new Script('globalThis.corruptionCase()');
function withinLimit(run: () => void): void {
  Object.assign(globalThis, { corruptionCase: run });
  bounded.runInThisContext({ timeout: CASE_LIMIT_MS });
}

/** Tells which locks a thread holds. */
function lockWatch({ control: buffer, shards }: TableBuffers, slot: number, epoch: number): () => string[] {
  const control = new Int32Array(buffer);
  const map = mapOf(buffer);
  const guards = [['control', map.control] as const, ...shards.map((_, n) => [`shard ${n}`, map.shard(n)] as const)];
  const token = lockToken(slot, epoch);
  return () => guards.flatMap(([name, at]) => ((control[at + Guard.lock] & ~1) === token ? [name] : []));
}

function mapOf(control: SharedArrayBuffer): ControlMap {
  const words = new Int32Array(control);
  return new ControlMap(words[Header.shards], words[Header.threadsMax], words[Header.ownersMax]);
}

async function survives(damage: readonly Damage[], order: readonly string[]): Promise<void> {
  const { registry, handle } = populated();
  // What is cached stays in use.
  registry.whereis('kind', 'a');
  for (const group of registry.groups.list()) registry.groups.members(group);
  registry.bindings.transportsOf('serves');
  const { slot, epoch } = registry.whereis('kind', 'a')!.owner;
  const regions = regionsOf(handle, mapOf(handle.control));
  const watch = lockWatch(handle, slot, epoch); // knows where the locks are before that can be damaged
  applyDamage(regions, damage);
  const before = new Set(watch());
  try {
    withinLimit(() => {
      for (const name of order) {
        for (const call of calls[name]) {
          try {
            call(registry, handle);
          } catch (error) {
            if (!(error instanceof RegistryError)) throw new Error(`${name}: ${error}`, { cause: error });
          }
          const held = watch().filter((lock) => !before.has(lock));
          assert.equal(held, [], `${name} holds no lock afterwards`);
        }
      }
    });
  } finally {
    await registry.close().catch(expectTyped);
    await turn(); // in which its socket ends
  }
}

const orders = fc.shuffledSubarray(Object.keys(calls), { minLength: 4 });

property(test, 'every call ends with an answer or a typed error', fc.asyncProperty(damages(), orders, survives), {
  numRuns: 1_500,
});

/** What the dying thread was at, in the order of the choice. */
const mutations: readonly ((thread: BareThread) => void)[] = [
  (thread) => thread.register('new', chained),
  (thread) => thread.register(long, 'x'),
  (thread) => thread.register('dead', 'alive again'),
  (thread) => thread.update('a', 'y'.repeat(10_000)),
  (thread) => thread.update('chained', 1),
  (thread) => thread.unregister('chained'),
  (thread) => thread.unregister('b'),
  (thread) => {
    for (let n = 0; n < 60; n++) thread.register(`resize ${n}`);
  },
  (thread) => void thread.ownerTable.claimOwner(thread.slot, thread.epoch),
  (thread) => thread.ownerTable.reclaim(thread.owners.threadsMax, thread.owners.epoch(thread.owners.threadsMax)),
];

function repairEnds(mutation: number, writes: number, damage: readonly Damage[]): void {
  withWatchedAtomics(() => {
    const buffers = bareTable();
    const other = new BareThread(buffers);
    other.register('a', { port: 1 });
    other.register('b');
    other.register('chained', chained);
    const owner = other.ownerTable.claimOwner(other.slot, other.epoch);
    other.register('dead', 'd', owner, other.owners.epoch(owner));
    other.owners.kill(owner, other.owners.epoch(owner));
    const crasher = new Crasher();
    const dying = new BareThread(buffers, crasher);
    crasher.writesLeft = writes;
    dies(() => mutations[mutation](dying));
    const watch = lockWatch(buffers, other.slot, other.epoch);
    applyDamage(regionsOf(buffers, mapOf(buffers.control)), damage);
    const before = new Set(watch());
    const repairs: readonly (() => unknown)[] = [
      () => other.shard.recoverFrom(dying.slot, dying.epoch),
      () => other.ownerTable.recoverFrom(dying.slot, dying.epoch),
      () => other.register('next', 1),
      () => other.ownerTable.claimOwner(other.slot, other.epoch),
      () => other.unregister('a'),
      () => other.shard.sweepAll(),
      () => other.reader.snapshot(0),
      () => other.reader.read(other.key('dead')),
    ];
    withinLimit(() => {
      for (const repair of repairs) {
        try {
          repair();
        } catch (error) {
          expectTyped(error);
        }
        const held = watch().filter((lock) => !before.has(lock));
        assert.equal(held, [], `${repair} holds no lock afterwards`);
      }
    });
  });
}

property(
  test,
  'a repair from a damaged journal ends with an answer or a typed error',
  fc.property(
    fc.nat(mutations.length - 1),
    fc.nat(60),
    fc.oneof(damages('shardGuard', 'controlGuard'), damages()),
    repairEnds,
  ),
  { numRuns: 3_000 },
);

test.run();
