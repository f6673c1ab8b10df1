import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Report } from '../../src/cli/demo/report.ts';
import { demoCommand } from '../../src/cli/demo-command.ts';

/*
 * `rollcall demo`: it shows what it says it shows, and its checks can fail.
 */
const test = suite('demo');
const main = path.join(import.meta.dirname, '../../src/cli/main.ts');
const deadlineMs = 100_000;

function demo(env: NodeJS.ProcessEnv, ...args: string[]) {
  const colours = { NO_COLOR: undefined, FORCE_COLOR: undefined, ...env };
  return spawnSync(process.execPath, [main, 'demo', ...args], {
    encoding: 'utf8',
    env: { ...process.env, ...colours },
    timeout: deadlineMs,
  });
}

/** What the command prints about a tour of the test's own, and its exit code. */
async function report(tour: (report: Report) => Promise<void>): Promise<{ code: number; lines: string[] }> {
  const lines: string[] = [];
  const code = await demoCommand([], tour, (line) => lines.push(...stripVTControlCharacters(line).split('\n')));
  return { code, lines };
}

test('the tour passes all its checks, and ends by itself', () => {
  const { status, signal, stdout, stderr } = demo({ NO_COLOR: '1' });
  assert.is(signal, null);
  assert.is(stderr, '');
  assert.not.match(stdout, '✗');
  const checks = stdout.match(/^ {3}✓ /gm) ?? [];
  assert.match(stdout, `\n${checks.length} checks passed\n`);
  const steps = [...stdout.matchAll(/^\d\. (\w+)/gm)].map(([, first]) => first);
  assert.equal(steps, ['Six', 'Lookups', 'Groups', 'Transports', 'Messages', 'Failover', 'A']);
  for (const shown of [
    /^ {3}calculator {3}tools +server-1 \(thread \d+\)$/m,
    /a second calculator\? server "calculator" is registered by thread \d+/,
    /✓ mcp_prompt_servers +assistant, templates$/m,
    /✓ and calls it: 5 \+ 3 again, [\d.]+ ms after the kill began$/m,
    /^ {3}by reference +[\d,]+ +[\d,]+× +goes on$/m,
    /^ {3}a Map, by messages +[\d,]+ +1× +no answer$/m,
  ]) {
    assert.match(stdout, shown);
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
  assert.not.match(stdout, /\x1b/);
  assert.is(status, 0);
});

test('colours where they are wanted', () => {
  const { status, stdout } = demo({ FORCE_COLOR: '1' });
  assert.match(stdout, '\x1b[32m✓\x1b[39m');
  assert.is(status, 0);
});

test('a check that fails shows the difference, and ends with code 1', async () => {
  const { code, lines } = await report(async (report) => {
    report.step('Sums');
    report.check('one and one', 1 + 1, 2);
    report.check('a list', ['a'], ['a', 'b']);
  });
  assert.equal(lines, [
    '',
    '1. Sums',
    '   ✓ one and one',
    '   ✗ a list',
    "       expected [ 'a', 'b' ]",
    "       got      [ 'a' ]",
    '',
    '1 check passed, 1 failed',
  ]);
  assert.is(code, 1);
});

test('a tour that breaks off, or checks nothing, ends with code 1', async () => {
  const broken = await report(async () => {
    throw new Error('no thread');
  });
  assert.is(broken.code, 1);
  assert.match(broken.lines.join('\n'), /✗ this step broke off\n +Error: no thread/);
  assert.is((await report(async () => {})).code, 1);
});

test('help and wrong usage', () => {
  const help = demo({}, '--help');
  assert.match(help.stdout, /^Usage: rollcall demo/);
  assert.is(help.status, 0);
  for (const [args, says] of [
    [['--fast'], /^rollcall demo: Unknown option '--fast'/],
    [['quickly'], /^rollcall demo: Unexpected argument 'quickly'/],
  ] as const) {
    const { status, stdout, stderr } = demo({}, ...args);
    assert.match(stderr, says);
    assert.is(stdout, '');
    assert.is(status, 2);
  }
});

test.run();
