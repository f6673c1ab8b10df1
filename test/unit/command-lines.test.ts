// What our scripts say to a command line that they cannot run: one line, exit code 2, and nothing else happens.
import { execFile } from 'node:child_process';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const test = suite('command-lines');
const root = path.resolve(import.meta.dirname, '../..');

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(script: string, ...words: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [script, ...words], { cwd: root }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

const refused: readonly (readonly [script: string, words: readonly string[], says: RegExp])[] = [
  ['scripts/explore.ts', ['--walks', 'name'], /--walks is "name": a whole number from 1 on/],
  ['scripts/explore.ts', ['--walks', '0'], /--walks is "0"/],
  ['scripts/explore.ts', ['--bound', 'x'], /--bound is "x": a whole number from 0 on/],
  ['scripts/explore.ts', ['--walks', '5', '--seed='], /--seed is ""/],
  ['scripts/explore.ts', ['--seed', '5'], /--seed is of walks/],
  ['scripts/explore.ts', ['--walks', '5', '--bound', '2'], /only one of --walks, --bound/],
  ['scripts/explore.ts', ['no such name'], /no program is named no such name/],
  ['scripts/explore.ts', ['whereis', '--replay', '[]'], /--replay is of one program/],
  ['scripts/explore.ts', ['random 1', '--replay', '[[0,'], /--replay is \[\[0,: a list of/],
  ['scripts/explore.ts', ['random 1', '--replay', '[[0,-1]]'], /a list of \[thread, steps\] pairs/],
  ['scripts/torture.ts', ['--kills', 'many'], /--kills is "many": a whole number from 0 on/],
  ['scripts/torture.ts', ['--kills', '0'], /say --minutes N too/],
  ['scripts/torture.ts', ['--shards', '3'], /--shards is "3": a power of two from 1 to 256/],
  ['scripts/torture.ts', ['--threads', '1000'], /--threads is "1000": a whole number from 2 to \d+/],
  ['scripts/check.ts', ['--fastest'], /Unknown option '--fastest'/],
  ['scripts/test.ts', ['--node'], /'--node <value>' argument missing/],
  ['scripts/example.ts', [], /one example at a time/],
  ['scripts/example.ts', ['no-such-story'], /no example no-such-story: there are http-server, /],
  ['bench/main.ts', ['no-such-benchmark'], /no benchmark no-such-benchmark: there are/],
];

for (const [script, words, says] of refused) {
  test(`${script} ${words.join(' ')}`, async () => {
    const { code, stdout, stderr } = await run(script, ...words);
    assert.match(stderr, says);
    assert.match(stderr, /^[^\n]+ \(see --help\)\n$/);
    assert.is(stdout, '');
    assert.is(code, 2);
  });
}

test('a schedule that does not fit its program is refused, and not said to find nothing', async () => {
  const { code, stdout, stderr } = await run(
    'scripts/explore.ts',
    'absent: register | register',
    '--replay',
    '[[7,1]]',
  );
  assert.match(stderr, 'not a schedule of "absent: register | register": thread 7 is not there');
  assert.is(stdout, '');
  assert.is(code, 2);
});

test('a random program is walked through, as it is too large to be explored', async () => {
  const { code, stdout } = await run('scripts/explore.ts', 'random 1');
  assert.match(stdout, /random 1: 1000 interleavings, .* runs, walks at random/);
  assert.is(code, 0);
});

for (const script of [
  'scripts/explore.ts',
  'scripts/torture.ts',
  'scripts/check.ts',
  'scripts/example.ts',
  'scripts/test.ts',
  'bench/main.ts',
]) {
  test(`${script} --help`, async () => {
    const { code, stdout, stderr } = await run(script, '--help');
    assert.match(
      stdout,
      `npm ${script === 'scripts/test.ts' ? 'test' : `run ${path.basename(script, '.ts').replace('main', 'bench')}`}`,
    );
    assert.is(stderr, '');
    assert.is(code, 0);
  });
}

test.run();
