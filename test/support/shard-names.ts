import type { RegistryHandle } from '../../src/engine/index.ts';
import { Table } from '../../src/shared/table.ts';

/** Ids of a kind that lie in one shard of a registry: `count` of them, the same for the same arguments. */
export function idsInShard(handle: RegistryHandle, kind: string, shard: number, count: number): string[] {
  const table = new Table(handle);
  const kindId = table.kinds.intern(kind);
  const ids: string[] = [];
  for (let n = 0; ids.length < count; n++) {
    table.key.encode(kindId, `id ${n}`);
    if (table.shardOf(table.key.hash) === shard) ids.push(`id ${n}`);
  }
  table.detach();
  return ids;
}
