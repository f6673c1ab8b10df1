import { threadId } from 'node:worker_threads';
import { AlreadyRegisteredError, type Owner, type Registration } from '../../../src/engine/index.ts';
import { attachedRegistry } from '../../../src/engine/pool.ts';
import { Random } from '../../support/random.ts';
import { type Checked, checkedConfig, expectWhole } from './configs.ts';

/* Threads fight for few names. Nobody takes back what another holds, so what was acknowledged has to stay. */

export interface OwnershipTask {
  readonly seed: number;
  readonly operations: number;
  readonly names: number;
  /** Per name: 0, or who won it. */
  readonly holders: Int32Array;
  /** One word: counts wins and releases, so that they have an order. */
  readonly clock: Int32Array;
}

/** One ownership of one name: between the two ticks nobody else may hold it. */
export interface Interval {
  readonly name: number;
  readonly won: number;
  readonly released: number;
}

export interface OwnershipResult {
  readonly held: Readonly<Record<string, Checked>>;
  readonly intervals: readonly Interval[];
  readonly wins: number;
  readonly refusals: number;
}

interface Holding {
  readonly registration: Registration;
  readonly owner: Owner | undefined;
  readonly won: number;
  config: Checked;
}

const registry = attachedRegistry();

export function contend(task: OwnershipTask): OwnershipResult {
  return new Contender(task).run();
}

class Contender {
  readonly #task: OwnershipTask;
  readonly #random: Random;
  readonly #held = new Map<number, Holding>();
  readonly #intervals: Interval[] = [];
  #session = registry.owner();
  #n = 0;
  #wins = 0;
  #refusals = 0;

  constructor(task: OwnershipTask) {
    this.#task = task;
    this.#random = new Random(task.seed);
  }

  run(): OwnershipResult {
    for (let n = 0; n < this.#task.operations; n++) this.#step(this.#random.below(this.#task.names));
    const held: Record<string, Checked> = {};
    for (const [name, { won, config }] of this.#held) {
      this.#intervals.push({ name, won, released: Number.MAX_SAFE_INTEGER });
      held[`name ${name}`] = config;
    }
    return { held, intervals: this.#intervals, wins: this.#wins, refusals: this.#refusals };
  }

  #step(name: number): void {
    const id = `name ${name}`;
    const holding = this.#held.get(name);
    if (holding === undefined) this.#register(name, id);
    else {
      this.#expectHeld(id, holding);
      const choice = this.#random.below(8);
      if (choice < 2) this.#release(name, holding);
      else if (choice < 7) this.#update(choice, id, holding);
      else if (this.#random.below(20) === 0) this.#endSession();
    }
  }

  #register(name: number, id: string): void {
    const owner = this.#random.below(3) === 0 ? this.#session : undefined;
    const config = checkedConfig(id, ++this.#n);
    const result = registry.tryRegister('name', id, { config, owner });
    if (!result.ok) {
      this.#refusals++;
      if (!(result.error instanceof AlreadyRegisteredError)) throw result.error;
      if (result.error.owner.threadId === threadId) throw new Error(`"${id}" is refused, but by this thread itself`);
      return;
    }
    this.#wins++;
    const before = Atomics.compareExchange(this.#task.holders, name, 0, threadId);
    if (before !== 0) throw new Error(`"${id}" was won by thread ${threadId} while thread ${before} held it`);
    this.#held.set(name, { registration: result.registration, owner, won: this.#tick(), config });
  }

  #update(how: number, id: string, holding: Holding): void {
    const config = checkedConfig(id, ++this.#n);
    if (how === 2) holding.registration.update(config);
    else if (how === 3) registry.update('name', id, config);
    else if (how === 4) registry.registerOrUpdate('name', id, { config, owner: holding.owner });
    else {
      const version = registry.whereis('name', id)?.version ?? 0;
      const target = how === 5 ? holding.registration : undefined;
      const updated =
        target?.compareAndUpdate(version, config) ?? registry.compareAndUpdate('name', id, version, config);
      if (!updated) throw new Error(`"${id}" changed under its only writer`);
    }
    holding.config = config;
  }

  #release(name: number, { registration }: Holding): void {
    this.#forget(name);
    if (!registration.unregister()) throw new Error(`name ${name} was lost before it was taken back`);
  }

  /** The death of an owner: all its names go at once. */
  #endSession(): void {
    for (const [name, { owner }] of this.#held) if (owner === this.#session) this.#forget(name);
    this.#session.close();
    this.#session = registry.owner();
  }

  /** Before the name is free: from then on another may win it. */
  #forget(name: number): void {
    const holding = this.#held.get(name);
    this.#held.delete(name);
    this.#intervals.push({ name, won: holding?.won ?? 0, released: this.#tick() });
    if (Atomics.compareExchange(this.#task.holders, name, threadId, 0) !== threadId) {
      throw new Error(`name ${name} was not held by thread ${threadId}`);
    }
  }

  #expectHeld(id: string, { registration, config }: Holding): void {
    if (!registration.active || !registry.has('name', id)) throw new Error(`"${id}" is lost`);
    const found = this.#random.below(2) ? registry.whereis('name', id) : registry.ref('name', id).current();
    if (found?.owner.threadId !== threadId) throw new Error(`"${id}" belongs to thread ${found?.owner.threadId}`);
    const { n } = expectWhole(id, found.config);
    if (n !== config.n) throw new Error(`"${id}" has state ${n} instead of ${config.n}`);
  }

  #tick(): number {
    return Atomics.add(this.#task.clock, 0, 1);
  }
}
