// @timeout 400
// What users install: the packed tarball, as a dependency of an app and bundled into one.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { pack } from '../../scripts/pack.ts';

const exec = promisify(execFile);
const root = path.resolve(import.meta.dirname, '../..');
const deadlineMs = 120_000;

/** Main thread and worker in one file, so that a bundle of it is one file too. */
const app = `
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { Registry } from 'rollcall';

if (isMainThread) {
  await using registry = await Registry.open();
  const worker = new Worker(new URL(import.meta.url), { workerData: registry.handle });
  await once(worker, 'message');
  console.log('found', JSON.stringify(registry.whereis('server', 'billing')?.config));
  await worker.terminate();
  while (registry.has('server', 'billing')) await setTimeout(5);
  console.log('gone');
} else {
  const registry = Registry.attach(workerData);
  registry.register('server', 'billing', { config: { port: 7400 } });
  parentPort.postMessage('registered');
  parentPort.on('message', () => {});
}
`;
const appPrints = 'found {"port":7400}\ngone\n';

const poolApp = `
import { fileURLToPath } from 'node:url';
import { Registry } from 'rollcall';
import { createPool } from 'rollcall/piscina';

const registry = await Registry.open();
const pool = createPool(registry, { filename: new URL('./task.mjs', import.meta.url).href });
await pool.run('billing');
console.log(registry.has('server', 'billing'));
await pool.destroy();
await registry.close();
`;
const poolTask = `
import { attachedRegistry } from 'rollcall/piscina';
export default (id) => { attachedRegistry().register('server', id); };
`;

const typedApp = `
import { type Entry, Registry, RegistryError } from 'rollcall';
import { createPool } from 'rollcall/piscina';

await using registry = await Registry.open({ shards: 4 });
const entry: Entry | undefined = registry.whereis('server', 'billing');
const port: number | undefined = registry.whereis<{ port: number }>('server', 'billing')?.config?.port;
const known: boolean = port !== undefined || registry.has('server', entry?.id ?? 'none');
// @ts-expect-error: a kind is a string
registry.has(1, 'billing');
// @ts-expect-error: a pool needs to know its task
createPool(registry, {});
export const failed = (error: unknown): boolean => error instanceof RegistryError && known;
`;

const test = suite('package');
// Not in a `before` hook: uvu prints nothing of what goes wrong there.
const dir = await mkdtemp(path.join(tmpdir(), 'rollcall-package-'));
await exec('tar', ['-xzf', await pack(dir), '-C', dir]);

test.after(() => rm(dir, { recursive: true, force: true }));

/** An app that has the package installed as npm would, with only the dependencies it names in these fields. */
async function install(name: string, files: Record<string, string>, fields: readonly string[]): Promise<string> {
  const appDir = path.join(dir, name);
  const modules = path.join(appDir, 'node_modules');
  await mkdir(path.join(modules, '.bin'), { recursive: true });
  await cp(path.join(dir, 'package'), path.join(modules, 'rollcall'), { recursive: true });
  const manifest = JSON.parse(await readFile(path.join(modules, 'rollcall/package.json'), 'utf8'));
  for (const dependency of fields.flatMap((field) => Object.keys(manifest[field] ?? {}))) {
    await mkdir(path.dirname(path.join(modules, dependency)), { recursive: true });
    await symlink(path.join(root, 'node_modules', dependency), path.join(modules, dependency));
  }
  for (const [command, target] of Object.entries<string>(manifest.bin)) {
    await chmod(path.join(modules, 'rollcall', target), 0o755);
    await symlink(path.join('../rollcall', target), path.join(modules, '.bin', command));
  }
  // The type that `npm init` gives a package, though every app here is a module.
  await writeFile(path.join(appDir, 'package.json'), '{ "name": "app", "private": true, "type": "commonjs" }');
  for (const [file, content] of Object.entries(files)) await writeFile(path.join(appDir, file), content);
  return appDir;
}

async function node(file: string): Promise<string> {
  return (await exec(process.execPath, [file], { timeout: deadlineMs })).stdout;
}

test('an app uses the engine without the packages of the gateway', async () => {
  const appDir = await install('engine-only', { 'app.mjs': app }, []);
  assert.is(await node(path.join(appDir, 'app.mjs')), appPrints);
});

const readme = await readFile(path.join(dir, 'package/README.md'), 'utf8');

test("the README's first example prints what the README says", async () => {
  const [, example] = /```js\n(\/\/ hello\.mjs\n[\s\S]*?)```/.exec(readme) ?? [];
  const [, printed] = /\$ node hello\.mjs\n([\s\S]*?)```/.exec(readme) ?? [];
  const appDir = await install('readme', { 'hello.mjs': example }, []);
  assert.is(await node(path.join(appDir, 'hello.mjs')), printed);
  assert.ok(example.split('\n').length <= 40, 'it fits 40 lines');
});

test("the README's pool prints what it says", async () => {
  const [pool, task] = ['pool', 'task'].map((name) => readme.split(`\`\`\`js\n// ${name}.mjs\n`)[1]?.split('```')[0]);
  const appDir = await install('readme-pool', { 'pool.mjs': pool, 'task.mjs': task }, ['dependencies']);
  assert.is(await node(path.join(appDir, 'pool.mjs')), '{ port: 7400 }\n');
});

for (const example of ['http-server', 'piscina-pool', 'message-routing']) {
  test(`the example ${example} runs as its reader copies it`, async () => {
    const appDir = await install(example, { 'package.json': '{ "type": "module" }' }, ['dependencies']);
    await cp(path.join(dir, 'package/examples', example), path.join(appDir, example), { recursive: true });
    assert.ok(await node(path.join(appDir, example, 'main.ts')));
  });
}

test('rollcall demo runs without the packages of the gateway', async () => {
  const appDir = await install('demo', {}, []);
  const { stdout } = await exec('npx', ['--no-install', 'rollcall', 'demo'], { cwd: appDir, timeout: deadlineMs });
  assert.match(stdout, /\n\d+ checks passed\n/);
});

for (const document of [
  'README.md',
  'ARCHITECTURE.md',
  'CONTRIBUTING.md',
  'docs/BENCHMARKS.md',
  'docs/CORRECTNESS.md',
  'examples/README.md',
]) {
  test(`what ${document} links to is in the package`, async () => {
    const file = path.join(dir, 'package', document);
    for (const [, target] of (await readFile(file, 'utf8')).matchAll(/\]\((?![a-z]+:|#)([^)#]+)/g)) {
      assert.ok(existsSync(path.resolve(path.dirname(file), target)), target);
    }
  });
}

test('an app bundled into one file, in another folder, still starts the coordinator', async () => {
  const appDir = await install('bundled', { 'app.mjs': app }, []);
  const outfile = path.join(dir, 'elsewhere/app.mjs');
  const entryPoints = [path.join(appDir, 'app.mjs')];
  const names = { minifyIdentifiers: true, minifySyntax: true };
  await build({ entryPoints, outfile, bundle: true, ...names, platform: 'node', format: 'esm', logLevel: 'error' });
  await rm(appDir, { recursive: true });
  assert.is(await node(outfile), appPrints);
});

test('a pool of the entry ./piscina shares the registry with the entry .', async () => {
  const appDir = await install('pool', { 'app.mjs': poolApp, 'task.mjs': poolTask }, ['dependencies']);
  assert.is(await node(path.join(appDir, 'app.mjs')), 'true\n');
});

test('a strict TypeScript app compiles against the declarations', async () => {
  const appDir = await install('typed', { 'app.mts': typedApp }, ['dependencies']);
  await mkdir(path.join(appDir, 'node_modules/@types'), { recursive: true });
  await symlink(path.join(root, 'node_modules/@types/node'), path.join(appDir, 'node_modules/@types/node'));
  const tsc = path.join(root, 'node_modules/.bin/tsc');
  const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'esnext', '--types', 'node', 'app.mts'];
  const { stdout } = await exec(tsc, options, { cwd: appDir }).catch((error) => error);
  assert.is(stdout, '');
});

test('npx rollcall --help works', async () => {
  const appDir = await install('cli', {}, ['dependencies', 'optionalDependencies']);
  const { stdout } = await exec('npx', ['--no-install', 'rollcall', '--help'], { cwd: appDir, timeout: deadlineMs });
  assert.match(stdout, /rollcall gateway/);
});

test.run();
