import { type InspectOptions, inspect } from 'node:util';
import type { EncodedConfig } from '../shared/codec.ts';
import { RegistryError } from '../shared/errors.ts';
import { EndReason } from '../shared/layout.ts';
import { limits } from '../shared/limits.ts';
import type { IfHeld } from '../shared/shard.ts';
import { Outcome } from '../shared/shard-mutations.ts';
import type { Table } from '../shared/table.ts';
import { ownerDead, tableFull } from './errors.ts';
import type { Life } from './life.ts';
import { resolveTtl } from './options.ts';
import { Properties } from './properties.ts';
import { Registration, type RegistrationHost } from './registration.ts';
import { show } from './show.ts';

/**
 * Something smaller than a thread that owns names: a session, a child process, a connection. It lives until it is
 * closed or its thread ends, whichever comes first; then all its names stop resolving at once, in every thread.
 * @example
 * using session = registry.owner();
 * registry.register('session', id, { owner: session });
 */
export class Owner implements Disposable {
  readonly slot: number;
  readonly epoch: number;
  readonly #table: Table;
  readonly #life: Life;
  /** Time to live in ticks; 0: none. */
  readonly #ttl: number;
  readonly #registrations = new Map<string, Registration>();
  #untracked = false;
  #properties: Properties | undefined;
  #registering = 0;

  /** @internal Made by `registry.owner`. */
  constructor(table: Table, slot: number, epoch: number, life: Life, ttl: number) {
    this.#table = table;
    this.slot = slot;
    this.epoch = epoch;
    this.#life = life;
    this.#ttl = ttl;
  }

  /** Whether neither it nor its thread has ended. */
  get alive(): boolean {
    return this.#table.owners.alive(this.slot, this.epoch);
  }

  /** What it says of itself: JSON values by key, which any thread can read. Gone with it. */
  get properties(): Properties {
    this.#properties ??= new Properties(this.#table, this.#life, this);
    return this.#properties;
  }

  /**
   * Gives an owner that has a time to live that time anew, or another; counted from now.
   * @returns false when it has ended: it came too late
   * @throws {RegistryError} `INVALID_OPTION` when it was made without one; `BUSY`
   */
  renew(ttlMs?: number): boolean {
    if (this.#ttl === 0) {
      throw new RegistryError('INVALID_OPTION', `renew owner ${this.slot}: it was made without ttlMs`);
    }
    const ttl = resolveTtl(ttlMs) || this.#ttl;
    return !this.#life.closed && this.#table.owners.renew(this.slot, this.epoch, ttl);
  }

  /** Ends the owner: one store, however many names it has; their memory is freed after it. Closing twice is no error.
   *  @throws {RegistryError} `BUSY`: the owner has ended all the same */
  close(): void {
    if (this.#table.owners.epoch(this.slot) !== this.epoch) return;
    this.#life.closings.begin(this);
    if (!this.#table.owners.kill(this.slot, this.epoch, EndReason.closed) || this.#life.closed) return;
    try {
      for (const { shard, record, born } of this.#registrations.values())
        this.#table.shards[shard].sweepRecord(record, born);
      const tracked = !this.#untracked && this.#registering === 0;
      if (tracked) this.#table.ownerTable.reclaim(this.slot, this.epoch + 1);
    } finally {
      this.#life.onOwnerEnd(this.slot, this.epoch);
      this.#registrations.clear();
      this.requestSweepIfDead();
      this.#life.closings.end(this);
    }
  }

  /** @internal When it is dead, and was not freed in good order. */
  requestSweepIfDead(): void {
    if (this.#table.owners.epoch(this.slot) === this.epoch + 1) this.#table.requestSweep();
  }

  /** For `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** @internal For `console.log`. */
  [inspect.custom](_depth: number, options: InspectOptions): string {
    const { slot, epoch, alive } = this;
    return show('Owner', { slot, epoch, alive }, options);
  }

  /**
   * @internal Registers the name that the table's key has. `ifHeld` says what to do when a living owner has it.
   * `kind` and `id` are for people.
   * @returns undefined when it is refused: another living owner has it
   * @throws {RegistryError} `TABLE_FULL`, `OWNER_DEAD`, `CLOSED`, `BUSY`
   */
  register(
    host: RegistrationHost,
    kind: string,
    id: string,
    config: EncodedConfig | undefined,
    ifHeld: IfHeld,
    ttl = 0,
  ): Registration | undefined {
    const table = this.#table;
    const { key } = table;
    // Until it is tracked there may be a name that is not known here. (A `vm` time-out may cut this off in between.)
    this.#registering++;
    try {
      const number = table.shardOf(key.hash);
      const shard = table.shards[number];
      const outcome = shard.register(key, this.slot, this.epoch, config, ifHeld, ttl);
      if (outcome === Outcome.taken) return undefined;
      if (outcome === Outcome.full) throw tableFull('register', kind, id, shard);
      const registration = new Registration(host, kind, id, number, shard.record, shard.born, ttl);
      if (!this.alive) {
        // It died between the two looks (the registry was closed, or this thread was thought dead): leave no entry.
        shard.sweepRecord(registration.record, registration.born);
        this.checkAlive(kind, id);
      }
      this.#track(registration);
      return registration;
    } finally {
      this.#registering--;
    }
  }

  /** @internal @throws {RegistryError} `OWNER_DEAD`, `CLOSED`: it can register nothing any more */
  checkAlive(kind: string, id: string): void {
    if (this.alive) return;
    this.#life.checkOpen();
    throw ownerDead(kind, id);
  }

  /** An owner that closes frees its names at once, so it must know them; with very many that is left to the coordinator's
   *  sweep. (A thread's always are.) */
  #track(registration: Registration): void {
    if (this.slot === this.#table.slot) return;
    const name = nameOf(registration);
    if (this.#registrations.size < limits.ownerTrackedMax || this.#registrations.has(name)) {
      this.#registrations.set(name, registration);
      registration.cleanups.push(() => this.#registrations.delete(name));
    } else this.#untracked = true;
  }

  /** @internal Whether it is an owner at all, and of that attachment. */
  static belongs(owner: Owner, table: Table): boolean {
    return typeof owner === 'object' && owner !== null && #table in owner && owner.#table === table;
  }
}

/** What tells registrations apart; updating one by name makes another object for the same. */
const nameOf = ({ shard, record, born }: Registration): string => `${shard} ${record} ${born}`;
