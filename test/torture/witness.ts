import type { Registry } from '../../src/engine/index.ts';
import { checkedConfig, expectWhole } from '../stress/tasks/configs.ts';
import { threadKind } from './attachment.ts';
import type { CrewMember } from './crew.ts';
import { Problem } from './threads.ts';
import { Row, rowAt, type Words } from './words.ts';
import { kinds, nameOf, sharedNames } from './writer.ts';

const present = 'present';
/** The config of an entry that is there all the while. */
const presentConfig = (n: number) => ({ n });

/** What the main thread registers for the others, and what it sees of them when they have ended. */
export class Witness {
  readonly #registry: Registry;
  readonly #words: Words;
  readonly #entries: number;

  /** `entries` are there all the while. */
  constructor(registry: Registry, words: Words, entries: number) {
    this.#registry = registry;
    this.#words = words;
    this.#entries = entries;
  }

  /** Registers what is there all the while, and a ledger and a gift for each place of victims. */
  prepare(rows: readonly number[]): void {
    for (let n = 0; n < this.#entries; n++) {
      this.#registry.register(present, `${present} ${n}`, { config: presentConfig(n) });
    }
    for (const row of rows) {
      const id = nameOf('ledger', row);
      this.#registry.register(kinds.ledger, id, { config: checkedConfig(id, 0) });
    }
  }

  /** Nothing of a killed thread is found, and what it was told is done is there. @returns names of the living that were listed. */
  expectGone({ threadId, row }: CrewMember): number {
    let listed = 0;
    for (const entry of this.#sharedEntries()) {
      if (entry.owner.threadId === threadId) throw new Problem('lost', `"${entry.id}" of a dead thread is found`);
      if (entry.config !== undefined) whole(entry.id, entry.config);
      listed++;
    }
    const id = nameOf('ledger', row);
    const state = whole(id, this.#registry.whereis(kinds.ledger, id)?.config);
    const at = rowAt(row, Row.acknowledged);
    const told = Atomics.load(this.#words, at);
    if (state !== told && state !== told + 1)
      throw new Problem('lost', `"${id}" is in state ${state}, told was ${told}`);
    // The last write may have been committed and not told: the next victim goes on from there.
    Atomics.store(this.#words, at, state);
    return listed;
  }

  /** A list reads every record, so it is spared where there are very many. */
  *#sharedEntries() {
    if (this.#entries === 0) return yield* this.#registry.list(kinds.shared);
    for (let n = 0; n < sharedNames; n++) {
      const entry = this.#registry.whereis(kinds.shared, nameOf('name', n));
      if (entry) yield entry;
    }
  }

  /** All names of a kind, with their states. */
  expectStates(kind: string, states: readonly (readonly [id: string, state: number])[]): void {
    const count = this.#registry.count(kind);
    if (count !== states.length) throw new Problem('lost', `${count} names of ${kind}, not ${states.length}`);
    for (const [id, expected] of states) {
      const state = whole(id, this.#registry.whereis(kind, id)?.config);
      if (state !== expected) throw new Problem('lost', `${kind} "${id}" is in state ${state}, not in ${expected}`);
    }
  }

  /** The entries that were there all the while still are. */
  expectEntries(): void {
    let sum = 0;
    let count = 0;
    for (const { id, config } of this.#registry.list(present)) {
      const { n } = config as ReturnType<typeof presentConfig>;
      if (id !== `${present} ${n}`) throw new Problem('torn', `"${id}" has the config of ${n}`);
      sum += n;
      count++;
    }
    const expected = (this.#entries * (this.#entries - 1)) / 2;
    if (count !== this.#entries || sum !== expected) {
      throw new Problem('lost', `${count} of ${this.#entries} entries are there`);
    }
  }

  /** Every kind that has names. */
  kinds(survivors: number): string[] {
    return [
      present,
      threadKind,
      ...Object.values(kinds),
      ...Array.from({ length: survivors }, (_, row) => `survivor ${row}`),
    ];
  }
}

function whole(id: string, config: unknown): number {
  if (config === undefined) throw new Problem('lost', `"${id}" is gone`);
  try {
    return expectWhole(id, config).n;
  } catch (error) {
    throw new Problem('torn', String(error), { cause: error });
  }
}
