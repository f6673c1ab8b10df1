// @timeout 400
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Shard } from '../../src/shared/layout.ts';
import { IfHeld } from '../../src/shared/shard.ts';
import { BareThread, bareTable } from '../support/bare-thread.ts';
import { Crasher, dies } from '../support/crash.ts';
import { withWatchedAtomics } from '../support/watched-words.ts';

/*
 * A lookup reads without a lock while another thread writes. Here what the other does, in whole or up to any of its
 * writes, is put before each read of the lookup in turn. The lookup must answer what held at some moment of it.
 */
const test = suite('interleavings');

const long = (name: string) => `${name} ${'long'.repeat(20)}`;
const large = (name: string) => name.repeat(9_000);

interface Change {
  readonly name: string;
  /** The names that are read, and what is done to them. */
  readonly reads: readonly string[];
  readonly prepare?: (other: BareThread) => void;
  readonly steps: readonly ((other: BareThread) => void)[];
}

function deadOwner(other: BareThread, name: string, config: string): void {
  const slot = other.ownerTable.claimOwner(other.slot, other.epoch);
  const epoch = other.owners.epoch(slot);
  other.register(name, config, slot, epoch);
  other.owners.kill(slot, epoch);
}

const changes: Change[] = [
  {
    name: 'insert',
    reads: ['x', long('x')],
    steps: [(o) => o.register('x', 'new'), (o) => o.register(long('x'), 'new')],
  },
  {
    name: 'update, whose old block another value gets',
    reads: ['x', 'y'],
    prepare: (other) => other.register('x', 'one'),
    steps: [
      (o) => o.update('x', 'two'),
      (o) => o.register('y', 'why'),
      (o) => o.update('x', 'six'),
      (o) => o.update('y', 'you'),
    ],
  },
  {
    name: 'update of large values, whose old pages others get',
    reads: ['x', 'y'],
    prepare: (other) => other.register('x', large('1')),
    steps: [
      (o) => o.update('x', large('2')),
      (o) => o.register('y', large('3')),
      (o) => o.update('x', 'small'),
      (o) => o.update('y', large('4').repeat(3)),
      (o) => o.update('x', large('5')),
    ],
  },
  {
    name: 'removal, whose record another name gets',
    reads: ['x', 'y', long('z')],
    prepare: (other) => other.register('x', 'one'),
    steps: [
      (o) => o.unregister('x'),
      (o) => o.register('y', 'two'),
      (o) => o.unregister('y'),
      (o) => o.register(long('z'), 'tri'),
      (o) => o.unregister(long('z')),
      (o) => o.register('x', 'six'),
    ],
  },
  {
    name: 'long names that change blocks',
    reads: [long('x'), long('y')],
    prepare: (other) => other.register(long('x'), 'one'),
    steps: [
      (o) => o.unregister(long('x')),
      (o) => o.register(long('y'), 'two'),
      (o) => o.register(long('x'), 'tri'),
      (o) => o.unregister(long('y')),
    ],
  },
  {
    name: 'replacement of a dead name',
    reads: ['x', 'y'],
    prepare: (other) => {
      deadOwner(other, 'x', 'dead');
      deadOwner(other, 'y', 'dead');
    },
    steps: [(o) => o.register('x', 'mine'), (o) => o.shard.sweepAll(), (o) => o.register('y', 'mine')],
  },
  {
    name: 'takeover, there and back',
    reads: ['x', 'y'],
    prepare: (other) => {
      other.ownerTable.claimOwner(other.slot, other.epoch);
      for (const name of ['x', 'y']) other.register(name, 'mine');
    },
    steps: [
      (o) => o.register('x', 'taken', 4, o.owners.epoch(4), IfHeld.takeOver),
      (o) => o.register('y', 'taken', 4, o.owners.epoch(4), IfHeld.takeOver),
      (o) => o.register('x', 'back', o.slot, o.epoch, IfHeld.takeOver),
      (o) => o.owners.kill(4, o.owners.epoch(4)),
    ],
  },
  {
    name: 'death of an owner, whose row another gets',
    reads: ['x', 'y'],
    prepare: (other) => {
      const slot = other.ownerTable.claimOwner(other.slot, other.epoch);
      other.register('x', 'first', slot, other.owners.epoch(slot));
    },
    steps: [
      (o) => o.owners.kill(4, o.owners.epoch(4)),
      (o) => o.shard.sweepAll(),
      (o) => o.ownerTable.reclaim(4, o.owners.epoch(4)),
      (o) => o.ownerTable.claimOwner(o.slot, o.epoch),
      (o) => o.register('y', 'next', 4, o.owners.epoch(4)),
    ],
  },
  {
    name: 'growth of the index',
    reads: ['n 0', 'n 20', 'n 40', 'n 60'],
    prepare: (other) => {
      for (let n = 0; n < 35; n++) other.register(`n ${n}`, n);
    },
    steps: [35, 45, 55].map((from) => (o) => {
      for (let n = from; n < from + 10; n++) o.register(`n ${n}`, n);
    }),
  },
  {
    name: 'growth of the index, then a clean-up that puts the next one over the first',
    reads: Array.from({ length: 12 }, (_, n) => `n ${n * 3}`),
    prepare: (other) => {
      for (let n = 0; n < 35; n++) other.register(`n ${n}`, n);
    },
    steps: [
      (o) => {
        for (let n = 35; n < 55; n++) o.register(`n ${n}`, n);
      },
      (o) => {
        for (let n = 100; n < 300; n++) {
          o.register(`passing ${n}`, n);
          o.unregister(`passing ${n}`);
        }
      },
    ],
  },
  {
    name: 'clean-up of the index',
    reads: ['kept 0', 'kept 9', 'p 399'],
    prepare: (other) => {
      for (let n = 0; n < 10; n++) other.register(`kept ${n}`, n);
    },
    steps: [100, 200, 300, 400].map((from) => (o) => {
      for (let n = from - 100; n < from; n++) {
        o.register(`p ${n}`, n);
        if (n > 10) o.unregister(`p ${n - 10}`);
      }
    }),
  },
];

/** Counts a lookup's reads, and lets something happen before the chosen one. */
class Interruption {
  reads = 0;
  at = -1;
  act = () => {};

  beforeRead(): void {
    if (this.reads++ === this.at) this.act();
  }
}

function stage({ prepare }: Change) {
  const buffers = bareTable();
  const other = new BareThread(buffers);
  for (let n = 0; n < 5; n++) other.register(`neighbour ${n}`, 'n');
  prepare?.(other);
  const interruption = new Interruption();
  const reader = new BareThread(buffers, interruption);
  interruption.reads = 0;
  return { buffers, other, reader, interruption };
}

function lookUp(reader: BareThread, name: string): string | undefined {
  return reader.reader.read(reader.key(name)) === 0 ? undefined : (reader.reader.text ?? 'none');
}

/** What a lookup may answer when the first `steps` steps happen while it runs. */
function answers(change: Change, name: string, steps: number): Set<string | undefined> {
  const { other } = stage(change);
  const allowed = new Set([lookUp(other, name)]);
  for (const step of change.steps.slice(0, steps)) {
    step(other);
    allowed.add(lookUp(other, name));
  }
  return allowed;
}

for (const change of changes) {
  test(`a lookup during: ${change.name}`, () =>
    withWatchedAtomics(() => {
      for (const name of change.reads) {
        for (let steps = 1; steps <= change.steps.length; steps++) {
          const allowed = answers(change, name, steps);
          for (let at = 0; ; at++) {
            const { other, reader, interruption } = stage(change);
            interruption.at = at;
            interruption.act = () => {
              for (const step of change.steps.slice(0, steps)) step(other);
            };
            const found = lookUp(reader, name);
            assert.ok(allowed.has(found), `${name} at read ${at} of ${steps} steps: ${found?.slice(0, 20)}`);
            if (interruption.reads <= at) break;
          }
        }
      }
    }));

  test(`a snapshot during: ${change.name}`, () =>
    withWatchedAtomics(() => {
      for (let steps = 1; steps <= change.steps.length; steps++) {
        const { other } = stage(change);
        const allowed = new Set([contentKey(other)]);
        for (const step of change.steps.slice(0, steps)) {
          step(other);
          allowed.add(contentKey(other));
        }
        for (let at = 0; ; at += 1 + (at >> 6)) {
          const { other, reader, interruption } = stage(change);
          interruption.at = at;
          interruption.act = () => {
            for (const step of change.steps.slice(0, steps)) step(other);
          };
          const found = reader.reader.snapshot(0);
          if (found) {
            const content = found.map(({ name, text, owner, ownerEpoch }) => `${name} ${text} ${owner}.${ownerEpoch}`);
            assert.ok(allowed.has(content.sort().join('\n')), `at read ${at} of ${steps} steps`);
          }
          if (interruption.reads <= at) break;
        }
      }
    }));

  test(`a lookup while the other thread stops half-way in: ${change.name}`, () =>
    withWatchedAtomics(() => {
      for (const name of change.reads.slice(0, 3)) {
        for (const look of [lookUp, has]) expectBeforeOrAfter(change, name, look);
      }
    }));
}

/** Puts each part of the first step before each read; what a reader may see is what is seen before it or after it. */
function expectBeforeOrAfter(change: Change, name: string, look: (thread: BareThread, name: string) => unknown): void {
  let writes = 1;
  for (let write = 0; write < Math.min(writes, 200); write++) {
    for (let at = 0; ; at++) {
      const { buffers, other, reader, interruption } = stage(change);
      const crasher = new Crasher();
      const dying = new BareThread(buffers, crasher);
      const before = look(other, name);
      crasher.writesLeft = write;
      interruption.at = at;
      interruption.act = () => {
        if (dies(() => change.steps[0](dying))) writes = Math.max(writes, write + 2);
      };
      const found = look(reader, name);
      const after = look(other, name);
      assert.ok(found === before || found === after, `${name} at read ${at}, write ${write}: ${found}`);
      if (interruption.reads <= at) break;
    }
  }
}

function has(thread: BareThread, name: string): boolean {
  return thread.reader.find(thread.key(name)) !== 0;
}

function contentKey(thread: BareThread): string {
  const raw = thread.reader.snapshot(0) ?? [];
  const content = raw.map(({ name, text, owner, ownerEpoch }) => `${name} ${text} ${owner}.${ownerEpoch}`);
  return content.sort().join('\n');
}

test('an absence is cached under a sequence that a later insertion moves, wherever it comes', () =>
  withWatchedAtomics(() => {
    for (let at = 0; ; at++) {
      const { other, reader, interruption } = stage(changes[0]);
      const sequenceAt = other.memory.at + Shard.insertSequence;
      interruption.at = at;
      interruption.act = () => other.register('x', 'new');
      const sequence = reader.reader.insertSequence();
      const found = lookUp(reader, 'x');
      const keptFor = sequence & 1 ? undefined : sequence;
      const came = interruption.reads > at;
      if (!came) other.register('x', 'new');
      if (found === undefined) assert.is.not(other.memory.control[sequenceAt], keptFor, `read ${at}`);
      if (!came) break;
    }
  }));

test.run();
