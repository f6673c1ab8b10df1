import { type InspectOptions, inspect } from 'node:util';
import type { JsonInput } from '../shared/codec.ts';
import { RegistryError } from '../shared/errors.ts';
import { quote } from '../shared/name-key.ts';
import { resolveTtl } from './options.ts';
import { show } from './show.ts';

/** @internal What a registration asks of its registry. */
export interface RegistrationHost {
  update(registration: Registration, expected: number | undefined, config: JsonInput | undefined): number;
  remove(registration: Registration): boolean;
  /** @returns undefined when it has no deadline. */
  renew(registration: Registration, ttl: number): boolean | undefined;
  isActive(registration: Registration): boolean;
}

/**
 * A name that was registered, in the hand of who did it. It is about that registration only: when the name is
 * unregistered and registered again, by whomever, this object does not touch the new one.
 */
export class Registration implements Disposable, AsyncDisposable {
  readonly kind: string;
  readonly id: string;
  /** @internal Where it lies: shard, record, and the version that record had first under this registration. */
  readonly shard: number;
  /** @internal */
  readonly record: number;
  /** @internal */
  readonly born: number;
  /** @internal Undo what was set up besides the entry, such as a listener on a signal. */
  readonly cleanups: (() => void)[] = [];
  readonly #host: RegistrationHost;
  /** Time to live in ticks, as it was registered with; 0: none was given. */
  readonly #ttl: number;

  /** @internal Made by `registry.register`. */
  constructor(host: RegistrationHost, kind: string, id: string, shard: number, record: number, born: number, ttl = 0) {
    this.#host = host;
    this.kind = kind;
    this.id = id;
    this.shard = shard;
    this.record = record;
    this.born = born;
    this.#ttl = ttl;
  }

  /** Whether the name still stands by this registration. */
  get active(): boolean {
    return this.#host.isActive(this);
  }

  /** Replaces the config; every thread's next lookup sees it. @returns the entry's new version.
   *  @throws {RegistryError} `NOT_FOUND` when no longer active; `CONFIG_TOO_LARGE`, `INVALID_CONFIG`, `TABLE_FULL`, `CLOSED`,
   *    `BUSY` */
  update(config: JsonInput | undefined): number {
    return this.#host.update(this, undefined, config);
  }

  /** The same if the entry still has `version`, as an `Entry` tells it. @returns whether it had: false also when no
   *  longer active. */
  compareAndUpdate(version: number, config: JsonInput | undefined): boolean {
    return this.#host.update(this, version, config) !== 0;
  }

  /**
   * Gives a name that has a time to live that time anew, or another; counted from now.
   * @returns false when it is no longer active: it came too late, and the name may be another's
   * @throws {RegistryError} `INVALID_OPTION` when it was registered without one; `CLOSED`, `BUSY`
   */
  renew(ttlMs?: number): boolean {
    const ttl = resolveTtl(ttlMs) || this.#ttl;
    const renewed = ttl === 0 ? undefined : this.#host.renew(this, ttl);
    if (renewed !== undefined) return renewed;
    throw new RegistryError('INVALID_OPTION', `renew ${this.kind} ${quote(this.id)}: it was registered without ttlMs`);
  }

  /** Takes the name back. @returns false when it was no longer active; doing it twice is no error.
   *  @throws {RegistryError} `BUSY` */
  unregister(): boolean {
    const removed = this.#host.remove(this); // first: when it ends in BUSY, all else stays set up
    for (const cleanup of this.cleanups.splice(0)) cleanup();
    return removed;
  }

  /** For `using`. */
  [Symbol.dispose](): void {
    this.unregister();
  }

  /** For `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.unregister();
  }

  /** @internal For `console.log`. */
  [inspect.custom](_depth: number, options: InspectOptions): string {
    const { kind, id, active } = this;
    return show('Registration', { kind, id, active }, options);
  }
}
