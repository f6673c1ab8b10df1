// @timeout 900
// Lanes and bells, in every interleaving within a bound on preemptions, with a kill or a cut after any write: nobody sleeps
// over a message, none is torn, doubled, lost or out of order, and none reaches another tenancy. Each mutant is caught.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadStepped, steppedMessages } from './load.ts';
import { MessageExplorer } from './message-explorer.ts';
import { messageMutants, messagePrograms } from './message-programs.ts';

const test = suite('messages');
const source = await loadStepped(undefined, steppedMessages);
let total = 0;

for (const program of messagePrograms) {
  test(program.name, () => {
    const interleavings = new MessageExplorer(source, program).explore();
    assert.ok(interleavings > 1, 'the threads met at all');
    total += interleavings;
  });
}

for (const mutant of messageMutants) {
  test(`mutant: ${mutant.name}`, async () => {
    const broken = await loadStepped(mutant, steppedMessages);
    const likely = messagePrograms.filter(({ name }) => name.startsWith(mutant.caughtBy as string));
    const rest = messagePrograms.filter((program) => !likely.includes(program));
    const killer = [...likely, ...rest].find((program) => {
      try {
        new MessageExplorer(broken, program).explore();
        return false;
      } catch {
        return true;
      }
    });
    assert.ok(killer !== undefined, 'it survived every program');
  });
}

test.after(() => console.log(`  ${messagePrograms.length} programs, ${total} interleavings`));
test.run();
