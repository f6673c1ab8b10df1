import type { Ref } from '../../../src/engine/index.ts';
import { attachedRegistry } from '../../../src/engine/pool.ts';
import { Random } from '../../support/random.ts';
import { checkedConfig, expectWhole } from './configs.ts';

const registry = attachedRegistry();

export interface TornReadsTask {
  readonly seed: number;
  /** Names `first` to `first + names - 1`: each has one writer. */
  readonly first: number;
  readonly names: number;
  /** [0]: writers that still write. */
  readonly writing: Int32Array;
  readonly operations: number;
}

/** Changes its names in every way there is; `n` goes up at each change of a name. */
export function write({ seed, first, names, writing, operations }: TornReadsTask): number {
  const random = new Random(seed);
  let session = registry.owner();
  try {
    for (let n = 1; n <= operations; n++) {
      const id = `name ${first + random.below(names)}`;
      const config = checkedConfig(id, n);
      const choice = random.below(100);
      const owned = registry.whereis('name', id)?.owner.slot === session.slot;
      if (choice === 0) {
        session.close();
        session = registry.owner();
      } else if (choice < 15) registry.unregister('name', id);
      else if (registry.has('name', id) && !owned) registry.registerOrUpdate('name', id, { config });
      else registry.registerOrUpdate('name', id, { config, owner: owned || choice < 40 ? session : undefined });
    }
    session.close();
  } finally {
    Atomics.sub(writing, 0, 1);
  }
  return operations;
}

export interface ReadCounts {
  whereis: number;
  freshRef: number;
  heldRef: number;
  listed: number;
  absent: number;
}

/** Reads until nobody writes: every config is whole, and none is older than one that this thread has seen. */
export function read({ seed, names, writing }: TornReadsTask): ReadCounts {
  const random = new Random(seed);
  const counts: ReadCounts = { whereis: 0, freshRef: 0, heldRef: 0, listed: 0, absent: 0 };
  const newest = new Map<string, number>();
  const held: Ref[] = Array.from({ length: names }, (_, n) => registry.ref('name', `name ${n}`));
  const check = (id: string, entry: { id: string; config: unknown } | undefined, way: keyof ReadCounts) => {
    if (entry === undefined) {
      counts.absent++;
      return;
    }
    if (entry.id !== id) throw new Error(`"${id}" is answered with "${entry.id}"`);
    const { n } = expectWhole(id, entry.config);
    const before = newest.get(id) ?? 0;
    if (n < before) throw new Error(`"${id}" went back from ${before} to ${n}, seen by ${way}`);
    newest.set(id, n);
    counts[way]++;
  };
  while (Atomics.load(writing, 0) > 0) {
    for (let turn = 0; turn < 100; turn++) {
      const n = random.below(names);
      const id = `name ${n}`;
      const way = random.below(3);
      if (way === 0) check(id, registry.whereis('name', id), 'whereis');
      else if (way === 1) check(id, registry.ref('name', id).current(), 'freshRef');
      else check(id, held[n].current(), 'heldRef');
    }
    for (const entry of registry.list('name')) check(entry.id, entry, 'listed');
  }
  return counts;
}
