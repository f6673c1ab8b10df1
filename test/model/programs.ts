import { NameKey } from '../../src/shared/name-key.ts';
import type { Program } from './explore.ts';
import type { Operation } from './world.ts';

/** Names whose probes start at the same slot of the smallest index, under the explorer's hash key. */
function collidingNames(count: number): string[] {
  const key = new NameKey(0x1234567, 0x7654321);
  const bySlot = new Map<number, string[]>();
  for (let n = 0; ; n++) {
    const name = `n${n}`;
    key.encode(1, name);
    const names = bySlot.get(key.hash & 63) ?? [];
    names.push(name);
    bySlot.set(key.hash & 63, names);
    if (names.length === count) return names;
  }
}
export const [a, b, c] = collidingNames(3);

const register = (name: string, config = `${name}-value`): Operation => ({ op: 'register', name, config });
const update = (name: string, config = `${name}-other`): Operation => ({ op: 'update', name, config });
const unregister = (name: string): Operation => ({ op: 'unregister', name });
const whereis = (name: string): Operation => ({ op: 'whereis', name });
const find = (name: string): Operation => ({ op: 'find', name });
const bury = (thread: number): Operation => ({ op: 'bury', thread });
const sweep: Operation = { op: 'sweep' };
const list: Operation = { op: 'list' };
const by = (thread: number, ...operations: Operation[]) => operations.map((operation) => ({ thread, operation }));

/** With one more name, enough to bring the first index to its load limit: the next one rebuilds it. */
const almostFull = Array.from({ length: 5 }, (_, n) => register(`filler${n}`));

/** Each operation against each other, with and without a kill, with reuse of records and blocks, and with resizes. */
export const programs: readonly Program[] = [
  ...pairs(),
  {
    name: 'register | whereis twice: a cached absence ends with the registration',
    threads: [[register(a)], [whereis(a), whereis(a)]],
    names: [a],
  },
  {
    name: 'register | whereis, find, whereis: what one lookup has seen, no cached answer takes back',
    threads: [[register(a)], [whereis(a), find(a), whereis(a)]],
    names: [a],
  },
  {
    name: 'another name with the same hash in the same record | find of a name made of halves of both',
    setup: by(0, register('aaaabbbb')),
    threads: [
      [unregister('aaaabbbb'), register('ccccdddd')],
      [find('aaaadddd'), find('ccccbbbb')],
    ],
    names: ['aaaabbbb', 'aaaadddd', 'ccccdddd'],
    sameHash: true,
  },
  {
    name: 'rebuilds over the area of an index that a reader still probes | whereis of a name that was there all the while',
    setup: by(0, register(b), register(a), ...almostFull),
    threads: [[unregister(b), { op: 'churn', rebuilds: 2 }], [whereis(a)]],
    names: [a],
  },
  {
    name: 'another thread has grown the arena | register into one of its pages',
    setup: by(0, ...[10, 60, 200, 500, 1200, 2500].map((size) => register(`size${size}`, 'y'.repeat(size)))),
    threads: [[update('size10', 'z'.repeat(200))], [register(a, 'x'.repeat(2500)), update('size1200', 'w')]],
    names: [a, 'size10', 'size1200', 'size2500'],
  },
  {
    name: 'a death told twice, of a slot that has its next tenant | whereis of what that one registered',
    setup: [...by(2, register(a)), ...by(0, bury(2), { op: 'rebirth', thread: 2 }), ...by(2, register(b))],
    threads: [[{ op: 'buryAgain', thread: 2 }], [whereis(b)], []],
    names: [a, b],
  },
  {
    name: 'unregister, register another in the same record | whereis of both',
    setup: by(0, register(a)),
    threads: [
      [unregister(a), register(b)],
      [whereis(a), whereis(b)],
    ],
    names: [a, b],
  },
  {
    name: 'a tombstone in mid-chain is reused | a name behind it is found all the while',
    setup: by(0, register(a), register(b), register(c)),
    threads: [[unregister(b), register(b)], [whereis(c)]],
    names: [a, b, c],
  },
  {
    name: 'unregister the end of a chain | whereis of what is left',
    setup: by(0, register(a), register(b), register(c)),
    threads: [
      [unregister(c), unregister(b)],
      [whereis(a), whereis(c)],
    ],
    names: [a, b, c],
  },
  {
    name: 'two updates | whereis twice: never back, never torn',
    setup: by(0, register(a, 'one')),
    threads: [
      [update(a, 'second'), update(a, 'third-and-longer')],
      [whereis(a), whereis(a)],
    ],
    names: [a],
  },
  {
    name: 'an update frees its block for another name | whereis of the first',
    setup: by(0, register(a, 'old-value')),
    threads: [[update(a, 'new-value'), register(b, 'b--value-')], [whereis(a)]],
    names: [a, b],
  },
  {
    name: 'rebuild of the index | whereis of a name in it and of the one that comes',
    setup: by(0, ...almostFull, register(a)),
    threads: [[register(b)], [whereis(a), whereis(b)]],
    names: [a, b],
  },
  {
    name: 'rebuild of the index, its writer killed | register',
    setup: by(0, ...almostFull, register(a)),
    threads: [[register(b)], [register(c)]],
    kill: 0,
    names: [a, b, c],
  },
  {
    name: 'a dead owner is replaced | whereis twice',
    setup: [...by(2, register(a, 'of-the-dead')), ...by(3, bury(2))],
    threads: [[register(a, 'anew')], [whereis(a), whereis(a)], [], []],
    names: [a],
  },
  {
    name: 'a dead owner is replaced, the replacer killed | register',
    setup: [...by(2, register(a, 'of-the-dead')), ...by(3, bury(2))],
    threads: [[register(a, 'anew')], [register(a, 'other')], [], []],
    kill: 0,
    names: [a],
  },
  {
    name: 'an owner dies | whereis twice, register',
    setup: by(2, register(a, 'of-the-dead')),
    threads: [[bury(2)], [whereis(a), register(a, 'anew'), whereis(a)], []],
    names: [a],
  },
  {
    name: 'sweep of the dead | register of the same name',
    setup: [...by(2, register(a), register(b)), ...by(3, bury(2))],
    threads: [[sweep], [register(a, 'anew'), whereis(b)], [], []],
    names: [a, b],
  },
  {
    name: 'sweep of the dead, the sweeper killed | register',
    setup: [...by(2, register(a), register(b)), ...by(3, bury(2))],
    threads: [[sweep], [register(b, 'anew')], [], []],
    kill: 0,
    names: [a, b],
  },
  {
    name: 'list | register and unregister',
    setup: by(0, register(a)),
    threads: [[register(b), unregister(a)], [list]],
    names: [a, b],
  },
  {
    name: 'list | update',
    setup: by(0, register(a), register(b)),
    threads: [[update(a), update(b)], [list]],
    names: [a, b],
  },
  {
    name: 'three threads: register | register | whereis',
    threads: [[register(a, 'first')], [register(a, 'second')], [whereis(a)]],
    names: [a],
  },
  {
    name: 'three threads: update killed | update | whereis',
    setup: by(0, register(a, 'one')),
    threads: [[update(a, 'two')], [update(a, 'three')], [whereis(a)]],
    kill: 0,
    names: [a],
  },
  {
    name: 'a long name and a long config, killed | the same',
    threads: [[register('x'.repeat(40), 'y'.repeat(300))], [register('x'.repeat(40), 'z'.repeat(310))]],
    kill: 0,
    names: ['x'.repeat(40)],
  },
];

/** Every operation against every other on one name, and a killed writer against every other. */
function pairs(): Program[] {
  const writes: Record<string, Operation> = {
    register: register(a, 'mine'),
    'register or update': { op: 'registerOrUpdate', name: a, config: 'either' },
    update: update(a, 'changed'),
    unregister: unregister(a),
  };
  const reads: Record<string, Operation> = { whereis: whereis(a), find: find(a), list };
  const found: Program[] = [];
  for (const present of [false, true]) {
    const setup = present ? by(0, register(a, 'before')) : [];
    const state = present ? 'registered' : 'absent';
    for (const [first, write] of Object.entries(writes)) {
      for (const [second, other] of Object.entries({ ...writes, ...reads })) {
        const threads = [[write], [other]];
        found.push({ name: `${state}: ${first} | ${second}`, setup, threads, names: [a] });
        found.push({ name: `${state}: ${first}, killed | ${second}`, setup, threads, kill: 0, names: [a] });
      }
    }
  }
  return found;
}
