import { inspect } from 'node:util';
import { RegistryError } from '../shared/errors.ts';

/** How `balance` chooses. */
export type BalanceStrategy = 'round robin' | 'least pending' | 'consistent hash';

/**
 * Several names of one kind that serve the same, and which of them is next. Give it to `route` or `call` in place of an id. Names that
 * are not there, or take no messages, are passed over.
 */
export class Balancer {
  readonly ids: readonly string[];
  readonly strategy: BalanceStrategy;
  readonly #pending: Map<string, number>;
  readonly #random: () => number;
  #next = 0;

  /** @internal Made by `balance`. */
  constructor(ids: readonly string[], strategy: BalanceStrategy, random: () => number) {
    this.ids = Object.freeze([...ids]);
    this.strategy = strategy;
    this.#pending = new Map(this.ids.map((id) => [id, 0]));
    this.#random = random;
  }

  /** @internal All ids, the preferred one first. `key` is what a consistent hash goes by. */
  candidates(key = ''): readonly string[] {
    const { ids } = this;
    if (this.strategy === 'consistent hash') return byWeight(ids, key);
    let first: number;
    if (this.strategy === 'round robin') {
      first = this.#next;
      this.#next = (first + 1) % ids.length;
    } else first = this.#lessPending();
    return first === 0 ? ids : [...ids.slice(first), ...ids.slice(0, first)];
  }

  /** Of two chosen at random, the one with fewer calls under way from this thread: nearly as good as the least of all (Mitzenmacher,
   *  "The power of two choices in randomized load balancing", 2001), and no crowd runs to the same one. */
  #lessPending(): number {
    const { ids } = this;
    const one = Math.floor(this.#random() * ids.length);
    if (ids.length === 1) return one;
    const other = (one + 1 + Math.floor(this.#random() * (ids.length - 1))) % ids.length;
    return this.pending(other) < this.pending(one) ? other : one;
  }

  /** @internal Calls under way to the name of that number. */
  pending(n: number): number {
    return this.#pending.get(this.ids[n]) as number;
  }

  /** @internal A call to `id` begins. */
  begin(id: string): void {
    this.#pending.set(id, (this.#pending.get(id) as number) + 1);
  }

  /** @internal It has ended. */
  end(id: string): void {
    this.#pending.set(id, (this.#pending.get(id) as number) - 1);
  }
}

/**
 * Spreads messages and calls over several names of one kind.
 * - `round robin` (the default): one after the other.
 * - `least pending`: of two chosen at random, the one that has fewer calls of this thread under way.
 * - `consistent hash`: by the `key` of the message; when a name comes or goes only its own keys move.
 * @throws {RegistryError} `INVALID_OPTION`
 * @example
 * const calculators = balance(['calculator-1', 'calculator-2'], 'least pending');
 * await registry.messages.call('server', calculators, { add: [1, 2] });
 */
export function balance(
  ids: readonly string[],
  strategy: BalanceStrategy = 'round robin',
  random: () => number = Math.random,
): Balancer {
  if (typeof random !== 'function') {
    throw new RegistryError('INVALID_OPTION', `random is ${inspect(random)}: a function, as Math.random is one`);
  }
  const areIds = Array.isArray(ids) && ids.every((id) => typeof id === 'string');
  if (!areIds || ids.length === 0 || new Set(ids).size !== ids.length) {
    throw new RegistryError('INVALID_OPTION', 'balance takes a list of ids, at least one, each once');
  }
  if (strategy !== 'round robin' && strategy !== 'least pending' && strategy !== 'consistent hash') {
    throw new RegistryError(
      'INVALID_OPTION',
      `unknown strategy ${inspect(strategy)}: round robin, least pending, consistent hash`,
    );
  }
  return new Balancer(ids, strategy, random);
}

/** Highest random weight first (Thaler and Ravishankar, 1998): each id has a weight of its own for a key, whichever others there are. */
function byWeight(ids: readonly string[], key: string): string[] {
  const weighted = ids.map((id) => ({ id, weight: hash(id, hash(key, 0x811c9dc5)) }));
  return weighted.sort((a, b) => b.weight - a.weight || (a.id < b.id ? -1 : 1)).map(({ id }) => id);
}

/** FNV-1a over UTF-16 units, its bits then mixed: neighbouring names must not weigh alike. */
function hash(text: string, seed: number): number {
  let mixed = seed;
  for (let n = 0; n < text.length; n++) mixed = Math.imul(mixed ^ text.charCodeAt(n), 0x01000193);
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
