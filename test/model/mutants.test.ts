// @timeout 600
// Proves the explorer: each deliberate break of the protocol is caught by some program.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { mutants } from './mutants.ts';
import { explorerPool } from './pool.ts';

const test = suite('mutants');
const pool = explorerPool();

for (const { name } of mutants) {
  const killer: Promise<string | undefined> = pool.run({ mutant: name }, { name: 'hunt' });
  killer.catch(() => {}); // its own test tells
  test(name, async () => assert.ok((await killer) !== undefined, 'it survived every program'));
}
test.after(() => pool.destroy());

test.run();
