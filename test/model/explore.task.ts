import { Random } from '../support/random.ts';
import { Counterexample, type Exploration, Explorer } from './explore.ts';
import { loadStepped } from './load.ts';
import { mutants } from './mutants.ts';
import { programNamed, programs } from './programs.ts';

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

/** Looks for a program that catches a mutant. @returns its name, or nothing when the mutant survives them all
 *  @throws when what was found is not found again by its schedule */
export async function hunt({ mutant: name }: { readonly mutant: string }): Promise<string | undefined> {
  const mutant = mutants.find((one) => one.name === name)!;
  const source = await loadStepped(mutant);
  const bound = mutant.bound ?? 2;
  const likely = programs.filter(({ name }) => mutant.caughtBy !== undefined && name.startsWith(mutant.caughtBy));
  const rest = programs.filter((program) => !likely.includes(program));
  for (const program of [...likely, ...rest]) {
    const found = counterexample(() => new Explorer(source, program, bound).explore());
    if (found === undefined) continue;
    const again = counterexample(() => new Explorer(source, program, bound).replay(found.schedule));
    if (again === undefined) throw new Error(`${program.name} failed, and did not when replayed: ${found.message}`);
    return program.name;
  }
  return undefined;
}

function counterexample(run: () => unknown): Counterexample | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (error instanceof Counterexample) return error;
    throw error;
  }
}
