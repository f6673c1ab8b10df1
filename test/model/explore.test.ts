// @timeout 600
// Every interleaving, within a bound on preemptions, of small programs over the source of src/shared: each history is
// linearizable and each byte of memory is accounted for, also when a thread is killed at any of its writes.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Explorer } from './explore.ts';
import { loadStepped } from './load.ts';
import { programs } from './programs.ts';

const test = suite('interleavings');
const source = await loadStepped();
/** Three threads with a kill are explored to the bound of 3 by `npm run explore`. */
const boundOf = (name: string): number => (name.startsWith('three threads: update killed') ? 2 : 3);
let interleavings = 0;
let states = 0;

for (const program of programs) {
  test(program.name, () => {
    const found = new Explorer(source, program, boundOf(program.name)).explore();
    assert.ok(found.interleavings > 1, 'the threads met at all');
    interleavings += found.interleavings;
    states += found.states;
  });
}
test.after(() => console.log(`  ${programs.length} programs, ${interleavings} interleavings, ${states} states`));

test.run();
