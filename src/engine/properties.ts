import { inspect } from 'node:util';
import { encodeConfig, type JsonInput, type JsonValue } from '../shared/codec.ts';
import { RegistryError } from '../shared/errors.ts';
import { InternalKind } from '../shared/internal-kinds.ts';
import { IfHeld } from '../shared/shard.ts';
import type { Table } from '../shared/table.ts';
import type { OwnerInfo } from './entry.ts';
import type { Life } from './life.ts';
import type { Owner } from './owner.ts';
import type { RegistrationHost } from './registration.ts';
import { checkSize } from './writes.ts';

/** What an owner says of itself, as any thread reads it. Each call reads shared memory anew. All properties of an owner are
 *  one entry, `<slot>.<epoch>`: so a change is one commit, and they end with the owner. */
export class PropertiesView {
  readonly #table: Table;
  readonly #life: Life;
  readonly #id: string;

  /** @internal */
  constructor(table: Table, life: Life, { slot, epoch }: Pick<OwnerInfo, 'slot' | 'epoch'>) {
    this.#table = table;
    this.#life = life;
    this.#id = `${slot}.${epoch}`;
  }

  /** A property's value; undefined when there is none, or the owner has ended. @throws {RegistryError} `CLOSED` */
  get(key: string): JsonValue | undefined {
    checkKey(key);
    const all = this.#read();
    return Object.hasOwn(all, key) ? all[key] : undefined;
  }

  /** All properties, as they stood together at one moment. @throws {RegistryError} `CLOSED` */
  entries(): [key: string, value: JsonValue][] {
    return Object.entries(this.#read());
  }

  #read(): { [key: string]: JsonValue } {
    const table = this.#table;
    this.#life.checkOpen();
    table.key.encode(InternalKind.properties, this.#id);
    const reader = table.readers[table.shardOf(table.key.hash)];
    return reader.read(table.key) === 0 ? {} : JSON.parse(reader.text ?? '{}');
  }
}

/** The properties of an owner, in the hands of its thread, which alone writes them. */
export class Properties extends PropertiesView {
  readonly #table: Table;
  readonly #life: Life;
  readonly #owner: Owner;

  /** @internal Made by `owner.properties` and `registry.properties`. */
  constructor(table: Table, life: Life, owner: Owner) {
    super(table, life, owner);
    this.#table = table;
    this.#life = life;
    this.#owner = owner;
  }

  /** Sets a property: any JSON value. All of an owner's together take `configBytesMax` at most.
   *  @throws {RegistryError} `INVALID_NAME`, `INVALID_CONFIG`, `CONFIG_TOO_LARGE`, `OWNER_DEAD`, `TABLE_FULL`, `CLOSED`, `BUSY` */
  set(key: string, value: JsonInput): void {
    checkKey(key);
    // By itself: JSON would leave a function out of an object and say nothing.
    const plain = JSON.parse(encodeConfig(value).text);
    this.#write(new Map<string, unknown>(this.entries()).set(key, plain));
  }

  /** Removes a property. @returns whether there was one. @throws {RegistryError} as `set` does */
  delete(key: string): boolean {
    checkKey(key);
    const all = new Map<string, unknown>(this.entries());
    if (!all.delete(key)) return false;
    this.#write(all);
    return true;
  }

  /** Another owner's, in whichever thread: `entry.owner` says whose an entry is. */
  of(owner: Pick<OwnerInfo, 'slot' | 'epoch'>): PropertiesView {
    if (
      typeof owner !== 'object' ||
      owner === null ||
      !Number.isInteger(owner.slot) ||
      !Number.isInteger(owner.epoch)
    ) {
      throw new RegistryError('INVALID_OPTION', `an owner is what an entry says, not ${inspect(owner)}`);
    }
    return new PropertiesView(this.#table, this.#life, owner);
  }

  #write(all: ReadonlyMap<string, unknown>): void {
    const table = this.#table;
    const owner = this.#owner;
    const id = `${owner.slot}.${owner.epoch}`;
    const config = encodeConfig(Object.fromEntries(all) as JsonInput);
    checkSize(table, config, 'properties of owner', id);
    owner.checkAlive('properties of owner', id);
    table.key.encode(InternalKind.properties, id);
    // As a registration: an owner that closes in good order frees it.
    owner.register(nobodysHost, 'properties of owner', id, config, IfHeld.update);
  }
}

function checkKey(key: string): void {
  if (typeof key === 'string' && key !== '') return;
  throw new RegistryError(
    'INVALID_NAME',
    `a property's key is a string with at least one character, not ${inspect(key)}`,
  );
}

/** Nobody gets this registration into his hands. */
const nobodysHost: RegistrationHost = {
  update: () => 0,
  remove: () => false,
  renew: () => false,
  isActive: () => false,
};
