import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Figures, NameList } from '../../src/engine/index.ts';
import { parsePrometheus } from '../support/prometheus.ts';
import { until } from '../support/waiting.ts';

/*
 * A running process looked into from others: scraped, inspected, watched.
 */
const test = suite('insight of a process');
const main = path.resolve(import.meta.dirname, '../../src/cli/main.ts');
const fixture = path.join(import.meta.dirname, 'fixtures/inspected-app.ts');
const folder = mkdtempSync(path.join(tmpdir(), 'rollcall-test-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

interface App extends AsyncDisposable {
  readonly process: ChildProcess;
  readonly path: string;
  readonly port: number;
}

const env = { ...process.env, TMPDIR: folder };

async function startApp(socket: string | undefined): Promise<App> {
  const args = socket === undefined ? [fixture] : [fixture, socket];
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  return {
    process: child,
    ...JSON.parse(line),
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(...args: string[]): { readonly child: ChildProcess; readonly ended: Promise<Ended>; output(): string } {
  const child = spawn(process.execPath, [main, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const said = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) child[stream].on('data', (chunk) => (said[stream] += chunk));
  const ended = once(child, 'close').then(([code]) => ({ code, ...said }));
  return { child, ended, output: () => said.stdout };
}

const rollcall = (...args: string[]): Promise<Ended> => start(...args).ended;

test('an application serves its metrics to a scraper', async () => {
  await using app = await startApp(path.join(folder, 'scraped'));
  const response = await fetch(`http://127.0.0.1:${app.port}/metrics`);
  assert.is(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  const names = parsePrometheus(await response.text()).get('rollcall_names')?.samples;
  assert.equal(
    names?.map(({ labels, value }) => [labels.kind, value]),
    [
      ['server', 100],
      ['session', 7],
    ],
  );
});

test('rollcall inspect prints what stands there: on a page, as JSON, the names of a kind, one name', async () => {
  await using app = await startApp(path.join(folder, 'inspected'));
  const at = ['--path', app.path];
  const page = await rollcall('inspect', ...at);
  assert.is(page.code, 0, page.stderr);
  assert.match(page.stdout, `process ${app.process.pid}`);
  assert.match(page.stdout, /names 107 · threads 2 of 256 · owners 1 · groups 1 with 1 members/);
  assert.match(page.stdout, /^KIND +NAMES\nserver +100\nsession +7$/m);
  assert.match(page.stdout, /^THREAD +NAMES +OWNERS +UNREAD\n0 +100 +0 +0 B\n\d+ +7 +1 +0 B$/m);
  assert.match(page.stdout, /^COUNTER +VALUE\nrequests +12$/m);
  assert.match(page.stdout, /^SHARD .*\n0 .*\n1 .*\n2 .*\n3 .*$/m);
  assert.match(page.stdout, /^red +1$/m);
  assert.not.match(page.stdout, '\u001b');
  const figures: Figures = JSON.parse((await rollcall('inspect', '--json', ...at)).stdout);
  assert.equal([figures.pid, figures.names, figures.shards.length], [app.process.pid, 107, 4]);
  const sessions = await rollcall('inspect', '--kind', 'session', ...at);
  assert.match(sessions.stdout, /^ID +THREAD +SLOT +EPOCH\n/);
  assert.match(sessions.stdout, /^session 3 +\d+ +\d+ +\d+$/m);
  assert.not.match(sessions.stdout, '\u0007');
  const some = await rollcall('inspect', '--kind', 'server', '--limit', '3', ...at);
  assert.match(some.stdout, /… and 97 more: --limit\n$/);
  const list: NameList = JSON.parse((await rollcall('inspect', '--kind', 'session', '--json', ...at)).stdout);
  assert.is(list.names.length, 7);
  assert.is(list.names.find(({ id }) => id === 'session 3\u0007')?.owner.threadId, figures.threads[1].threadId);
  const entry = await rollcall('inspect', '--kind', 'server', '--id', 'server 5', ...at);
  assert.match(entry.stdout, /^server server 5: thread 0, owner \d+, epoch \d+\n\{\n {2}"port": 5\n\}\n$/);
  const none = await rollcall('inspect', '--kind', 'server', '--id', 'nobody', ...at);
  assert.equal([none.code, none.stdout, none.stderr], [1, '', 'rollcall inspect: no server "nobody" is registered\n']);
});

test('without a path the only process that listens is found; of several one has to be said', async () => {
  const nobody = await rollcall('inspect');
  assert.is(nobody.code, 1);
  assert.match(nobody.stderr, /^rollcall inspect: nobody listens in .*insight\.serve\(\).*\n$/);
  await using app = await startApp(undefined);
  assert.match((await rollcall('inspect')).stdout, `process ${app.process.pid}`);
  await using other = await startApp(undefined);
  const several = await rollcall('inspect');
  assert.is(several.code, 1);
  assert.match(several.stderr, 'several listen');
  assert.match((await rollcall('inspect', '--pid', `${other.process.pid}`)).stdout, `process ${other.process.pid}`);
});

test('rollcall top shows rates, frame after frame, and ends with the process it watches', async () => {
  await using app = await startApp(path.join(folder, 'watched'));
  const { code, stdout, stderr } = await rollcall('top', '--path', app.path, '--interval', '200', '--count', '3');
  assert.is(code, 0, stderr);
  const frames = stdout.split(/^(?=rollcall top)/m);
  assert.is(frames.length, 3);
  assert.match(frames[0], /per second: registrations –/);
  for (const frame of frames.slice(1)) {
    const updates = /per second: registrations 0, updates ([\d,]+), removals 0/.exec(frame)?.[1];
    assert.ok(Number(updates?.replaceAll(',', '')) > 0, frame);
    assert.match(frame, /^SHARD +ENTRIES +LOAD +WRITES\/s +WAITS\/s +WRITE P99 +WAIT P99 +ALARM\n\d/m);
  }
  assert.not.match(stdout, '\u001b');
  const watching = start('top', '--path', app.path, '--interval', '100');
  await until('it shows something', () => watching.output().includes('SHARD'));
  app.process.kill('SIGKILL');
  const ended = await watching.ended;
  assert.is(ended.code, 1);
  assert.match(ended.stderr, /^rollcall top: .*: it hung up\n$/);
  assert.ok(existsSync(app.path), 'who is killed leaves its socket');
  const refused = await rollcall('top', '--path', app.path);
  assert.equal([refused.code, refused.stdout], [1, '']);
  assert.match(refused.stderr, /^rollcall top: cannot connect to .*: nobody listens there\n$/);
});

test('rollcall top ends at SIGINT, and when nobody reads it any more', async () => {
  await using app = await startApp(path.join(folder, 'left'));
  const stopped = start('top', '--path', app.path);
  await until('it shows something', () => stopped.output().includes('SHARD'));
  stopped.child.kill('SIGINT');
  assert.is((await stopped.ended).code, 0);
  const unread = start('top', '--path', app.path, '--interval', '100');
  await until('it shows something', () => unread.output().includes('SHARD'));
  unread.child.stdout?.destroy();
  const ended = await unread.ended;
  assert.equal([ended.code, ended.stderr], [0, '']);
});

test('wrong usage ends with code 2 and one line', async () => {
  for (const [args, says] of [
    [['inspect', '--king'], /Unknown option '--king'/],
    [['inspect', '--id', 'x'], /--id goes with --kind/],
    [['inspect', '--limit', '0'], /--limit takes a whole number from 1 to 10000, not "0"/],
    [['inspect', '--pid', 'x'], /--pid takes a whole number/],
    [['inspect', '--pid', '1', '--path', 'x'], /--path and --pid: give one of them/],
    [['top', '--interval', '5'], /--interval takes a whole number from 100 to/],
    [['top', '--count', '0'], /--count takes/],
    [['top', 'x'], /Unexpected argument 'x'/],
  ] as const) {
    const { code, stdout, stderr } = await rollcall(...args);
    assert.equal([code, stdout], [2, '']);
    assert.match(stderr, says);
    assert.match(stderr, new RegExp(`^[^\\n]+ \\(see rollcall ${args[0]} --help\\)\\n$`));
  }
});

test('help says what there is', async () => {
  assert.match((await rollcall('--help')).stdout, /inspect .*\n +top /);
  for (const command of ['inspect', 'top']) {
    const { code, stdout } = await rollcall(command, '--help');
    assert.is(code, 0);
    assert.match(stdout, new RegExp(`^Usage: rollcall ${command} .*--path.*--pid.*--help`, 's'));
  }
});

test.run();
