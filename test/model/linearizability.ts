import type { Operation, Result } from './world.ts';

/** One operation of a history. `end` is undefined when its thread was killed: it may or may not have happened. */
export interface Event {
  readonly thread: number;
  readonly operation: Operation;
  readonly start: number;
  end: number | undefined;
  result: Result | undefined;
}

interface Entry {
  /** The thread, or the thread and the number of an owner of its own. */
  readonly owner: string;
  readonly config: string;
  /** Numbers of the events that registered it and that changed it last. */
  readonly registration: number;
  readonly version: number;
  /** By the clock; undefined: never. */
  readonly expires?: number | undefined;
}

/** An owner's counter; kept: its count outlives the owner. */
interface Count {
  readonly value: number;
  readonly keep: boolean;
}

/** What the sequential registry knows. */
export interface State {
  readonly names: ReadonlyMap<string, Entry>;
  readonly dead: ReadonlySet<string>;
  /** Per thread: how many owners it opened. */
  readonly opened: ReadonlyMap<number, number>;
  /** Per thread and name: the registration it made last, and the version it looked at last. */
  readonly made: ReadonlyMap<string, number>;
  readonly seen: ReadonlyMap<string, number>;
  /** Kinds but the first, in the order of their numbers. */
  readonly kinds: readonly string[];
  /** Owners with a deadline. */
  readonly ownersExpire: ReadonlyMap<string, number>;
  readonly clock: number;
  /** By owner, or `shared`. */
  readonly counts: ReadonlyMap<string, Count>;
  /** Per thread: whose counter it found last. */
  readonly counter: ReadonlyMap<number, string>;
}

export const nothing: State = {
  names: new Map(),
  dead: new Set(),
  opened: new Map(),
  made: new Map(),
  seen: new Map(),
  kinds: [],
  ownersExpire: new Map(),
  clock: 0,
  counts: new Map(),
  counter: new Map(),
};

const threadOf = (owner: string): string => owner.split('.')[0];
const withOne = <K, V>(map: ReadonlyMap<K, V>, key: K, value: V | undefined): ReadonlyMap<K, V> => {
  const copy = new Map(map);
  if (value === undefined) copy.delete(key);
  else copy.set(key, value);
  return copy;
};

/** The sequential registry: what event number `n` answers and leaves, alone. A time to live counts from when the thread looked at
 *  the clock, which may be so many ticks ago (`late`). */
function apply(
  state: State,
  { thread, operation, result }: Event,
  n: number,
  late = 0,
): { state: State; result: Result } {
  const answer = (result: Result, change: Partial<State> = {}) => ({ state: { ...state, ...change }, result });
  const deadline = (ttl: number) => state.clock - late + ttl;
  const isOver = (expires: number | undefined) => expires !== undefined && state.clock >= expires;
  const ended = (owner: string) => state.dead.has(owner) || state.dead.has(threadOf(owner));
  const alive = (owner: string) => !ended(owner) && !isOver(state.ownersExpire.get(owner));
  const live = (name: string): Entry | undefined => {
    const entry = state.names.get(name);
    return entry && alive(entry.owner) && !isOver(entry.expires) ? entry : undefined;
  };
  const kill = (owner: string) => answer('done', { dead: new Set([...state.dead, owner]) });
  const mine = (name: string): string => `${thread} ${name}`;
  /** The entry of a name, if it is the registration that this thread made last. */
  const stillMine = (name: string): Entry | undefined => {
    const entry = live(name);
    return entry && entry.registration === state.made.get(mine(name)) ? entry : undefined;
  };
  const change = (name: string, entry: Entry | undefined, config: string) =>
    entry
      ? answer('done', { names: withOne(state.names, name, { ...entry, config, version: n }) })
      : answer('notFound');
  const remove = (name: string, entry: Entry | undefined) =>
    entry ? answer('done', { names: withOne(state.names, name, undefined) }) : answer('notFound');
  const ownOwner = () => `${thread}.${state.opened.get(thread) ?? 0}`;

  switch (operation.op) {
    case 'sweep':
    case 'sweepCounters':
    case 'churn':
    case 'reclaim':
    case 'buryAgain':
      return answer('done');
    case 'settle': {
      // Whose thread has ended is the system's to say, so it is taken from the answer: names of workers count from 1.
      const ended = (result ?? '').match(/\d+/g) ?? [];
      return answer(result ?? 'ended', { dead: new Set([...state.dead, ...ended.map((id) => `${Number(id) - 1}`)]) });
    }
    case 'kill':
    case 'bury':
      return kill(`${operation.thread}`);
    case 'attach':
    case 'rebirth': {
      // Another life: what the thread had before is of the dead.
      const born = `${'thread' in operation ? operation.thread : thread}`;
      const names = new Map([...state.names].filter(([, { owner }]) => threadOf(owner) !== born));
      return answer('done', { names, dead: new Set([...state.dead].filter((dead) => threadOf(dead) !== born)) });
    }
    case 'succeed': // whether the one before has ended is the system's to say; its names end with its row
      if (result === 'refused' || operation.thread === undefined) return answer(result ?? 'done');
      return kill(`${operation.thread}`);
    case 'intern': {
      const kinds = state.kinds.includes(operation.kind) ? state.kinds : [...state.kinds, operation.kind];
      return answer(`kind ${kinds.indexOf(operation.kind) + 2}`, { kinds });
    }
    case 'openOwner': {
      const number = (state.opened.get(thread) ?? 0) + 1;
      const expires = operation.ttl === undefined ? undefined : deadline(operation.ttl);
      return answer('done', {
        opened: withOne(state.opened, thread, number),
        ownersExpire: withOne(state.ownersExpire, `${thread}.${number}`, expires),
      });
    }
    case 'renewOwner': {
      const owner = ownOwner();
      if (ended(owner) || (result === 'notFound' && !alive(owner))) return answer('notFound'); // as `renew`
      return answer('done', { ownersExpire: withOne(state.ownersExpire, owner, deadline(operation.ttl)) });
    }
    case 'closeOwner':
      return kill(ownOwner());
    case 'view':
    case 'list': {
      const names = [...state.names.keys()].filter(live).toSorted();
      return answer(names.map((name) => `${name}=${live(name)?.config}`).join(' '));
    }
    case 'register':
    case 'registerOrUpdate':
    case 'takeOver': {
      const { op, name, config, owned, ttl } = operation;
      const owner = owned ? ownOwner() : `${thread}`;
      const entry = live(name);
      const isOwn = entry?.owner === owner;
      if (entry && op !== 'takeOver' && !(op === 'registerOrUpdate' && isOwn)) return answer('taken');
      const registration = isOwn ? entry.registration : n;
      // Who takes a name from an owner whose time is over has ended that owner.
      const before = state.names.get(name)?.owner;
      const dead = before !== undefined && !alive(before) ? new Set([...state.dead, before]) : state.dead;
      return answer('done', {
        names: withOne(state.names, name, {
          ...{ owner, config, registration, version: n },
          expires: ttl === undefined ? (isOwn ? entry.expires : undefined) : deadline(ttl),
        }),
        made: withOne(state.made, mine(name), registration),
        dead,
      });
    }
    case 'counter': {
      const owner = operation.owned ? ownOwner() : SHARED;
      const { value, keep } = state.counts.get(owner) ?? { value: 0, keep: owner === SHARED };
      return answer('done', {
        counts: withOne(state.counts, owner, { value, keep: keep || operation.keep === true }),
        counter: withOne(state.counter, thread, owner),
      });
    }
    case 'count': {
      const owner = state.counter.get(thread) ?? SHARED;
      const { value, keep } = state.counts.get(owner) as Count;
      // One that is over may be ended by anybody at any moment, also between the look at it and the addition.
      const isRefused = ended(owner) || (result === 'notFound' && !alive(owner));
      if (owner !== SHARED && isRefused) return answer('notFound');
      return answer('done', { counts: withOne(state.counts, owner, { value: value + operation.by, keep }) });
    }
    case 'sum': {
      const counted = [...state.counts].filter(([owner, { keep }]) => keep || alive(owner));
      return answer(`${counted.reduce((sum, [, { value }]) => sum + value, 0)}`);
    }
    case 'tick':
      return answer('done', { clock: state.clock + 1 });
    case 'renew': {
      // One that looked at the clock in time may come late: until another has the name, that is for the answer to say.
      const entry = state.names.get(operation.name);
      const kept = entry && alive(entry.owner) && entry.registration === state.made.get(mine(operation.name));
      if (!kept || (result === 'notFound' && live(operation.name) === undefined)) return answer('notFound');
      if (entry.expires === undefined) return answer('changed');
      const expires = deadline(operation.ttl);
      return answer('done', { names: withOne(state.names, operation.name, { ...entry, expires }) });
    }
    case 'update':
      return change(operation.name, live(operation.name), operation.config);
    case 'updateMine':
      return change(operation.name, stillMine(operation.name), operation.config);
    case 'updateIf': {
      const entry = live(operation.name);
      if (entry?.version !== state.seen.get(mine(operation.name))) return answer('changed');
      return entry ? change(operation.name, entry, operation.config) : answer('changed');
    }
    case 'unregister':
      return remove(operation.name, live(operation.name));
    case 'unregisterMine':
      return remove(operation.name, stillMine(operation.name));
    case 'look': {
      const entry = live(operation.name);
      return answer(presence(entry), { seen: withOne(state.seen, mine(operation.name), entry?.version) });
    }
    case 'find':
      return answer(presence(live(operation.name)));
    case 'isMine':
      return answer(presence(stillMine(operation.name)));
    case 'whereis':
    case 'await':
      return answer(live(operation.name)?.config ?? 'absent');
  }
}

const presence = (entry: Entry | undefined): Result => (entry ? 'present' : 'absent');

/** The state after operations that ran one after the other. Their numbers are below those of any program's. */
export function stateAfter(history: readonly Event[]): State {
  return history.reduce((state, event, n) => apply(state, event, n - history.length).state, nothing);
}

const SHARED = 'shared';

const keyOf = ({ names, dead, opened, made, seen, kinds, ownersExpire, clock, counts, counter }: State): string =>
  JSON.stringify([
    sorted(names),
    [...dead].toSorted(),
    sorted(opened),
    sorted(made),
    sorted(seen),
    kinds,
    sorted(ownersExpire),
    clock,
    sorted(counts),
    sorted(counter),
  ]);
const sorted = <K, V>(map: ReadonlyMap<K, V>): [K, V][] => [...map].toSorted(([a], [b]) => (a < b ? -1 : 1));

/**
 * Whether some order of the operations, each at a moment between its start and its end, explains all results: the
 * search of Wing and Gong (1993) with the memory of visited configurations that Lowe (2017) added.
 * @param history at most 30 operations
 */
export function isLinearizable(history: readonly Event[], initial: State): boolean {
  if (history.length > 30) throw new Error(`a history of ${history.length} operations, at most 30`);
  const all = (1 << history.length) - 1;
  const visited = new Set<string>();
  const complete = history.reduce((mask, { end }, n) => (end === undefined ? mask : mask | (1 << n)), 0);

  /** What the clock was at least when an operation began. */
  const clockBefore = ({ start }: Event): number =>
    initial.clock + history.filter(({ operation, end = start }) => operation.op === 'tick' && end < start).length;

  function search(done: number, state: State): boolean {
    if ((done & complete) === complete) return true;
    const configuration = `${done} ${keyOf(state)}`;
    if (visited.has(configuration)) return false;
    visited.add(configuration);
    let firstEnd = Number.POSITIVE_INFINITY;
    for (const [n, { end }] of history.entries()) {
      if (!(done & (1 << n)) && end !== undefined && end < firstEnd) firstEnd = end;
    }
    for (const [n, event] of history.entries()) {
      // Only what had started before the first pending operation ended can come next.
      if (done & (1 << n) || event.start > firstEnd) continue;
      const lateMax = 'ttl' in event.operation ? state.clock - clockBefore(event) : 0;
      for (let late = 0; late <= lateMax; late++) {
        const next = apply(state, event, n, late);
        if (event.result !== undefined && event.result !== next.result) break;
        if (search((done | (1 << n)) & all, next.state)) return true;
      }
    }
    return false;
  }
  return search(0, initial);
}
