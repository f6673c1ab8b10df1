import type { Program } from './explore.ts';
import type { Operation } from './world.ts';

/*
 * One counter: the one that all share, and those of owners, whose counts are kept or gone with them. (A sum looks at each row at its own
 * moment: so at most one of them is counted in beside it.)
 */

const counter: Operation = { op: 'counter' };
const owned: Operation = { op: 'counter', owned: true };
const kept: Operation = { op: 'counter', owned: true, keep: true };
const count = (by: number): Operation => ({ op: 'count', by });
const sum: Operation = { op: 'sum' };
const sweep: Operation = { op: 'sweepCounters' };
const settle: Operation = { op: 'settle' };
const tick: Operation = { op: 'tick' };
const bury = (thread: number): Operation => ({ op: 'bury', thread });
const openOwner: Operation = { op: 'openOwner' };
const closeOwner: Operation = { op: 'closeOwner' };
const by = (thread: number, ...operations: Operation[]) => operations.map((operation) => ({ thread, operation }));

export function counterPrograms(): readonly Program[] {
  const keeps = by(0, openOwner, kept, count(5));
  const loses = by(0, openOwner, owned, count(5));
  const lease: Operation = { op: 'openOwner', ttl: 1 };
  const programs: Omit<Program, 'names'>[] = [
    {
      name: 'two threads make the counter that all share, and count',
      threads: [
        [counter, count(1)],
        [counter, count(10), sum],
      ],
    },
    {
      name: 'one counts | another sums up, twice',
      setup: by(0, counter, count(5)),
      threads: [
        [count(1), count(10)],
        [sum, sum],
      ],
    },
    {
      name: 'an owner counts and is closed, its count is kept | sums',
      setup: keeps,
      threads: [
        [count(10), closeOwner],
        [sum, sum],
      ],
    },
    {
      name: 'an owner counts and is closed, its count is gone | sums',
      setup: loses,
      threads: [
        [count(10), closeOwner],
        [sum, sum],
      ],
    },
    {
      name: 'an owner is closed, and swept by both | a sum',
      setup: keeps,
      threads: [
        [closeOwner, sweep],
        [sweep, sum],
      ],
    },
    {
      name: 'an owner is closed | its row is swept, another owner counts in it',
      setup: loses,
      threads: [[closeOwner], [sweep, openOwner, owned, count(20), sum]],
    },
    {
      name: 'another owner gets the row of a count that was kept | sums',
      setup: [...keeps, ...by(0, closeOwner, sweep)],
      threads: [
        [openOwner, owned, count(20)],
        [sum, sum],
      ],
    },
    {
      name: 'a counter is to be kept after all, its owner is closed | a sum, a sweep',
      setup: loses,
      threads: [
        [kept, closeOwner],
        [sum, sweep, sum],
      ],
    },
    {
      name: 'a thread dies, its counts are kept | two settle it, and sum up',
      setup: [...by(2, openOwner, kept, count(5)), ...by(3, bury(2))],
      threads: [[sweep, sum], [sweep, sum], [], []],
    },
    {
      name: 'an owner counts | it is over, another owner makes a counter',
      setup: [...by(0, lease, kept, count(5)), ...by(1, openOwner)],
      threads: [[count(70)], [tick, sweep, owned, count(100), sum]],
    },
    {
      name: 'an owner is over, its thread makes another counter | a settlement, a sum',
      setup: [...by(0, lease, kept, count(5)), ...by(1, tick)],
      threads: [
        [lease, owned, count(30)],
        [settle, sum],
      ],
    },
  ];
  return programs.flatMap((program): Program[] => {
    const name = `counters: ${program.name}`;
    const common = { ...program, names: [], counts: true };
    return [
      { ...common, name },
      { ...common, name: `${name}, killed`, kill: 0, bound: 2 },
    ];
  });
}
