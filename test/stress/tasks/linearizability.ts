import type { Ref } from '../../../src/engine/index.ts';
import { attachedRegistry } from '../../../src/engine/pool.ts';
import { Random } from '../../support/random.ts';
import { Word } from './told.ts';

const registry = attachedRegistry();

export interface LinearizabilityTask {
  readonly seed: number;
  readonly names: number;
  readonly rounds: number;
  readonly words: Int32Array;
}

export function live({ names, rounds, words }: LinearizabilityTask): void {
  try {
    for (let round = 1; round <= rounds; round++) liveOnce(names, round, words);
  } finally {
    Atomics.store(words, Word.done, 1);
  }
}

function liveOnce(names: number, round: number, words: Int32Array): void {
  // Odd while the counters are set back: readers take no conclusion from what they see then.
  Atomics.store(words, Word.round, 2 * round - 1);
  for (const word of [Word.told, Word.leaving, Word.gone, Word.updated]) Atomics.store(words, word, 0);
  Atomics.store(words, Word.round, 2 * round);
  const session = registry.owner();
  for (let n = 0; n < names; n++) {
    registry.register('name', `name ${n}`, { config: [round, 0], owner: n % 2 ? session : undefined });
    Atomics.store(words, Word.told, n + 1);
  }
  for (let n = 0; n < names; n++) {
    registry.update('name', `name ${n}`, [round, 1]);
    Atomics.store(words, Word.updated, n + 1);
  }
  for (let n = 0; n < names; n++) {
    Atomics.store(words, Word.leaving, n > names / 2 ? names : n + 1);
    registry.unregister('name', `name ${n}`);
    Atomics.store(words, Word.gone, n + 1);
    if (n !== names / 2) continue;
    // The second half of the odd names goes by the death of their owner, the rest by and by.
    Atomics.store(words, Word.leaving, names);
    session.close();
  }
}

export interface Checks {
  present: number;
  absent: number;
  stale: string[];
}

/** Looks names up, each in a way that may have cached what was before. */
export function watch({ seed, names, words }: LinearizabilityTask): Checks {
  const random = new Random(seed);
  const checks: Checks = { present: 0, absent: 0, stale: [] };
  const refs = Array.from({ length: names }, (_, n) => registry.ref('name', `name ${n}`));
  while (Atomics.load(words, Word.done) === 0 && checks.stale.length < 10) {
    const told = Atomics.load(words, Word.told);
    // Mostly names near the border, where what was cached is about to be wrong.
    const near = random.below(4) > 0 ? Math.max(0, told - 1 - random.below(3)) : random.below(names);
    check(near, refs, random.below(4), words, checks);
    const gone = Atomics.load(words, Word.gone);
    check(Math.max(0, gone - 1), refs, random.below(4), words, checks);
    check(Math.min(names - 1, told), refs, random.below(4), words, checks); // caches an absence
  }
  return checks;
}

function check(n: number, refs: readonly Ref[], way: number, words: Int32Array, checks: Checks): void {
  const roundBefore = Atomics.load(words, Word.round);
  const told = Atomics.load(words, Word.told);
  const gone = Atomics.load(words, Word.gone);
  const updated = Atomics.load(words, Word.updated);
  const found = lookUp(n, refs, way);
  const leaving = Atomics.load(words, Word.leaving);
  if (roundBefore % 2 === 1 || Atomics.load(words, Word.round) !== roundBefore) return;
  if (n < told && n >= leaving) {
    checks.present++;
    if (found === undefined) checks.stale.push(`name ${n}, told to be registered, is absent (way ${way})`);
    else if (found !== true && (found[0] !== roundBefore / 2 || (n < updated && found[1] !== 1))) {
      checks.stale.push(`name ${n} is ${found} in round ${roundBefore}, updated ${n < updated} (way ${way})`);
    }
  } else if (n < gone) {
    checks.absent++;
    if (found !== undefined) checks.stale.push(`name ${n}, told to be gone, is found as ${found} (way ${way})`);
  }
}

function lookUp(n: number, refs: readonly Ref[], way: number): readonly number[] | true | undefined {
  const id = `name ${n}`;
  if (way === 0) return registry.has('name', id) || undefined;
  const entry =
    way === 1 ? registry.whereis('name', id) : way === 2 ? refs[n].current() : registry.ref('name', id).current();
  return entry?.config as readonly number[] | undefined;
}
