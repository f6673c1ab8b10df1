import type { EncodedConfig } from '../shared/codec.ts';
import { RegistryError } from '../shared/errors.ts';
import type { IfHeld } from '../shared/shard.ts';
import type { Table } from '../shared/table.ts';
import type { Life } from './life.ts';
import { Owner } from './owner.ts';
import type { Registration } from './registration.ts';
import type { Resolver } from './resolver.ts';
import { checkSize, type Writes } from './writes.ts';

/** @internal What a registry shares with what hangs off it. */
export interface Parts {
  readonly table: Table;
  readonly life: Life;
  readonly resolver: Resolver;
  /** Owns what no other owner is given for: this thread. */
  readonly self: Owner;
  readonly writes: Writes;
}

/** @internal @throws {RegistryError} `INVALID_OPTION` */
export function checkOwner(table: Table, owner: Owner): void {
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
  if (config !== undefined) checkSize(parts.table, config, kind, id);
  owner.checkAlive(kind, id);
  return owner.register(parts.writes, kind, id, config, ifHeld);
}
