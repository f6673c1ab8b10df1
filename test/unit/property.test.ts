import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { temporaryFiles } from '../support/fixtures.ts';

const root = path.resolve(import.meta.dirname, '../..');
const head = `
import fc from '${import.meta.resolve('fast-check')}';
import { suite } from '${import.meta.resolve('uvu')}';
import { property } from '${import.meta.resolve('../support/property.ts')}';
const test = suite('fixture');
`;
/** Its counterexample is as random as its seed, because nothing shrinks it. */
const unlucky = `${head}
property(test, 'always true', fc.property(fc.nat(), () => true));
property(test, "it's rarely false", fc.property(fc.noShrink(fc.integer()), (n) => n % 13 !== 0), { numRuns: 1000 });
test.run();
`;
const counting = `${head}
let runs = 0;
property(test, 'counts', fc.property(fc.nat(), () => { runs++; }), { numRuns: 20 });
test.after(() => console.log('runs ' + runs));
test.run();
`;
const commands = `${head}
class Add {
  constructor(n) { this.n = n; }
  check() { return true; }
  run(model, real) { model.sum += this.n; real.sum = (real.sum + this.n) % 5000; if (real.sum !== model.sum) throw new Error('differs'); }
  toString() { return 'add ' + this.n; }
}
const fresh = () => ({ model: { sum: 0 }, real: { sum: 0 } });
property(test, 'sums', fc.property(fc.commands([fc.nat(900).map((n) => new Add(n))]), (run) => fc.modelRun(fresh, run)), { numRuns: 2000 });
test.run();
`;

function node(file: string, env: NodeJS.ProcessEnv = {}): string {
  return spawnSync(process.execPath, [file], { cwd: root, encoding: 'utf8', env: { ...process.env, ...env } }).stdout;
}

/** Runs the file until it fails, then what it says replays the failure; answers both outputs. */
function failAndReplay(source: string): { first: string; command: string; second: string } {
  using fixtures = temporaryFiles({ 'a.mjs': source });
  const first = node(path.join(fixtures.dir, 'a.mjs'));
  const command = /^replay: (.*)$/m.exec(first)?.[1] ?? '';
  const second = spawnSync('sh', ['-c', command], { cwd: root, encoding: 'utf8' }).stdout;
  return { first, command, second };
}

const counterexample = (output: string): string | undefined => /Counterexample: (\[.*\])/.exec(output)?.[1];

const test = suite('property');

test('the printed command replays the counterexample at once', () => {
  const { first, command, second } = failAndReplay(unlucky);
  assert.match(command, /^ROLLCALL_SEED=\d+ ROLLCALL_PROPERTY='it'\\''s rarely false' ROLLCALL_PATH=\d+ npm test -- /);
  assert.ok(counterexample(first));
  assert.is(counterexample(second), counterexample(first));
  assert.match(second, /failed after 1 tests/);
  assert.match(second, /1 passed, 1 failed\n$/);
});

test('the printed command replays a shrunk list of commands', () => {
  const { first, command, second } = failAndReplay(commands);
  assert.not.match(command, /ROLLCALL_PATH/);
  assert.ok(counterexample(first));
  assert.is(counterexample(second), counterexample(first));
});

test('each run has a seed of its own and prints it; ROLLCALL_SEED sets it', () => {
  using fixtures = temporaryFiles({ 'a.mjs': counting });
  const file = path.join(fixtures.dir, 'a.mjs');
  const seeds = [node(file), node(file)].map((output) => /^seed \d+$/m.exec(output)?.[0]);
  assert.ok(seeds[0]);
  assert.is.not(seeds[0], seeds[1]);
  assert.match(node(file, { ROLLCALL_SEED: '42' }), /^seed 42$/m);
});

test('ROLLCALL_RUNS_FACTOR multiplies the runs', () => {
  using fixtures = temporaryFiles({ 'a.mjs': counting });
  const file = path.join(fixtures.dir, 'a.mjs');
  assert.match(node(file, { ROLLCALL_RUNS_FACTOR: '1' }), /runs 20$/m);
  assert.match(node(file, { ROLLCALL_RUNS_FACTOR: '2.5' }), /runs 50$/m);
  assert.match(node(file, { ROLLCALL_RUNS_FACTOR: '0.001' }), /runs 1$/m);
});

test('a property name that nothing has fails', () => {
  using fixtures = temporaryFiles({ 'a.mjs': counting });
  const env = { ...process.env, ROLLCALL_PROPERTY: 'misspelt' };
  const { status, stdout } = spawnSync(process.execPath, [path.join(fixtures.dir, 'a.mjs')], { encoding: 'utf8', env });
  assert.is(status, 1);
  assert.match(stdout, /no property is named "misspelt"/);
});

test.run();
