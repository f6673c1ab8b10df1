import type { EncodedConfig } from '../shared/codec.ts';
import { RegistryError } from '../shared/errors.ts';
import { Header } from '../shared/layout.ts';
import { quote } from '../shared/name-key.ts';
import type { IfHeld } from '../shared/shard.ts';
import { Outcome } from '../shared/shard-mutations.ts';
import type { Table } from '../shared/table.ts';
import { closed, ownerDead, tableFull } from './errors.ts';
import type { Life } from './life.ts';
import { Owner } from './owner.ts';
import { Registration, type RegistrationHost } from './registration.ts';
import type { Resolver } from './resolver.ts';

/** @internal What a registry shares with what hangs off it. */
export interface Parts {
  readonly table: Table;
  readonly life: Life;
  readonly resolver: Resolver;
  /** Owns what no other owner is given for: this thread. */
  readonly self: Owner;
  readonly host: RegistrationHost;
}

/** @internal @throws {RegistryError} `CLOSED` */
export function checkOpen({ table, life }: Parts): void {
  if (!life.closed && !table.closed) return;
  throw closed();
}

/** @internal @throws {RegistryError} `INVALID_OPTION` */
export function checkOwner({ table }: Parts, owner: Owner): void {
  if (Owner.belongs(owner, table)) return;
  throw new RegistryError('INVALID_OPTION', 'owner is not of this registry in this thread: use registry.owner()');
}

/**
 * @internal Registers an entry of one of the registry's own kinds, under the name that the table's key has, or gives it another
 * config if `owner` has it. `kind` and `id` are for people.
 * @returns undefined when another living owner has it, and keeps it
 * @throws {RegistryError} `CONFIG_TOO_LARGE`, `TABLE_FULL`, `OWNER_DEAD`, `CLOSED`, `BUSY`
 */
export function registerOwn(
  parts: Parts,
  owner: Owner,
  kind: string,
  id: string,
  config: EncodedConfig | undefined,
  ifHeld: IfHeld,
): Registration | undefined {
  const { table, self, host } = parts;
  const { key } = table;
  const max = table.control[Header.configBytesMax]; // readers take a longer one for damage
  if (config !== undefined && config.byteLength > max) {
    throw new RegistryError(
      'CONFIG_TOO_LARGE',
      `${kind} ${quote(id)}: its names take ${config.byteLength} bytes; configBytesMax is ${max}`,
    );
  }
  if (!owner.alive) {
    checkOpen(parts);
    throw ownerDead(kind, id);
  }
  owner.registers();
  try {
    const shardNumber = table.shardOf(key.hash);
    const shard = table.shards[shardNumber];
    const outcome = shard.register(key, owner.slot, owner.epoch, config, ifHeld);
    if (outcome === Outcome.taken) return undefined;
    if (outcome === Outcome.full) throw tableFull('register', kind, id, shard);
    const registration = new Registration(host, kind, id, shardNumber, shard.record, shard.born);
    if (!owner.alive) {
      shard.sweepRecord(registration.record, registration.born); // it died meanwhile: leave no entry
      checkOpen(parts);
      throw ownerDead(kind, id);
    }
    if (owner !== self) {
      owner.track(registration);
      registration.cleanups.push(() => owner.forget(registration));
    }
    return registration;
  } finally {
    owner.registered();
  }
}
