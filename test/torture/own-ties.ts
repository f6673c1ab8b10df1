import type { Owner, Registry } from '../../src/engine/index.ts';
import type { Random } from '../support/random.ts';
import { Problem } from './threads.ts';

export const groupNames = ['even', 'odd', 'both'] as const;
export const tiedKinds = { server: 'server', transport: 'transport' } as const;

/** Something of its own that one thread alone writes: a membership, a property, a binding. 0: it is not there. */
interface Tie {
  readonly name: string;
  /** States are 0 to `states` - 1. */
  readonly states: number;
  read(): number;
  write(state: number): void;
}

const propertyKey = 'state';
const transportOf = (row: number): string => `transport ${row}`;
const serverOf = (row: number, state: number): string => `server ${row}, ${state}`;

/** What a thread reports of its ties, so that others can look whether they see the same. */
export interface TiesReport {
  readonly owner: { readonly slot: number; readonly epoch: number };
  readonly states: readonly (readonly [name: string, state: number])[];
}

/**
 * A survivor's memberships, its property and its binding: each has to be what it was last told to be. As with `OwnNames`, a call that is
 * cut short leaves the state before or the one after.
 */
export class OwnTies {
  found = 0;
  readonly #random: Random;
  readonly #owner: Owner;
  readonly #ties: readonly Tie[];
  readonly #states: number[];
  #pending: { readonly n: number; readonly after: number } | undefined;

  constructor(registry: Registry, random: Random, row: number) {
    this.#random = random;
    this.#owner = registry.owner();
    registry.register(tiedKinds.transport, transportOf(row));
    for (const state of [1, 2]) registry.register(tiedKinds.server, serverOf(row, state));
    this.#ties = tiesOf(registry, row, this.#owner, this.#owner);
    this.#states = this.#ties.map(() => 0);
  }

  operate(): void {
    const n = this.#random.below(this.#ties.length);
    this.#expect(n, [this.#states[n]]);
    this.found++;
    const after = this.#random.below(this.#ties[n].states);
    this.#pending = { n, after };
    this.#ties[n].write(after);
    this.#settle(n, after);
  }

  /** After a call was cut short. */
  settle(): void {
    if (this.#pending === undefined) return;
    const { n, after } = this.#pending;
    this.#settle(n, this.#expect(n, [this.#states[n], after]));
  }

  get report(): TiesReport {
    const { slot, epoch } = this.#owner;
    return { owner: { slot, epoch }, states: this.#ties.map(({ name }, n) => [name, this.#states[n]]) };
  }

  #settle(n: number, state: number): void {
    this.#states[n] = state;
    this.#pending = undefined;
  }

  #expect(n: number, states: readonly number[]): number {
    const state = this.#ties[n].read();
    if (states.includes(state)) return state;
    throw new Problem('lost', `${this.#ties[n].name} is in state ${state}, not in ${states.join(' or ')}`);
  }
}

/** The ties of a row, as another thread sees them. */
export function expectTies(registry: Registry, row: number, { owner, states }: TiesReport): void {
  const ties = tiesOf(registry, row, owner, undefined);
  for (const [n, [name, expected]] of states.entries()) {
    const state = ties[n].read();
    if (state !== expected)
      throw new Problem('lost', `${name} of survivor ${row} is in state ${state}, not in ${expected}`);
  }
}

function tiesOf(
  registry: Registry,
  row: number,
  { slot, epoch }: { readonly slot: number; readonly epoch: number },
  owner: Owner | undefined,
): Tie[] {
  const options = { owner };
  const memberships = groupNames.map((group) => ({
    name: `membership of "${group}"`,
    states: 2,
    read: () =>
      registry.groups.members(group).filter(({ owner }) => owner.slot === slot && owner.epoch === epoch).length,
    write: (state: number) =>
      void (state === 1 ? registry.groups.join(group, options) : registry.groups.leave(group, options)),
  }));
  const property: Tie = {
    name: 'property',
    states: 100,
    read: () => Number(registry.properties.of({ slot, epoch }).get(propertyKey) ?? 0),
    write: (state) =>
      void (state === 0 ? owner?.properties.delete(propertyKey) : owner?.properties.set(propertyKey, state)),
  };
  const binding: Tie = {
    name: 'binding',
    states: 3,
    read: () => [undefined, serverOf(row, 1), serverOf(row, 2)].indexOf(registry.bindings.serverOf(transportOf(row))),
    write: (state) => {
      if (state === 0) registry.bindings.unbind(transportOf(row));
      else registry.bindings.bind(transportOf(row), serverOf(row, state));
    },
  };
  return [...memberships, property, binding];
}
