import { type EncodedConfig, encodeConfig, type JsonInput } from '../shared/codec.ts';
import { RegistryError } from '../shared/errors.ts';
import { Header } from '../shared/layout.ts';
import { quote } from '../shared/name-key.ts';
import { ANY, type Shard, versionToken } from '../shared/shard.ts';
import { Outcome } from '../shared/shard-mutations.ts';
import type { Table } from '../shared/table.ts';
import { tableFull } from './errors.ts';
import type { Life } from './life.ts';
import type { Monitors } from './monitors.ts';
import { checkVersion } from './options.ts';
import type { Registration, RegistrationHost } from './registration.ts';

/** @internal Readers take a longer config for damage. @throws {RegistryError} `CONFIG_TOO_LARGE` */
export function checkSize(table: Table, { byteLength }: EncodedConfig, kind: string, id: string): void {
  const max = table.control[Header.configBytesMax];
  if (byteLength <= max) return;
  throw new RegistryError(
    'CONFIG_TOO_LARGE',
    `${kind} ${quote(id)}: its config takes ${byteLength} bytes; configBytesMax is ${max}`,
  );
}

/** @internal What is done to entries that there are: by name, or by the registration somebody holds. */
export class Writes implements RegistrationHost {
  readonly #table: Table;
  readonly #life: Life;
  readonly #monitors: Monitors;

  constructor(table: Table, life: Life, monitors: Monitors) {
    this.#table = table;
    this.#life = life;
    this.#monitors = monitors;
  }

  /** @throws {RegistryError} `CONFIG_TOO_LARGE`, `INVALID_CONFIG` */
  encode(kind: string, id: string, config: JsonInput | undefined): EncodedConfig | undefined {
    if (config === undefined) return undefined;
    const encoded = encodeConfig(config);
    checkSize(this.#table, encoded, kind, id);
    return encoded;
  }

  /** @returns the entry's new version, or 0 when it was not the expected one. */
  updateName(kind: string, id: string, expected: number, config: JsonInput | undefined): number {
    this.#life.checkOpen();
    const encoded = this.encode(kind, id, config);
    const { key, kinds, shards } = this.#table;
    const kindId = kinds.find(kind);
    key.encode(kindId, id);
    const shard = shards[this.#table.shardOf(key.hash)];
    const outcome = kindId === 0 ? Outcome.notFound : shard.update(key, expected, encoded);
    return this.#updated(outcome, kind, id, shard, expected);
  }

  /** @returns whether there was such a name. */
  removeName(kind: string, id: string): boolean {
    this.#life.checkOpen();
    const { key, kinds, shards } = this.#table;
    const kindId = kinds.find(kind);
    key.encode(kindId, id);
    if (kindId === 0) return false;
    this.#monitors.beforeRemoval();
    return this.#removed(shards[this.#table.shardOf(key.hash)].unregister(key));
  }

  update(registration: Registration, expected: number | undefined, config: JsonInput | undefined): number {
    const { kind, id, record, born } = registration;
    this.#life.checkOpen();
    const version = expected === undefined ? ANY : checkVersion(expected);
    const encoded = this.encode(kind, id, config);
    const shard = this.#table.shards[registration.shard];
    return this.#updated(shard.updateRecord(record, born, version, encoded), kind, id, shard, version);
  }

  remove({ shard, record, born }: Registration): boolean {
    if (this.#life.closed || this.#table.closed) return false;
    this.#monitors.beforeRemoval();
    return this.#removed(this.#table.shards[shard].unregisterRecord(record, born));
  }

  renew({ shard, record, born }: Registration, ttl: number): boolean | undefined {
    this.#life.checkOpen();
    const outcome = this.#table.shards[shard].renewRecord(record, born, ttl);
    return outcome === Outcome.changed ? undefined : outcome === Outcome.done;
  }

  isActive({ shard, record, born }: Registration): boolean {
    return this.#table.readers[shard].isRegistration(record, born);
  }

  #updated(outcome: Outcome, kind: string, id: string, shard: Shard, expected: number): number {
    if (outcome === Outcome.done) return versionToken(shard.record, shard.version);
    if (outcome === Outcome.full) throw tableFull('update', kind, id, shard);
    if (outcome === Outcome.changed || expected !== ANY) return 0;
    throw new RegistryError('NOT_FOUND', `update ${kind} ${quote(id)}: it is not registered (any more)`);
  }

  #removed(outcome: Outcome): boolean {
    if (outcome === Outcome.done) this.#monitors.afterRemoval();
    return outcome === Outcome.done;
  }
}
