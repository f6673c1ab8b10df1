// @timeout 600
// Proves the explorer: each deliberate break of the protocol is caught by some program.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Counterexample, Explorer } from './explore.ts';
import { loadStepped } from './load.ts';
import { mutants } from './mutants.ts';
import { programs } from './programs.ts';

const test = suite('mutants');

for (const mutant of mutants) {
  test(mutant.name, async () => {
    const source = await loadStepped(mutant);
    const bound = mutant.bound ?? 2;
    const likely = programs.filter(({ name }) => mutant.caughtBy !== undefined && name.startsWith(mutant.caughtBy));
    const rest = programs.filter((program) => !likely.includes(program));
    const killer = [...likely, ...rest].find((program) => {
      try {
        new Explorer(source, program, bound).explore();
        return false;
      } catch (error) {
        if (!(error instanceof Counterexample)) throw error;
        const replayed = new Explorer(source, program, bound);
        assert.throws(
          () => replayed.replay(error.schedule),
          (again: Error) => again instanceof Counterexample,
        );
        return true;
      }
    });
    assert.ok(killer !== undefined, 'it survived every program');
  });
}

test.run();
