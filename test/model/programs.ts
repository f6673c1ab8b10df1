import { NameKey } from '../../src/shared/name-key.ts';
import { Random } from '../support/random.ts';
import { counterPrograms } from './counter-programs.ts';
import { expiryPrograms } from './expiry-programs.ts';
import type { Program } from './explore.ts';
import { takeoverPrograms } from './takeover-programs.ts';
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
const reclaim = (thread: number): Operation => ({ op: 'reclaim', thread });
const look = (name: string): Operation => ({ op: 'look', name });
const updateIf = (name: string): Operation => ({ op: 'updateIf', name, config: `${name}-if` });
const updateMine = (name: string): Operation => ({ op: 'updateMine', name, config: `${name}-mine` });
const unregisterMine = (name: string): Operation => ({ op: 'unregisterMine', name });
const isMine = (name: string): Operation => ({ op: 'isMine', name });
const registerOwned = (name: string): Operation => ({ op: 'register', name, config: `${name}-owned`, owned: true });
const attach: Operation = { op: 'attach' };
const settle: Operation = { op: 'settle' };
const succeed = (thread?: number): Operation => ({ op: 'succeed', ...(thread === undefined ? {} : { thread }) });
const intern = (kind: string): Operation => ({ op: 'intern', kind });
const openOwner: Operation = { op: 'openOwner' };
const closeOwner: Operation = { op: 'closeOwner' };
const sweep: Operation = { op: 'sweep' };
const list: Operation = { op: 'list' };
const view: Operation = { op: 'view' };
const awaitOther = (name: string, config: string): Operation => ({ op: 'await', name, config });
const by = (thread: number, ...operations: Operation[]) => operations.map((operation) => ({ thread, operation }));

/** Configs for blocks of one size, longer than the smallest block: that each is freed with its own size is checked. */
const sized = (config: string): string => config.padEnd(40, '.');

/** With one more name, enough to bring the first index to its load limit: the next one rebuilds it. */
const almostFull = Array.from({ length: 5 }, (_, n) => register(`filler${n}`));

/** Each operation against each other, with and without a kill, with reuse of records and blocks, and with resizes. */
export const programs: readonly Program[] = [
  ...pairs(),
  ...rows(),
  ...views(),
  ...bells(),
  ...expiryPrograms(a, b),
  ...takeoverPrograms(a, b),
  ...counterPrograms(),
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
    name: 'unregister, register another in the same record | whereis of what was cached',
    setup: [...by(0, register(a)), ...by(1, whereis(a))],
    threads: [
      [unregister(a), register(b)],
      [whereis(a), whereis(a)],
    ],
    names: [a, b],
  },
  {
    name: 'an owner dies | whereis of what was cached',
    setup: [...by(2, register(a)), ...by(1, whereis(a))],
    threads: [[update(a), bury(2)], [whereis(a), find(a), whereis(a)], []],
    names: [a],
  },
  {
    name: 'a dead owner is replaced, and the new registration updates itself | whereis',
    setup: [...by(2, register(a, 'of-the-dead')), ...by(3, bury(2))],
    threads: [[register(a, 'anew'), updateMine(a), isMine(a)], [whereis(a)], [], []],
    names: [a],
  },
  {
    name: 'an owner dies, another name is registered | list',
    setup: [...by(2, register(a)), ...by(0, register(b), unregister(b))],
    threads: [[bury(2), register(b)], [list], []],
    names: [a, b],
  },
  {
    name: 'kinds: two threads give one kind its number',
    threads: [
      [intern('new'), intern('other')],
      [intern('new'), intern('new')],
    ],
    names: [],
  },
  {
    name: 'kinds: two threads give kinds their numbers, one is killed',
    threads: [[intern('a kind of more than four bytes'), intern('b')], [intern('b')]],
    kill: 0,
    names: [],
  },
  {
    name: 'two updates | whereis, update, whereis of two names: what is cached is right while others change',
    setup: [...by(0, register(a, 'one'), register(b, 'two')), ...by(1, whereis(a), whereis(b))],
    threads: [
      [update(a, 'three'), update(b, 'four')],
      [whereis(a), find(b), whereis(a), whereis(b)],
    ],
    names: [a, b],
  },
  {
    name: 'an update | list, whereis: no cached answer takes back what was listed',
    setup: [...by(0, register(a, 'one')), ...by(1, whereis(a))],
    threads: [[update(a, 'two')], [list, whereis(a)]],
    names: [a],
  },
  {
    name: 'an update | whereis, list, whereis: nor one that was looked at while the change was under way',
    setup: [...by(0, register(a, 'one')), ...by(1, whereis(a))],
    threads: [[update(a, 'two')], [whereis(a), list, whereis(a)]],
    names: [a],
  },
  {
    name: 'an update of another name, then of this one | whereis, list, whereis',
    setup: [...by(0, register(a, 'one'), register(b, 'two')), ...by(1, whereis(a))],
    threads: [
      [update(b, 'four'), update(a, 'three')],
      [whereis(a), list, whereis(a)],
    ],
    names: [a, b],
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
    name: 'two registrations take a spare block and one of a free list, killed | update',
    setup: by(1, ...[a, b, c].map((name) => register(name, sized('old'))), unregister(b), unregister(c)),
    threads: [[register(b, sized('new')), register(c, sized('new'))], [update(a, sized('newer'))]],
    kill: 0,
    names: [a, b, c],
  },
  {
    name: 'two unregistrations make a spare block and one of a free list, killed | update',
    setup: by(1, ...[a, b, c].map((name) => register(name, sized('old')))),
    threads: [[unregister(b), unregister(c)], [update(a, sized('newer'))]],
    kill: 0,
    names: [a, b, c],
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
    bound: 2,
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

/** A program of the list, or the one of a seed: `random SEED`. */
export function programNamed(name: string): Program {
  const seed = /^random (\d+)$/.exec(name)?.[1];
  const program = seed === undefined ? programs.find((program) => program.name === name) : randomProgram(Number(seed));
  if (program === undefined) throw new Error(`no program is named "${name}"`);
  return program;
}

/** Preemptions that the tests explore a program to; `ROLLCALL_BOUND` may lower it. */
export const boundOf = ({ bound }: Program): number => Math.min(bound ?? 3, Number(process.env.ROLLCALL_BOUND ?? 3));

/** Every operation against every other on one name, from every state a name can be in, and a killed writer against every
 *  other. */
function pairs(): Program[] {
  const states: Record<string, { name: string; setup: Program['setup'] }> = {
    absent: { name: a, setup: [] },
    registered: { name: a, setup: by(0, register(a, sized('before'))) },
    'of the dead': { name: a, setup: [...by(2, register(a, sized('before'))), ...by(3, bury(2))] },
    gone: { name: a, setup: by(0, register(b), register(a, sized('before')), unregister(a)) },
    'absent, the index full': { name: b, setup: by(0, ...almostFull, register(a)) },
  };
  const found: Program[] = [];
  for (const [state, { name, setup }] of Object.entries(states)) {
    const writes: Record<string, Operation[]> = {
      register: [register(name, sized('mine'))],
      'register or update': [{ op: 'registerOrUpdate', name, config: sized('either') }],
      update: [update(name, sized('changed'))],
      'look, compare and update': [look(name), updateIf(name)],
      unregister: [unregister(name)],
    };
    const ofMine = { 'update mine': [updateMine(name)], 'unregister mine': [unregisterMine(name)] };
    const others = { whereis: [whereis(name)], find: [find(name)], list: [list], sweep: [sweep] };
    for (const [first, one] of Object.entries({ ...writes, ...(state === 'registered' ? ofMine : {}) })) {
      for (const [second, other] of Object.entries({ ...writes, ...others })) {
        const threads = [one, other, [], []];
        found.push({ name: `${state}: ${first} | ${second}`, setup, threads, names: [name] });
        found.push({ name: `${state}: ${first}, killed | ${second}`, setup, threads, kill: 0, names: [name] });
      }
    }
  }
  return found;
}

/** Rows of threads and owners: attaching, freeing, and the succession of coordinators. */
function rows(): Program[] {
  /** Threads that have left: their rows are free, they may attach again. */
  const away = (...threads: number[]) => threads.flatMap((thread) => by(0, bury(thread), reclaim(thread)));
  const found: Program[] = [
    {
      name: 'rows: two threads attach',
      setup: away(2, 3),
      threads: [[], [], [attach, register(a)], [attach, register(b), whereis(a)]],
      names: [a, b],
    },
    {
      name: 'rows: a thread attaches to the row that is freed meanwhile',
      setup: [...away(3), ...by(0, bury(2))],
      threads: [[reclaim(2)], [], [], [attach, register(a)]],
      names: [a],
    },
    {
      name: 'rows: freed by two at once | a thread attaches',
      setup: [...away(3), ...by(0, bury(2))],
      threads: [[reclaim(2)], [reclaim(2)], [], [attach]],
      names: [],
    },
    {
      name: 'rows: a thread attaches | the rows of the dead are settled | another attaches',
      setup: away(2, 3),
      threads: [[settle], [], [attach, register(a)], [attach]],
      names: [a],
    },
    {
      name: 'rows: one thread attaches | the rows of the dead are settled',
      setup: away(2),
      threads: [[settle], [], [attach]],
      names: [],
    },
    {
      name: 'rows: a thread attaches | another attaches, dies, and its row is freed',
      setup: away(2, 3),
      threads: [[bury(2), reclaim(2)], [], [attach], [attach]],
      names: [],
    },
    {
      name: 'rows: two owners are opened',
      threads: [
        [openOwner, registerOwned(a)],
        [openOwner, registerOwned(b)],
      ],
      names: [a, b],
    },
    {
      name: 'rows: an owner is closed | another is opened and registers the same name',
      setup: by(0, openOwner, registerOwned(a)),
      threads: [[closeOwner], [openOwner, registerOwned(a)]],
      names: [a],
    },
    {
      name: 'rows: an owner is closed | whereis twice',
      setup: by(0, openOwner, registerOwned(a)),
      threads: [[closeOwner], [whereis(a), whereis(a)]],
      names: [a],
    },
    {
      name: 'rows: an owner is closed and another opened | whereis of what both had, cached',
      setup: [...by(0, openOwner, registerOwned(a)), ...by(1, whereis(a))],
      threads: [
        [closeOwner, openOwner, registerOwned(b)],
        [whereis(a), whereis(b)],
      ],
      names: [a, b],
    },
    {
      name: 'rows: an owner is closed | the dead are settled',
      setup: by(0, openOwner, registerOwned(a)),
      threads: [[closeOwner], [settle]],
      names: [a],
    },
    {
      name: 'a registration and its successor: update mine, is it mine | unregister, register',
      setup: by(0, register(a)),
      threads: [
        [updateMine(a), isMine(a)],
        [unregister(a), register(a, 'another')],
      ],
      names: [a],
    },
    {
      name: 'a registration and its successor: unregister mine | unregister, register',
      setup: by(0, register(a)),
      threads: [[unregisterMine(a)], [unregister(a), register(a, 'another')]],
      names: [a],
    },
  ];
  const killed = found
    .filter(({ name }) => name.startsWith('rows: '))
    .map((program) => {
      const kill = program.threads.findLastIndex((operations) => operations.some(({ op }) => op === 'attach'));
      const three = program.threads.filter(({ length }) => length > 0).length > 2;
      return { ...program, name: `${program.name}, killed`, kill: Math.max(0, kill), ...(three ? { bound: 2 } : {}) };
    });
  // Not as above, where who attaches is killed: here it is who frees the row.
  const freed: Program[] = [
    {
      name: 'reclaim: a thread attaches, ends, and who frees its row is killed | the dead are settled | another attaches',
      setup: away(2, 3),
      threads: [[bury(2), reclaim(2)], [settle], [attach], [attach]],
      kill: 0,
      bound: 2,
      names: [],
    },
  ];
  const successions = [register(a, 'anew'), update(a), unregister(a)].flatMap((operation): Program[] => {
    const name = `succession: the coordinator is killed in its ${operation.op}`;
    const setup = by(0, succeed(), ...(operation.op === 'register' ? [] : [register(a)]));
    const next = [succeed(0), find(a)];
    const another = [register(a, 'of another')];
    return [
      { name: `${name} | the next comes`, setup, threads: [[operation], next], kill: 0, names: [a] },
      {
        name: `${name} | the next comes | register`,
        setup,
        threads: [[operation], next, another],
        kill: 0,
        bound: 1,
        names: [a],
      },
    ];
  });
  return [...found, ...killed, ...freed, ...successions];
}

/** Views: what changes meanwhile, or is begun by a writer who is killed, none of them misses. The model's log has room for
 *  two changes. */
function views(): Program[] {
  const both = by(0, register(a, 'one'), register(b, 'two'));
  const viewer = by(1, view);
  const writes: Record<string, { setup: Program['setup']; writer: Operation[]; readers?: Operation[] }> = {
    'an update': { setup: both, writer: [update(b)] },
    'a registration': { setup: [], writer: [register(a)] },
    'an unregistration, and another name in its record': { setup: both, writer: [unregister(a), register(c)] },
    'as many changes as the log has room for': { setup: both, writer: [update(a, 'three'), update(b, 'four')] },
    'one change more': { setup: both, writer: [update(a, 'three'), update(b, 'four'), update(b, 'five')] },
    'a dead owner is replaced': {
      setup: [...by(2, register(a, 'of-the-dead')), ...by(3, bury(2))],
      writer: [register(a, 'anew')],
    },
    'a death, and a registration': { setup: by(2, register(a)), writer: [bury(2), register(b)] },
    'a registration, and a death': { setup: by(2, register(a)), writer: [register(b), bury(2)] },
    'a rebuild of the index': { setup: by(0, ...almostFull, register(a)), writer: [register(b)] },
    'a cached lookup beside': { setup: both, writer: [update(b)], readers: [view, whereis(b), view] },
  };
  return Object.entries(writes).flatMap(([name, { setup = [], writer, readers = [view, view] }]) => {
    const program = { setup: [...setup, ...viewer], threads: [writer, readers, [], []], names: [a, b, c] };
    const many = writer.length > 1 || readers.length > 2;
    return [
      { ...program, name: `view: ${name} | view twice` },
      { ...program, name: `view: ${name}, killed | view twice`, kill: 0, ...(many ? { bound: 2 } : {}) },
      { ...program, name: `view: ${name} | the first view, twice`, setup },
    ];
  });
}

/** The bell: who sleeps until a name changes is woken. */
function bells(): Program[] {
  const setup = by(3, register(a, 'old'));
  const waits = awaitOther(a, 'old');
  const program = { setup, names: [a] };
  return [
    { ...program, name: 'bell: an update | who waits for it', threads: [[update(a)], [waits], [], []] },
    {
      ...program,
      name: 'bell: an update, killed | who waits for it',
      threads: [[update(a)], [waits], [], []],
      kill: 0,
    },
    {
      ...program,
      name: 'bell: an update of another name, then of this one | who waits for it',
      setup: [...setup, ...by(3, register(b))],
      threads: [[update(b), update(a)], [waits], [], []],
    },
    {
      ...program,
      name: 'bell: two updates | who waits for one',
      setup: [...setup, ...by(3, register(b))],
      threads: [[update(b)], [update(a)], [waits], []],
      bound: 2,
    },
    { ...program, name: 'bell: an update | two wait for it', threads: [[update(a)], [waits], [waits], []], bound: 2 },
    { ...program, name: 'bell: a death | who waits for it', threads: [[bury(3)], [waits], [], []] },
    {
      ...program,
      name: 'bell: an owner is closed | who waits for it',
      setup: by(0, openOwner, { ...registerOwned(a), config: 'old' } as Operation),
      threads: [[closeOwner], [waits], [], []],
    },
  ];
}

/** A large program made from a seed: three threads and up to five operations each, on three names. Its name is `random`
 *  and the seed. */
export function randomProgram(seed: number): Program {
  const random = new Random(seed);
  const names = [a, b, c];
  let values = 0;
  const operation = (owns: boolean): Operation => {
    const name = random.pick(names);
    const config = `value ${values++}`.padEnd(random.pick([8, 30, 200]), '.');
    return random.pick<Operation>([
      { op: 'register', name, config, owned: owns && random.below(2) === 0 },
      { op: random.pick(['register', 'registerOrUpdate']), name, config, ttl: 1 },
      { op: 'registerOrUpdate', name, config },
      { op: 'takeOver', name, config },
      { op: 'update', name, config },
      { op: 'updateMine', name, config },
      { op: 'updateIf', name, config },
      look(name),
      unregister(name),
      unregisterMine(name),
      whereis(name),
      whereis(name),
      find(name),
      isMine(name),
      list,
      random.pick<Operation>([sweep, settle, list, { op: 'tick' }]),
    ]);
  };
  const thread = (): Operation[] => {
    const owns = random.below(3) === 0;
    const operations = Array.from({ length: 1 + random.below(4) }, () => operation(owns));
    return owns ? [openOwner, ...operations, ...(random.below(2) ? [closeOwner] : [])] : operations;
  };
  const fill = random.pick([[], almostFull]);
  const before = Array.from({ length: random.below(4) }, () => by(random.pick([0, 1, 2, 3]), operation(false))).flat();
  const death = random.below(2) ? by(4, bury(3)) : [];
  return {
    name: `random ${seed}`,
    setup: [...by(0, ...fill), ...before, ...death],
    threads: [thread(), thread(), thread(), [], []],
    ...(random.below(3) > 0 ? { kill: random.below(3) } : {}),
    names,
  };
}
