import { type Owner, type Registry, RegistryError } from '../../src/engine/index.ts';
import { checkedConfig } from '../stress/tasks/configs.ts';
import type { Random } from '../support/random.ts';
import { Problem } from './threads.ts';
import { nameOf, type Writer } from './writer.ts';

const names = 24;

/**
 * Names that one thread alone writes: each has to be there and be what it was last told to be. A call may be cut short, in
 * which case the name is what it was before or what it was to be.
 */
export class OwnNames {
  readonly kind: string;
  /** The names that stand, with their states. */
  readonly states: Map<string, number> = new Map();
  /** Acknowledged writes that were looked for and found. */
  found = 0;
  readonly #registry: Registry;
  readonly #random: Random;
  readonly #writer: Writer;
  readonly #owner: Owner;
  #state = 0;
  #pending:
    | { readonly id: string; readonly before: number | undefined; readonly after: number | undefined }
    | undefined;

  constructor(registry: Registry, random: Random, writer: Writer, row: number) {
    this.kind = `survivor ${row}`;
    this.#registry = registry;
    this.#random = random;
    this.#writer = writer;
    this.#owner = registry.owner();
  }

  operate(): void {
    const n = this.#random.below(names);
    const id = nameOf('mine', n);
    const before = this.states.get(id);
    this.#expect(id, [before]);
    this.found++;
    if (before !== undefined && this.#random.below(3) === 0) {
      this.#pending = { id, before, after: undefined };
      if (!this.#registry.unregister(this.kind, id)) throw new Problem('lost', `${this.kind} "${id}" was not there`);
    } else {
      const after = ++this.#state;
      this.#pending = { id, before, after };
      this.#write(id, checkedConfig(id, after), n % 2 === 0 ? this.#owner : undefined);
    }
    this.#settle(id, this.#pending.after);
  }

  /** After a call was cut short. */
  settle(): void {
    if (this.#pending === undefined) return;
    const { id, before, after } = this.#pending;
    this.#settle(id, this.#expect(id, [before, after]));
  }

  #settle(id: string, state: number | undefined): void {
    if (state === undefined) this.states.delete(id);
    else this.states.set(id, state);
    this.#pending = undefined;
  }

  #write(id: string, config: ReturnType<typeof checkedConfig>, owner: Owner | undefined): void {
    try {
      this.#registry.registerOrUpdate(this.kind, id, { config, owner });
    } catch (error) {
      if (!(error instanceof RegistryError) || error.code !== 'ALREADY_REGISTERED') throw error;
      throw new Problem('lost', `${this.kind} "${id}" was taken: ${error.message}`);
    }
  }

  #expect(id: string, states: readonly (number | undefined)[]): number | undefined {
    const entry = this.#registry.whereis(this.kind, id);
    const state = entry && this.#writer.expectWhole(entry);
    if (states.includes(state)) return state;
    throw new Problem('lost', `${this.kind} "${id}" is in state ${state}, not in ${states.join(' or ')}`);
  }
}
