import type { Program } from './explore.ts';
import type { Operation } from './world.ts';

/*
 * A name goes from a living owner to another, who takes it over: it is absent at no moment, unless the owner before dies first.
 */

const register = (name: string, config = `${name}-before`): Operation => ({ op: 'register', name, config });
const registerOwned = (name: string): Operation => ({ op: 'register', name, config: `${name}-owned`, owned: true });
const takeOver = (name: string, config = `${name}-taken`): Operation => ({ op: 'takeOver', name, config });
const update = (name: string): Operation => ({ op: 'update', name, config: `${name}-other` });
const updateMine = (name: string): Operation => ({ op: 'updateMine', name, config: `${name}-mine` });
const look = (name: string): Operation => ({ op: 'look', name });
const updateIf = (name: string): Operation => ({ op: 'updateIf', name, config: `${name}-if` });
const unregister = (name: string): Operation => ({ op: 'unregister', name });
const unregisterMine = (name: string): Operation => ({ op: 'unregisterMine', name });
const isMine = (name: string): Operation => ({ op: 'isMine', name });
const whereis = (name: string): Operation => ({ op: 'whereis', name });
const find = (name: string): Operation => ({ op: 'find', name });
const awaitOther = (name: string, config: string): Operation => ({ op: 'await', name, config });
const bury = (thread: number): Operation => ({ op: 'bury', thread });
const list: Operation = { op: 'list' };
const view: Operation = { op: 'view' };
const sweep: Operation = { op: 'sweep' };
const tick: Operation = { op: 'tick' };
const openOwner: Operation = { op: 'openOwner' };
const closeOwner: Operation = { op: 'closeOwner' };
const by = (thread: number, ...operations: Operation[]) => operations.map((operation) => ({ thread, operation }));

export function takeoverPrograms(a: string, b: string): readonly Program[] {
  const ofAnother = by(2, register(a));
  const ofTheSecond = by(1, register(a));
  /** What the second thread does beside a takeover by the first. */
  const beside: Record<string, { setup: Program['setup']; second: Operation[] }> = {
    'whereis twice': { setup: ofAnother, second: [whereis(a), whereis(a)] },
    'whereis of what was cached, find': { setup: [...ofAnother, ...by(1, whereis(a))], second: [whereis(a), find(a)] },
    'list, whereis': { setup: ofAnother, second: [list, whereis(a)] },
    'view twice': { setup: [...ofAnother, ...by(1, view)], second: [view, view] },
    'the first view, twice': { setup: ofAnother, second: [view, view] },
    update: { setup: ofAnother, second: [update(a)] },
    'whereis, look, compare and update': { setup: ofAnother, second: [whereis(a), look(a), updateIf(a)] },
    unregister: { setup: ofAnother, second: [unregister(a)] },
    register: { setup: ofAnother, second: [register(a, 'another')] },
    'another takeover': { setup: ofAnother, second: [takeOver(a, 'another')] },
    'a takeover of another name': {
      setup: [...ofAnother, ...by(2, register(b))],
      second: [takeOver(b), whereis(a)],
    },
    'the owner before updates, asks whether it is his': { setup: ofTheSecond, second: [updateMine(a), isMine(a)] },
    'the owner before looks, asks whether it is his': { setup: ofTheSecond, second: [whereis(a), isMine(a)] },
    'the owner before unregisters, registers': { setup: ofTheSecond, second: [unregisterMine(a), register(a, 'anew')] },
    'the owner before takes it back': { setup: ofTheSecond, second: [takeOver(a, 'back')] },
    'the owner before is closed': { setup: by(1, openOwner, registerOwned(a)), second: [closeOwner, whereis(a)] },
    'the owner before dies, whereis': { setup: ofAnother, second: [bury(2), whereis(a)] },
    'sweep, whereis': { setup: ofAnother, second: [sweep, whereis(a)] },
    'the time of the one before is over, whereis twice': {
      setup: by(2, { op: 'register', name: a, config: `${a}-brief`, ttl: 1 }),
      second: [tick, whereis(a), whereis(a)],
    },
  };
  const pairs = Object.entries(beside).flatMap(([name, { setup, second }]): Program[] => {
    const program = { setup, threads: [[takeOver(a)], second, [], []], names: [a, b] };
    return [
      { ...program, name: `takeover | ${name}` },
      { ...program, name: `takeover, killed | ${name}`, kill: 0, ...(second.length > 1 ? { bound: 2 } : {}) },
    ];
  });
  return [
    ...pairs,
    {
      name: 'takeover, and the new owner updates, asks whether it is his | whereis twice',
      setup: ofAnother,
      threads: [[takeOver(a), updateMine(a), isMine(a)], [whereis(a), whereis(a)], [], []],
      names: [a],
    },
    {
      name: 'takeover, then a registration gets the block that is free | whereis twice',
      setup: ofAnother,
      threads: [[takeOver(a), register(b)], [whereis(a), whereis(a)], [], []],
      names: [a, b],
    },
    {
      name: 'takeover | the owner before dies | whereis twice',
      setup: ofAnother,
      threads: [[takeOver(a)], [whereis(a), whereis(a)], [], [bury(2)]],
      bound: 2,
      names: [a],
    },
    {
      name: 'takeover, by an owner that is closed | whereis twice',
      setup: [...ofAnother, ...by(0, openOwner)],
      threads: [[{ ...takeOver(a), owned: true } as Operation, closeOwner], [whereis(a), whereis(a)], [], []],
      names: [a],
    },
    {
      name: 'takeover | who waits for it',
      setup: ofAnother,
      threads: [[takeOver(a)], [awaitOther(a, `${a}-before`)], [], []],
      names: [a],
    },
  ];
}
