import type { Operation, Result } from './world.ts';

/** One operation of a history. `end` is undefined when its thread was killed: it may or may not have happened. */
export interface Event {
  readonly thread: number;
  readonly operation: Operation;
  readonly start: number;
  end: number | undefined;
  result: Result | undefined;
}

/** What the sequential registry knows. */
export interface State {
  /** Per name: owner thread and config. */
  readonly names: ReadonlyMap<string, { readonly owner: number; readonly config: string }>;
  readonly dead: ReadonlySet<number>;
}

/** The sequential registry: what each operation answers and leaves, alone. */
function apply(state: State, { thread, operation }: Event): { state: State; result: Result } {
  const alive = (owner: number) => !state.dead.has(owner);
  const withName = (name: string, entry: { owner: number; config: string } | undefined): State => {
    const names = new Map(state.names);
    if (entry) names.set(name, entry);
    else names.delete(name);
    return { ...state, names };
  };
  const live = (name: string) => {
    const entry = state.names.get(name);
    return entry && alive(entry.owner) ? entry : undefined;
  };
  switch (operation.op) {
    case 'sweep':
    case 'churn':
    case 'buryAgain':
      return { state, result: 'done' };
    case 'kill':
    case 'bury':
      return { state: { ...state, dead: new Set([...state.dead, operation.thread]) }, result: 'done' };
    case 'rebirth': {
      const names = new Map([...state.names].filter(([, { owner }]) => owner !== operation.thread));
      return {
        state: { names, dead: new Set([...state.dead].filter((dead) => dead !== operation.thread)) },
        result: 'done',
      };
    }
    case 'list': {
      const names = [...state.names.keys()].filter(live).toSorted();
      return { state, result: names.map((name) => `${name}=${live(name)?.config}`).join(' ') };
    }
    case 'register':
    case 'registerOrUpdate': {
      const { op, name, config } = operation;
      const entry = live(name);
      if (entry && (op === 'register' || entry.owner !== thread)) return { state, result: 'taken' };
      return { state: withName(name, { owner: thread, config }), result: 'done' };
    }
    case 'update': {
      const entry = live(operation.name);
      if (!entry) return { state, result: 'notFound' };
      return { state: withName(operation.name, { ...entry, config: operation.config }), result: 'done' };
    }
    case 'unregister':
      if (!live(operation.name)) return { state, result: 'notFound' };
      return { state: withName(operation.name, undefined), result: 'done' };
    case 'whereis':
      return { state, result: live(operation.name)?.config ?? 'absent' };
    case 'find':
      return { state, result: live(operation.name) ? 'present' : 'absent' };
  }
}

/** The state after operations that ran one after the other. */
export function stateAfter(history: readonly Event[]): State {
  const start: State = { names: new Map(), dead: new Set() };
  return history.reduce((state, event) => apply(state, event).state, start);
}

const keyOf = ({ names, dead }: State): string =>
  JSON.stringify([[...names].toSorted(([a], [b]) => (a < b ? -1 : 1)), [...dead].toSorted()]);

/**
 * Whether some order of the operations, each at a moment between its start and its end, explains all results: the
 * search of Wing and Gong (1993) with the memory of visited configurations that Lowe (2017) added.
 */
export function isLinearizable(history: readonly Event[], initial: State): boolean {
  const all = (1 << history.length) - 1;
  const visited = new Set<string>();
  const complete = history.reduce((mask, { end }, n) => (end === undefined ? mask : mask | (1 << n)), 0);

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
      const next = apply(state, event);
      if (event.result !== undefined && event.result !== next.result) continue;
      if (search((done | (1 << n)) & all, next.state)) return true;
    }
    return false;
  }
  return search(0, initial);
}
