import { type InspectOptions, inspect } from 'node:util';
import { RegistryError } from '../shared/errors.ts';
import { EndReason } from '../shared/layout.ts';
import { limits } from '../shared/limits.ts';
import type { Table } from '../shared/table.ts';
import type { Life } from './life.ts';
import { resolveTtl } from './options.ts';
import { Properties } from './properties.ts';
import type { Registration } from './registration.ts';
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

  /** @internal A name is about to be registered for it: until `track` or `registered`, there may be one that is not known
   *  here. (A `vm` time-out may cut it off in between.) */
  registers(): void {
    this.#registering++;
  }

  /** @internal Nothing was registered after all, or it is tracked. */
  registered(): void {
    this.#registering--;
  }

  /** @internal Remembers what to free at the end; with very many names that is left to the coordinator's sweep. */
  track(registration: Registration): void {
    const name = nameOf(registration);
    if (this.#registrations.size < limits.ownerTrackedMax || this.#registrations.has(name)) {
      this.#registrations.set(name, registration);
    } else this.#untracked = true;
  }

  /** @internal */
  forget(registration: Registration): void {
    this.#registrations.delete(nameOf(registration));
  }

  /** @internal Whether it is an owner at all, and of that attachment. */
  static belongs(owner: Owner, table: Table): boolean {
    return typeof owner === 'object' && owner !== null && #table in owner && owner.#table === table;
  }
}

/** What tells registrations apart; updating one by name makes another object for the same. */
const nameOf = ({ shard, record, born }: Registration): string => `${shard} ${record} ${born}`;
