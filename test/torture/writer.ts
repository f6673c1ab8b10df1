import { type EncodedConfig, type Entry, encodeConfig, type Owner, type Registry } from '../../src/engine/index.ts';
import { checkedConfig, expectWhole } from '../stress/tasks/configs.ts';
import type { Random } from '../support/random.ts';
import { Problem } from './threads.ts';

/** Names that all threads register, update and unregister. */
export const sharedNames = 16;
const configsOfName = 8;
/** Names of one wave: enough to rebuild an index several times, and to fill pages with long names. */
const waveNamesMax = 1_500;

export const kinds = { shared: 'shared', wave: 'wave', ledger: 'ledger', gift: 'gift' } as const;

/** Every third name is too long for its record, and takes a block of the arena. */
export const nameOf = (what: string, n: number): string =>
  n % 3 === 0 ? `${what} ${n} ${'long '.repeat((n % 40) + 6)}` : `${what} ${n}`;

/** Writes and reads of every kind, on names that all threads fight for. Whoever does them may be killed anywhere. */
export class Writer {
  reads = 0;
  readonly #registry: Registry;
  readonly #random: Random;
  readonly #listEvery: number;
  readonly #waveOf: string;
  #session: Owner;
  readonly #configs = new Map<string, EncodedConfig>();
  #wave = { size: 0, done: 0 };

  constructor(registry: Registry, random: Random, row: number, listEvery: number) {
    this.#registry = registry;
    this.#random = random;
    this.#listEvery = listEvery;
    this.#waveOf = `wave of ${row},`;
    this.#session = registry.owner();
  }

  /** One operation. */
  operate(): void {
    const random = this.#random;
    if (random.below(this.#listEvery) === 0) this.#listAll();
    else if (random.below(4) === 0) this.#waveOn();
    else this.#operateOn(nameOf('name', random.below(sharedNames)));
  }

  /** Fails when what was read is not one config in one piece. */
  expectWhole(entry: Entry): number {
    this.reads++;
    try {
      return expectWhole(entry.id, entry.config).n;
    } catch (error) {
      throw new Problem('torn', String(error), { cause: error });
    }
  }

  #operateOn(id: string): void {
    const registry = this.#registry;
    const random = this.#random;
    const { shared } = kinds;
    const config = () => this.#config(id);
    if (!this.#session.alive) this.#session = registry.owner();
    const owner = random.below(3) === 0 ? this.#session : undefined;
    const choice = random.below(16);
    if (choice < 3) registry.tryRegister(shared, id, { config: config(), owner });
    else if (choice < 5) this.#registerAndGoOn(id, owner);
    else if (choice < 6) {
      ignoring('ALREADY_REGISTERED', () => registry.registerOrUpdate(shared, id, { config: config(), owner }));
    } else if (choice < 9) ignoring('NOT_FOUND', () => registry.update(shared, id, config()));
    else if (choice < 10) {
      const entry = registry.whereis(shared, id);
      if (entry) registry.compareAndUpdate(shared, id, entry.version, config());
    } else if (choice < 13) registry.unregister(shared, id);
    else if (choice < 14) this.#session.close();
    else {
      const entry = choice === 14 ? registry.whereis(shared, id) : registry.ref(shared, id).current();
      if (entry?.config !== undefined) this.expectWhole(entry);
    }
  }

  /** What a registration itself can do, while others may unregister its name. */
  #registerAndGoOn(id: string, owner: Owner | undefined): void {
    const result = this.#registry.tryRegister(kinds.shared, id, { owner });
    if (!result.ok) return;
    ignoring('NOT_FOUND', () => result.registration.update(this.#config(id)));
    if (this.#random.below(2) === 0) result.registration.unregister();
  }

  /** One of a few configs of that name. Encoded ones leave a thread more time for its critical sections. */
  #config(id: string): EncodedConfig {
    const state = this.#random.below(configsOfName);
    const key = `${state} ${id}`;
    const config = this.#configs.get(key) ?? encodeConfig(checkedConfig(id, state));
    this.#configs.set(key, config);
    return config;
  }

  /** Names come one by one until there are many, then they go one by one. */
  #waveOn(): void {
    if (this.#wave.done === 2 * this.#wave.size) this.#wave = { size: 1 + this.#random.below(waveNamesMax), done: 0 };
    const { size } = this.#wave;
    const n = this.#wave.done++;
    const id = nameOf(this.#waveOf, n % size);
    if (n < size) this.#registry.tryRegister(kinds.wave, id);
    else this.#registry.unregister(kinds.wave, id);
  }

  #listAll(): void {
    for (const entry of this.#registry.list(kinds.shared)) {
      if (entry.config !== undefined) this.expectWhole(entry);
    }
  }
}

function ignoring(code: string, act: () => unknown): void {
  try {
    act();
  } catch (error) {
    if ((error as { code?: string }).code !== code) throw error;
  }
}
