// @timeout 1200
// Every interleaving, within a bound on preemptions, of small programs over the source of src/shared: each history is
// linearizable and each byte of memory is accounted for, also when a thread is killed at any of its writes.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Exploration } from './explore.ts';
import { explorerPool } from './pool.ts';
import { boundOf, programs } from './programs.ts';

const test = suite('interleavings');
const pool = explorerPool();
const total = { interleavings: 0, runs: 0, states: 0 };

for (const program of programs) {
  const exploration: Promise<Exploration> = pool.run(
    { name: program.name, bound: boundOf(program) },
    { name: 'explore' },
  );
  exploration.catch(() => {}); // its own test tells
  test(program.name, async () => {
    const found = await exploration;
    assert.ok(found.interleavings > 1, 'the threads met at all');
    total.interleavings += found.interleavings;
    total.runs += found.runs;
    total.states += found.states;
  });
}
test.after(async () => {
  await pool.destroy();
  const { interleavings, runs, states } = total;
  console.log(`  ${programs.length} programs, ${interleavings} interleavings, ${states} states, ${runs} runs`);
});

test.run();
