// The runner's promise: whatever goes wrong with a test file, the last line does not say "0 failed".
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { temporaryFiles } from '../support/fixtures.ts';

const root = path.resolve(import.meta.dirname, '../..');
const uvu = `import { suite } from '${import.meta.resolve('uvu')}'; const test = suite('fixture');`;
const oneTest = `${uvu} test('passes', () => {}); test.run();`;

/** Runs the runner over these fixture files; answers its lines. */
function runner(files: Record<string, string>, ...words: string[]): { lines: string[]; code: number | null } {
  using fixtures = temporaryFiles(files);
  const paths = Object.keys(files).map((name) => path.join(fixtures.dir, name));
  const args = [path.join(root, 'scripts/test.ts'), ...paths, ...words];
  const { stdout, status } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
  return { lines: stdout.trimEnd().split('\n'), code: status };
}

const test = suite('test-runner');

test('sums the tests of all files in its last line', () => {
  const { lines, code } = runner({ 'a.mjs': oneTest, 'b.mjs': `${oneTest} test('again', () => {}); test.run();` });
  assert.is(lines.at(-1), '3 passed, 0 failed');
  assert.is(code, 0);
});

test('shows what a failing file printed', () => {
  const { lines, code } = runner({
    'a.mjs': `${uvu} test('a', () => {}); test('b', () => { console.log('hint'); throw new Error('no'); }); test.run();`,
  });
  assert.is(lines.at(-1), '1 passed, 1 failed');
  assert.is(code, 1);
  assert.ok(lines.some((line) => line.includes('hint')));
});

test('names the files and tests that failed once more, just before the last line', () => {
  const { lines } = runner({
    'a.mjs': `${uvu} test('a', () => {}); test('b', () => { throw new Error('no'); }); test.run();`,
    'b.mjs': oneTest,
    'c.mjs': '',
    'd.mjs': `${uvu} test('e "f"', () => { throw new Error('no'); }); test('g', () => { throw new TypeError('no'); }); test.run();`,
  });
  const names = lines.slice(
    lines.findIndex((line) => line.startsWith('failed: ')),
    -1,
  );
  assert.equal(
    names.map((line) => line.replace(/^failed: .*\//, 'failed: ').trim()),
    ['failed: a.mjs', 'fixture  "b"', 'failed: c.mjs', 'failed: d.mjs', 'fixture  "e "f""', 'fixture  "g"'],
  );
  assert.is(lines.at(-1), '2 passed, 4 failed');
});

test('says which Node.js runs the tests, and fails where it cannot have the one that is asked for', () => {
  const printed = `${oneTest} console.log('runs', process.version);`;
  assert.is(runner({ 'a.mjs': printed }).lines[0], `Node.js ${process.version}`);
  const { lines, code } = runner({ 'a.mjs': printed }, '--node', '23');
  assert.match(lines[0], /^FAIL no Node\.js 23 to test with: --node takes 26/);
  assert.is(lines.at(-1), '0 passed, 1 failed');
  assert.is(code, 1);
});

const broken: Record<string, { source: string; last: string; says: RegExp }> = {
  'no test at all': { source: '', last: '0 passed, 1 failed', says: /without a summary/ },
  'an empty suite': { source: `${uvu} test.run();`, last: '0 passed, 1 failed', says: /ran no test/ },
  'a forgotten run()': {
    source: `${uvu} test('a', () => {});`,
    last: '0 passed, 1 failed',
    says: /without a summary/,
  },
  'a before hook that throws': {
    source: `${uvu} test.before(() => { throw new Error('no'); }); test('a', () => {}); test.run();`,
    last: '0 passed, 1 failed',
    says: /a hook threw/,
  },
  'a promise that nobody settles': {
    source: `${uvu} test('a', () => new Promise(() => {})); test.run();`,
    last: '0 passed, 1 failed',
    says: /exit code/,
  },
  'an early exit(0)': {
    source: `${uvu} test('a', () => process.exit(0)); test.run();`,
    last: '0 passed, 1 failed',
    says: /exit code 1|without a summary/,
  },
  'a crash after the tests': {
    source: `${oneTest} process.on('exit', () => process.exit(7));`,
    last: '1 passed, 1 failed',
    says: /all tests passed, then it ended with exit code 7/,
  },
  'a syntax error': { source: 'const = 1;', last: '0 passed, 1 failed', says: /exit code 1/ },
  'something that never ends': {
    source: '// @timeout 1\nsetInterval(() => {}, 1000);',
    last: '0 passed, 1 failed',
    says: /timed out after 1 s/,
  },
};

for (const [name, { source, last, says }] of Object.entries(broken)) {
  test(`fails a file with ${name}`, () => {
    const { lines, code } = runner({ 'a.mjs': source });
    assert.is(lines.at(-1), last);
    assert.is(code, 1);
    assert.match(lines.find((line) => line.startsWith('FAIL')) ?? '', says);
  });
}

test('a time-out ends the children of the file too', () => {
  const { lines } = runner({
    'a.mjs': `// @timeout 3
import { spawn } from 'node:child_process';
const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' });
console.log('child ' + child.pid);`,
  });
  const pid = Number(/child (\d+)/.exec(lines.join('\n'))?.[1]);
  assert.ok(pid > 0);
  assert.not.ok(isRunning(pid));
});

test('fails a word that selects nothing', () => {
  const { lines, code } = runner({ 'a.mjs': oneTest }, 'no-such-file');
  assert.is(lines.at(-1), '1 passed, 1 failed');
  assert.is(code, 1);
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const stat = `/proc/${pid}/stat`; // where the dead wait for their new parent to notice
  return !(existsSync(stat) && /\) Z /.test(readFileSync(stat, 'utf8')));
}

test.run();
