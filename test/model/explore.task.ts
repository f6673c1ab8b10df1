import { Random } from '../support/random.ts';
import { type Exploration, Explorer } from './explore.ts';
import { loadStepped } from './load.ts';
import { programNamed } from './programs.ts';

/* What a thread of the pool does: programs are independent, so each core explores its own. Errors come across with
 * their message, which for a counterexample has the schedule. */

const source = await loadStepped();

export interface ExploreTask {
  readonly name: string;
  readonly bound: number;
}

/** @throws {Counterexample} */
export function explore({ name, bound }: ExploreTask): Exploration {
  return new Explorer(source, programNamed(name), bound).explore();
}

export interface WalkTask {
  readonly name: string;
  readonly walks: number;
  readonly seed: number;
}

/** Random interleavings, with no bound. @throws {Counterexample} */
export function walk({ name, walks, seed }: WalkTask): Exploration {
  const random = new Random(seed);
  const explorer = new Explorer(source, programNamed(name), Number.POSITIVE_INFINITY);
  return explorer.walk(walks, (bound) => random.below(bound));
}
