import type { Program } from './explore.ts';
import type { Operation } from './world.ts';

/*
 * Entries with a time to live, by a clock that an operation moves on. (A renewal gives two ticks where the clock moves
 * on once: from which of the two moments it counts is not for these programs to say.)
 */

const tick: Operation = { op: 'tick' };
const sweep: Operation = { op: 'sweep' };
const brief = (name: string): Operation => ({ op: 'register', name, config: `${name}-brief`, ttl: 1 });
const lasting = (name: string, config: string): Operation => ({ op: 'register', name, config });
const renew = (name: string): Operation => ({ op: 'renew', name, ttl: 2 });
const update = (name: string): Operation => ({ op: 'update', name, config: `${name}-other` });
const whereis = (name: string): Operation => ({ op: 'whereis', name });
const find = (name: string): Operation => ({ op: 'find', name });
const isMine = (name: string): Operation => ({ op: 'isMine', name });
const renewOwner: Operation = { op: 'renewOwner', ttl: 2 };
const list: Operation = { op: 'list' };
const view: Operation = { op: 'view' };
const by = (thread: number, ...operations: Operation[]) => operations.map((operation) => ({ thread, operation }));

export function expiryPrograms(a: string, b: string): readonly Program[] {
  const registered = by(0, brief(a));
  const cached = [...registered, ...by(1, whereis(a))];
  const owned = by(0, { op: 'openOwner', ttl: 1 }, { op: 'register', name: a, config: `${a}-owned`, owned: true });
  const ownedCached = [...owned, ...by(1, whereis(a))];
  const over = [...cached, ...by(2, tick)];
  const plain: readonly Program[] = [
    {
      name: 'the clock moves on | whereis, find, whereis',
      setup: cached,
      threads: [[tick], [whereis(a), find(a), whereis(a)]],
      names: [a],
    },
    {
      name: 'the clock moves on | register another | whereis twice',
      setup: cached,
      threads: [[tick], [whereis(a), whereis(a)], [lasting(b, 'b')]],
      names: [a, b],
    },
    {
      name: 'the clock moves on | list',
      setup: [...registered, ...by(1, brief(b))],
      threads: [[tick], [list]],
      names: [a, b],
    },
    {
      name: 'the clock moves on, sweep | update, find',
      setup: registered,
      threads: [
        [tick, sweep],
        [update(a), find(a)],
      ],
      names: [a],
    },
    {
      name: 'renew | the clock moves on, whereis, find',
      setup: cached,
      threads: [[renew(a)], [tick, whereis(a), find(a)]],
      names: [a],
    },
    {
      name: 'renew, is it mine | the clock moves on, register | whereis',
      setup: registered,
      threads: [[renew(a), isMine(a)], [tick, lasting(a, 'of another')], [whereis(a)]],
      bound: 2,
      names: [a],
    },
    {
      name: 'renew, find | the clock moves on, sweep, find',
      setup: registered,
      threads: [
        [renew(a), find(a)],
        [tick, sweep, find(a)],
      ],
      names: [a],
    },
    {
      name: 'renew, is it mine | unregister, register',
      setup: registered,
      threads: [
        [renew(a), isMine(a)],
        [{ op: 'unregister', name: a }, brief(a)],
      ],
      names: [a],
    },
    { name: 'over: register | register', setup: over, threads: [[lasting(a, 'one')], [lasting(a, 'two')]], names: [a] },
    {
      name: 'over: register | whereis twice',
      setup: over,
      threads: [[lasting(a, 'anew')], [whereis(a), whereis(a)]],
      names: [a],
    },
    {
      name: 'over: renew | register',
      setup: over,
      threads: [[renew(a), isMine(a)], [lasting(a, 'of another')]],
      names: [a],
    },
    { name: 'over: register | sweep', setup: over, threads: [[lasting(a, 'anew')], [sweep]], names: [a] },
    {
      name: 'renew, whereis | the clock moves on, whereis twice',
      setup: registered,
      threads: [
        [renew(a), whereis(a)],
        [tick, whereis(a), whereis(a)],
      ],
      names: [a],
    },
    {
      name: 'register or update with a time to live, the clock moves on | whereis twice',
      setup: [...by(0, lasting(a, 'lasting')), ...by(1, whereis(a))],
      threads: [
        [{ op: 'registerOrUpdate', name: a, config: 'brief', ttl: 1 }, tick],
        [whereis(a), whereis(a)],
      ],
      names: [a],
    },
    {
      name: 'update, find | find, the clock moves on, whereis',
      setup: cached,
      threads: [
        [update(a), find(a)],
        [find(a), tick, whereis(a)],
      ],
      names: [a],
    },
    {
      name: 'the clock moves on | view twice',
      setup: [...registered, ...by(0, lasting(b, 'b')), ...by(1, view)],
      threads: [[tick], [view, view]],
      names: [a, b],
    },
    {
      name: 'the clock moves on | an owner is over, view twice',
      setup: [...owned, ...by(1, view)],
      threads: [[tick], [view, view]],
      names: [a],
    },
    {
      name: 'renew | the clock moves on, view twice',
      setup: [...registered, ...by(1, view)],
      threads: [[renew(a)], [tick, view, view]],
      names: [a],
    },
    {
      name: 'an owner renews | the clock moves on, view twice',
      setup: owned,
      threads: [[renewOwner], [tick, view, view]],
      names: [a],
    },
    {
      name: 'update | the clock moves on, view twice',
      setup: [...registered, ...by(1, view)],
      threads: [[update(a)], [view, tick, view]],
      names: [a],
    },
    {
      name: 'register | the clock moves on, find',
      threads: [
        [brief(a), find(a)],
        [tick, find(a)],
      ],
      names: [a],
    },
    {
      name: 'an owner is over | whereis, find, whereis',
      setup: ownedCached,
      threads: [[tick], [whereis(a), find(a), whereis(a)]],
      names: [a],
    },
    {
      name: 'an owner renews, find | the clock moves on, register, find',
      setup: owned,
      threads: [
        [renewOwner, find(a)],
        [tick, lasting(a, 'of another'), find(a)],
      ],
      names: [a],
    },
    {
      name: 'an owner renews, find | the clock moves on, settle, find',
      setup: ownedCached,
      threads: [
        [renewOwner, find(a)],
        [tick, { op: 'settle' }, whereis(a)],
      ],
      names: [a],
    },
    {
      name: 'an owner renews, find | the clock moves on, settle, open another, register',
      setup: owned,
      threads: [
        [renewOwner, find(a)],
        [tick, { op: 'settle' }, { op: 'openOwner' }, { op: 'register', name: b, config: 'b', owned: true }],
      ],
      bound: 2,
      names: [a, b],
    },
  ];
  const found = plain.map((program) => ({ ...program, name: `expiry: ${program.name}` }));
  const killed = found.map((program) => ({
    ...program,
    name: `${program.name}, killed`,
    kill: 0,
    ...(program.threads.length > 2 ? { bound: 2 } : {}),
  }));
  return [...found, ...killed];
}
