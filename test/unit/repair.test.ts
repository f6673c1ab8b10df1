// @timeout 300
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { JsonValue } from '../../src/engine/index.ts';
import { ControlMap, Header, Shard } from '../../src/shared/layout.ts';
import { IfHeld } from '../../src/shared/shard.ts';
import { ShardMemory } from '../../src/shared/shard-memory.ts';
import type { TableBuffers } from '../../src/shared/table.ts';
import { BareThread, bareTable } from '../support/bare-thread.ts';
import { auditShard } from '../support/bookkeeping.ts';
import { Crasher, dies } from '../support/crash.ts';
import { withWatchedAtomics } from '../support/watched-words.ts';

/*
 * A thread dies after its 0th, 1st, 2nd … write of a mutation, for each place there is, and another repairs what it
 * left; then the repairer too dies at each place of its repair, and a third one repairs. Each time:
 *
 * - before the repair, readers see the state before the mutation or the one after it, and no other;
 * - the repair leaves the one they saw: what was read is never undone, what was not is never done late;
 * - all bookkeeping is right: records, index, blocks, pages, counters;
 * - the mutation can be done (again), and when all names are gone no byte and no entry is left.
 */
const test = suite('repair');

const long = (name: string) => `${name} ${'long'.repeat(20)}`; // lies in the arena, not in the record
const small = { port: 7_400 };
const large = 'large'.repeat(3_400); // a chain of pages

interface Mutation {
  readonly name: string;
  /** What there is before, done by a thread that lives on. */
  readonly prepare: (other: BareThread) => void;
  readonly mutate: (dying: BareThread) => void;
  /** More mutations that the same thread does after it. */
  readonly thenMutate?: readonly ((dying: BareThread) => void)[];
  readonly options?: Parameters<typeof bareTable>[0];
}

/** Names that are in the table in every case, so that pages and probe chains are shared. */
function neighbours(other: BareThread): void {
  for (let n = 0; n < 12; n++) other.register(`neighbour ${n}`, n % 2 ? small : undefined);
  other.register(long('neighbour'), 'x'.repeat(9_000));
}

/** An owner of the living thread that is dead, with names that nobody has swept. */
function deadOwner(other: BareThread, names: readonly string[], config: Parameters<BareThread['update']>[1]): void {
  const slot = other.ownerTable.claimOwner(other.slot, other.epoch);
  const epoch = other.owners.epoch(slot);
  for (const name of names) other.register(name, config, slot, epoch);
  other.owners.kill(slot, epoch);
}

const takeOver = (thread: BareThread, name: string, config?: JsonValue) =>
  thread.register(name, config, thread.slot, thread.epoch, IfHeld.takeOver);

const cases: Mutation[] = [
  { name: 'insert, without a config', prepare: () => {}, mutate: (thread) => thread.register('x') },
  { name: 'insert, with a small config', prepare: () => {}, mutate: (thread) => thread.register('x', small) },
  { name: 'insert, with a long name', prepare: () => {}, mutate: (thread) => thread.register(long('x'), small) },
  { name: 'insert, with a large config', prepare: () => {}, mutate: (thread) => thread.register('x', large) },
  {
    name: 'insert, in a record, a block and a slot that were used',
    prepare: (other) => {
      other.register(long('x'), small);
      other.register(long('y'), small);
      other.unregister(long('x'));
    },
    mutate: (thread) => thread.register(long('x'), small),
  },
  {
    name: 'insert, after the index grew',
    prepare: (other) => {
      for (let n = 0; n < 35; n++) other.register(`filler ${n}`);
    },
    mutate: (thread) => thread.register('x', small),
  },
  {
    name: 'insert, after the index was cleaned',
    prepare: (other) => {
      for (let n = 0; n < 400; n++) {
        other.register(`passing ${n}`);
        other.unregister(`passing ${n}`);
        if (other.memory.control[other.memory.at + Shard.tombstones] === 35) return;
      }
    },
    mutate: (thread) => thread.register('x', small),
  },
  {
    name: 'replace, of a dead name by one with a config',
    prepare: (other) => deadOwner(other, ['x'], undefined),
    mutate: (thread) => thread.register('x', small),
  },
  {
    name: 'replace, of a long dead name with a large config',
    prepare: (other) => deadOwner(other, [long('x')], large),
    mutate: (thread) => thread.register(long('x'), small),
  },
  {
    name: 'takeover, from another owner that lives',
    prepare: (other) => other.register('x', small),
    mutate: (thread) => takeOver(thread, 'x', { port: 7_401 }),
  },
  {
    name: 'takeover, of a long name with a large config by one without',
    prepare: (other) => other.register(long('x'), large),
    mutate: (thread) => takeOver(thread, long('x')),
  },
  {
    name: 'update, to another config',
    prepare: (other) => other.register('x', small),
    mutate: (thread) => thread.update('x', { port: 7_401 }),
  },
  {
    name: 'update, to a large config',
    prepare: (other) => other.register('x', small),
    mutate: (thread) => thread.update('x', large),
  },
  {
    name: 'update, from a large config to none',
    prepare: (other) => other.register('x', large),
    mutate: (thread) => thread.update('x'),
  },
  {
    name: 'remove, of a short name',
    prepare: (other) => other.register('x', small),
    mutate: (thread) => thread.unregister('x'),
  },
  {
    name: 'remove, of a long name with a large config',
    prepare: (other) => other.register(long('x'), large),
    mutate: (thread) => thread.unregister(long('x')),
  },
  {
    name: 'remove, with tombstones that go with it',
    prepare: (other) => {
      for (let n = 0; n < 30; n++) other.register(`run ${n}`, small);
      for (let n = 0; n < 29; n++) other.unregister(`run ${n}`);
    },
    mutate: (thread) => thread.unregister('run 29'),
    thenMutate: ['neighbour 3', 'neighbour 4'].map((name) => (thread: BareThread) => thread.unregister(name)),
  },
  {
    name: 'sweep',
    prepare: (other) => deadOwner(other, ['x', long('y'), 'z'], small),
    mutate: (thread) => thread.shard.sweep(1),
  },
  {
    name: 'an insertion that finds the arena full',
    prepare: (other) => {
      for (let n = 0; n < 6; n++) other.register(`filler ${n}`, 'x'.repeat(30_000));
    },
    mutate: (thread) => thread.register(long('x'), 'y'.repeat(60_000)),
    options: { valueBytesPerShardMax: 16 * 16_384 },
  },
];

/** A table with what the case needs, a thread that lives, and one that dies after so many writes of the mutation. */
function stage({ prepare, options }: Mutation, writes: number) {
  const buffers = bareTable(options);
  const other = new BareThread(buffers);
  neighbours(other);
  prepare(other);
  const crasher = new Crasher();
  const dying = new BareThread(buffers, crasher);
  const before = other.content();
  crasher.writesLeft = writes;
  return { buffers, other, dying, before, crasher };
}

function mutateAll({ mutate, thenMutate = [] }: Mutation, thread: BareThread): void {
  for (const each of [mutate, ...thenMutate]) each(thread);
}

/** All states that readers may see, and how many writes lead through them. */
function statesOf(mutation: Mutation): { states: Set<string>; writes: number } {
  const { other, dying, before, crasher } = stage(mutation, Number.POSITIVE_INFINITY);
  const states = new Set([key(before)]);
  for (const mutate of [mutation.mutate, ...(mutation.thenMutate ?? [])]) {
    mutate(dying);
    states.add(key(other.content()));
  }
  return { states, writes: crasher.writes };
}

const key = (content: Record<string, string>) => JSON.stringify(Object.entries(content).sort());

/** Frees what the dead threads left and checks that all is as it should be. */
function checkAftermath(mutation: Mutation, { buffers, other, dying }: ReturnType<typeof stage>, seen: string): void {
  assert.is(key(other.content()), seen, 'the repair leaves what readers saw');
  auditShard(memoryOf(buffers));
  mutateAll(mutation, other);
  auditShard(memoryOf(buffers));
  other.owners.kill(dying.slot, dying.epoch);
  other.shard.sweepAll();
  for (const name of Object.keys(other.content())) other.unregister(name);
  other.shard.sweepAll();
  const memory = memoryOf(buffers);
  auditShard(memory);
  assert.is(memory.control[memory.at + Shard.entries], 0);
  assert.is(memory.control[memory.at + Shard.valueBytes], 0);
}

function memoryOf({ control, shards }: TableBuffers): ShardMemory {
  const words = new Int32Array(control);
  const map = new ControlMap(1, words[Header.threadsMax], words[Header.ownersMax]);
  return new ShardMemory(words, map.shard(0), shards[0]);
}

/** Who repairs: the coordinator, that knows of the death; or the next writer, that meets the lock. */
const repairs: Record<string, (scene: ReturnType<typeof stage>) => void> = {
  'repaired by the coordinator': ({ other, dying }) => void other.shard.recoverFrom(dying.slot, dying.epoch),
  'repaired by the next writer': ({ other }) => {
    other.register('next', small);
    other.unregister('next');
  },
};

for (const [mutation, [by, repair]] of cases.flatMap((mutation) =>
  Object.entries(repairs).map((r) => [mutation, r] as const),
)) {
  test(`${mutation.name}: at each write, ${by}`, () =>
    withWatchedAtomics(() => {
      const { states, writes } = statesOf(mutation);
      for (let write = 0; write < writes; write++) {
        const scene = stage(mutation, write);
        const { other, dying } = scene;
        assert.ok(
          dies(() => mutateAll(mutation, dying)),
          `${write} of ${writes}`,
        );
        const seen = key(other.content());
        assert.ok(states.has(seen), `write ${write} of ${writes}`);
        repair(scene);
        checkAftermath(mutation, scene, seen);
      }
    }));
}

for (const mutation of cases) {
  test(`${mutation.name}: at each write of the repair, too`, () =>
    withWatchedAtomics(() => {
      const { writes } = statesOf(mutation);
      for (let write = 1; write < writes; write++) {
        for (let repairWrite = 0; ; repairWrite++) {
          const scene = stage(mutation, write);
          const { other, dying, buffers } = scene;
          dies(() => mutateAll(mutation, dying));
          const seen = key(other.content());
          const second = new Crasher();
          const repairer = new BareThread(buffers, second);
          second.writesLeft = repairWrite;
          const died = dies(() => void repairer.shard.recoverFrom(dying.slot, dying.epoch));
          assert.is(key(other.content()), seen, `write ${write}, repair ${repairWrite}`);
          other.shard.recoverFrom(dying.slot, dying.epoch);
          other.shard.recoverFrom(repairer.slot, repairer.epoch);
          checkAftermath(mutation, scene, seen);
          if (!died) break;
        }
      }
    }));
}

test.run();
