// npm test: each test file in a process of its own. See `usage`.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { glob, readFile } from 'node:fs/promises';
import path from 'node:path';
import { parseCommandLine } from './lib/command-line.ts';
import { nodeOf } from './lib/node.ts';
import { lanes, root } from './lib/run.ts';
import { type FileResult, judge } from './lib/verdict.ts';

const timeoutDefaultSeconds = 120;
const usage = `npm test                        every test/**/*.test.ts
npm test -- unit property       the files of test/unit and test/property
npm test -- name-table          the files whose path contains this
npm test -- test/unit/a.test.ts this very file, whatever its name
npm test -- --verbose unit      also shows what passing files print
npm test -- --list              only lists the files
npm test -- --node 26 model     runs them with Node.js 26, which npm brings at the first time

A file may take ${timeoutDefaultSeconds} seconds; \`// @timeout 300\` among its first lines allows more.
A file that runs no test fails. Node.js 24, which npm installs, and 26 are what Rollcall is tested with.`;

const outputCharsMax = 1_000_000;
const pipesGraceMs = 2000;
/** Groups whose files run one at a time, beside nothing else: they load the machine or race against clocks. */
const aloneGroups = new Set(['model', 'stress', 'gateway', 'e2e']);

const { values: flags, positionals: wanted } = parseCommandLine({
  allowPositionals: true,
  options: {
    help: { type: 'boolean', short: 'h' },
    list: { type: 'boolean' },
    node: { type: 'string' },
    verbose: { type: 'boolean' },
  },
});

const running = new Set<ChildProcess>();
/** What runs the test files, and by `process.execPath` and the path all that they start. */
let node = process.execPath;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    for (const child of running) killGroup(child);
    process.exit(1);
  });
}

if (flags.help) console.log(usage);
else process.exitCode = await main();

async function main(): Promise<number> {
  const found = (await Array.fromAsync(glob('test/**/*.test.ts', { cwd: root }))).map(slashed).sort();
  const all = [...new Set([...found, ...wanted.filter(isFile).map(slashed)])];
  const unknown = wanted.filter((word) => !all.some((file) => selects(word, file)));
  const files = wanted.length === 0 ? all : all.filter((file) => wanted.some((word) => selects(word, file)));
  if (flags.list) {
    console.log(files.join('\n'));
    return 0;
  }

  if (flags.node !== undefined) {
    try {
      node = await nodeOf(flags.node);
    } catch (error) {
      console.log(`FAIL no Node.js ${flags.node} to test with: ${(error as Error).message}\n0 passed, 1 failed`);
      return 1;
    }
  }
  console.log(`Node.js ${execFileSync(node, ['--version'], { encoding: 'utf8' }).trim()}`);

  const results = new Map<string, FileResult>();
  const runNext = async (queue: string[]): Promise<void> => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) results.set(file, await runFile(file));
  };
  const together = files.filter((file) => !aloneGroups.has(groupOf(file)));
  await Promise.all(Array.from({ length: lanes }, () => runNext(together)));
  await runNext(files.filter((file) => aloneGroups.has(groupOf(file))));

  for (const word of unknown) console.log(`FAIL no test file matches "${word}"`);
  if (files.length === 0 && unknown.length === 0) console.log('FAIL there is no test file');
  for (const file of files) {
    const { failed, failures } = results.get(file)!; // in their order, not in that in which they ended
    if (failed > 0) console.log([`failed: ${file}`, ...failures].join('\n          '));
  }
  const sum = (key: 'passed' | 'failed'): number => [...results.values()].reduce((total, one) => total + one[key], 0);
  const failed = sum('failed') + unknown.length + (files.length === 0 && unknown.length === 0 ? 1 : 0);
  console.log(`${sum('passed')} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

async function runFile(file: string): Promise<FileResult> {
  const timeoutSeconds = await allowedSeconds(file);
  const startedMs = performance.now();
  const PATH = `${path.dirname(node)}${path.delimiter}${process.env.PATH}`;
  const child = spawn(node, [file], {
    cwd: root,
    env: { ...process.env, PATH, NO_COLOR: '1', FORCE_COLOR: undefined },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // a process group of its own, so that a time-out ends its children too, and only them
  });
  running.add(child);
  let output = '';
  const keep = (chunk: string): void => {
    output = (output + chunk).slice(-outputCharsMax);
  };
  child.stdout.setEncoding('utf8').on('data', keep);
  child.stderr.setEncoding('utf8').on('data', keep);

  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    killGroup(child);
  }, timeoutSeconds * 1000);
  const end = await new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('exit', () => {
      killGroup(child);
      // A child that left the group may still hold the pipes open; nobody waits for that one.
      setTimeout(() => [child.stdout, child.stderr].forEach((pipe) => void pipe.destroy()), pipesGraceMs).unref();
    });
    child.on('close', (code, signal) => resolve(code === 0 ? '' : `ended with ${signal ?? `exit code ${code}`}`));
  });
  clearTimeout(timer);
  running.delete(child);

  const result = judge(output, timedOut ? `timed out after ${timeoutSeconds} s` : end);
  report(file, result, output, performance.now() - startedMs);
  return result;
}

function report(file: string, result: FileResult, output: string, tookMs: number): void {
  const skipped = result.skipped > 0 ? `, ${result.skipped} skipped` : '';
  const counts = `${result.passed} passed, ${result.failed} failed${skipped}`;
  const seed = /^seed -?\d+$/m.exec(output)?.[0];
  const details = [counts, `${(tookMs / 1000).toFixed(1)} s`, seed, result.problem].filter(Boolean).join(' · ');
  console.log(`${result.failed > 0 ? 'FAIL' : 'ok  '} ${file} (${details})`);
  if (result.failed > 0 || flags.verbose) console.log(output.trimEnd().replaceAll(/^/gm, '     | '));
}

/** The process group is the child's own: nothing that somebody else started is in it. */
function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // the group is gone already
  }
}

async function allowedSeconds(file: string): Promise<number> {
  const head = (await readFile(path.resolve(root, file), 'utf8')).slice(0, 2000);
  return Number(/^\/\/ @timeout (\d+)$/m.exec(head)?.[1] ?? timeoutDefaultSeconds);
}

/** A word that names a folder of test/ means that folder; one that names a file, that file; else a part of a path. */
function selects(word: string, file: string): boolean {
  if (isFile(word)) return file === slashed(word);
  return existsSync(path.join(root, 'test', word, '.')) ? groupOf(file) === word : file.includes(slashed(word));
}

function isFile(word: string): boolean {
  return statSync(path.resolve(root, word), { throwIfNoEntry: false })?.isFile() ?? false;
}

function groupOf(file: string): string {
  return file.split('/')[1];
}

function slashed(file: string): string {
  return file.replaceAll('\\', '/');
}
