import { Shard } from '../../src/shared/layout.ts';
import { idOf, indexSize, indexStart } from '../../src/shared/name-index.ts';
import { kind } from './fixtures.ts';
import type { Internals } from './internals.ts';

/** Index words a lookup of a registered name looks at, in a table at rest. */
export function probesOf({ table }: Internals, id: string): number {
  const { key } = table;
  key.encode(table.kinds.find(kind), id);
  const reader = table.readers[table.shardOf(key.hash)];
  const record = reader.find(key);
  if (record === 0) throw new Error(`${id} is not registered`);
  const { control, at, index } = reader.memory;
  const descriptor = control[at + Shard.descriptor];
  const size = indexSize(descriptor);
  let slot = key.hash & (size - 1);
  for (let probes = 1; probes <= size; probes++, slot = (slot + 1) & (size - 1)) {
    if (idOf(index[indexStart(descriptor) + slot]) === record) return probes;
  }
  throw new Error(`${id} is in no index`);
}
