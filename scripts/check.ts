// npm run check: types, lint, format, then the package as it would be published. See `usage`.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseCommandLine } from './lib/command-line.ts';
import { run } from './lib/run.ts';
import { pack } from './pack.ts';

const usage = `npm run check            types, lint, format; then the package as it would be published: its build, publint, attw
npm run check -- --fast  types, lint, format

One line for each check, and what it found where it fails. Exit code 1: a check fails.
\`npm run format\` mends format, the order of imports, and what lint can.`;

const { values } = parseCommandLine({
  options: { fast: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
});

let ok = 0;
let failing = 0;

async function check(name: string, work: () => Promise<unknown>): Promise<boolean> {
  const startedMs = performance.now();
  const error = await work().then(
    () => undefined,
    (error: Error) => error,
  );
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  console.log(`${error ? 'FAIL' : 'ok  '} ${name} (${seconds} s)`);
  if (error) console.log(error.message.trimEnd().replaceAll(/^/gm, '     '));
  error ? failing++ : ok++;
  return error === undefined;
}

function checkSource(): Promise<unknown> {
  return Promise.all([
    check('types', () => run('tsc', ['--noEmit', '--pretty', 'false'])),
    check('lint', () => run('biome', ['lint', '--error-on-warnings', '.'])),
    check('format', () => run('biome', ['check', '--linter-enabled=false', '--reporter=summary', '.'])),
  ]);
}

async function checkPackage(): Promise<void> {
  const workDir = await mkdtemp(path.join(tmpdir(), 'rollcall-check-'));
  try {
    let tarball = '';
    const packed = await check('build and pack', async () => {
      tarball = await pack(workDir);
    });
    if (packed) {
      await Promise.all([
        check('publint', () => run('publint', ['run', tarball, '--strict'])),
        check('attw', () => run('attw', [tarball, '--profile', 'esm-only', '--no-emoji', '--format', 'ascii'])),
      ]);
    }
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}

async function main(): Promise<number> {
  await checkSource();
  if (!values.fast) await checkPackage();
  console.log(`checks: ${ok} ok, ${failing} failing`);
  return failing === 0 ? 0 : 1;
}

if (values.help) console.log(usage);
else process.exitCode = await main();
