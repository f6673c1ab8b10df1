import { attachedRegistry } from '../../../src/engine/pool.ts';
import { Random } from '../../support/random.ts';

const registry = attachedRegistry();

export interface FillTask {
  readonly seed: number;
  readonly names: number;
  readonly operations: number;
  readonly config: string;
}

export interface FillResult {
  readonly held: string[];
  readonly full: number;
  readonly taken: number;
}

const codeOf = (error: unknown) => (error as { code?: string }).code;

/** Registers more than there is room for, and takes back now and then: who is refused has lost nothing. */
export function fill({ seed, names, operations, config }: FillTask): FillResult {
  const random = new Random(seed);
  const held = new Set<string>();
  let [full, taken] = [0, 0];
  for (let n = 0; n < operations; n++) {
    const id = `name ${random.below(names)}`;
    if (held.has(id)) {
      if (registry.whereis('name', id)?.config !== config) throw new Error(`"${id}" is lost`);
      if (random.below(3) === 0 && held.delete(id) && !registry.unregister('name', id))
        throw new Error(`"${id}" is lost`);
      continue;
    }
    try {
      if (registry.tryRegister('name', id, { config }).ok) held.add(id);
      else taken++;
    } catch (error) {
      if (codeOf(error) !== 'TABLE_FULL') throw error;
      full++;
    }
  }
  return { held: [...held], full, taken };
}

/** Works until the registry is closed under it. @returns what it was told then. */
export function untilClosed({ seed, started }: { seed: number; started: Int32Array }): {
  code?: string;
  calls: number;
} {
  const random = new Random(seed);
  const ref = registry.ref('name', 'name 1');
  let calls = 0;
  try {
    for (; ; calls++) {
      if (calls === 1_000) Atomics.add(started, 0, 1);
      const id = `name ${random.below(50)}`;
      const choice = random.below(6);
      if (choice === 0) registry.tryRegister('name', id, { config: 'x'.repeat(random.below(20_000)) });
      else if (choice === 1) registry.unregister('name', id);
      else if (choice === 2) registry.whereis('name', id);
      else if (choice === 3) ref.current();
      else if (choice === 4) registry.owner().close();
      else for (const _ of registry.list('name'));
    }
  } catch (error) {
    return { code: codeOf(error), calls };
  }
}

export interface GrowTask {
  readonly from: number;
  readonly to: number;
  /** Per inserter: up to where it has registered. */
  readonly told: Int32Array;
  readonly inserter: number;
}

export function grow({ from, to, told, inserter }: GrowTask): number {
  for (let n = from; n < to; n++) {
    registry.register('name', `name ${n}`, { config: n });
    Atomics.store(told, inserter, n + 1 - from);
  }
  return to - from;
}

export interface LookDuringGrowthTask {
  readonly seed: number;
  readonly perInserter: number;
  readonly told: Int32Array;
}

/** Looks for names that were told to be there, until all are. */
export function lookDuringGrowth({ seed, perInserter, told }: LookDuringGrowthTask): { found: number; listed: number } {
  const random = new Random(seed);
  let [found, listed, turns] = [0, 0, 0];
  for (let done = false; !done; turns++) {
    done = told.every((_, inserter) => Atomics.load(told, inserter) === perInserter);
    for (let inserter = 0; inserter < told.length; inserter++) {
      const there = Atomics.load(told, inserter);
      if (there === 0) continue;
      const n = inserter * perInserter + (random.below(2) ? there - 1 : random.below(there));
      const id = `name ${n}`;
      const config = random.below(2)
        ? registry.whereis('name', id)?.config
        : registry.ref('name', id).current()?.config;
      if (config !== n) throw new Error(`"${id}" of ${there} is ${config}`);
      found++;
    }
    if (turns % 20_000 !== 0) continue;
    const before = told.reduce((sum, _, inserter) => sum + Atomics.load(told, inserter), 0);
    const ids = new Set<string>();
    for (const { id } of registry.list('name')) ids.add(id);
    if (ids.size < before) throw new Error(`${ids.size} listed of ${before}`);
    listed += ids.size;
  }
  return { found, listed };
}
