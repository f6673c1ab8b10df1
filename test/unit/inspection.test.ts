import { once } from 'node:events';
import { existsSync, lstatSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Inspector, Registry, RegistryError } from '../../src/engine/index.ts';
import { linesOf } from '../../src/engine/inspection-wire.ts';
import { monotonicMs } from '../../src/shared/clock.ts';
import { limits } from '../../src/shared/limits.ts';
import { Thread } from '../support/threads.ts';
import { until } from '../support/waiting.ts';

const test = suite('inspection');

/** Sockets of this test alone, also those that have no path given. */
const folder = mkdtempSync(path.join(tmpdir(), 'rollcall-test-'));
process.env.TMPDIR = folder;
const socketPath = (name: string): string => path.join(folder, name);
test.after(() => rmSync(folder, { recursive: true, force: true }));

async function refusalOf(work: Promise<unknown>): Promise<{ code: string; message: string }> {
  const error = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.instance(error, RegistryError);
  return error as RegistryError;
}

async function connected(path: string): Promise<Socket> {
  const socket = connect(path);
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

const modeOf = (path: string): number => lstatSync(path).mode & 0o777;

test('an inspector reads figures, names and entries', async () => {
  await using registry = await Registry.open({ shards: 4 });
  for (let n = 0; n < 50; n++) registry.register('server', `id ${n}`, { config: { n, text: 'é\n"' } });
  await using server = await registry.insight.serve({ path: socketPath('a') });
  await using inspector = await Inspector.connect({ path: server.path });
  const { takenMs, ...figures } = await inspector.figures();
  assert.is(figures.names, 50);
  assert.ok(takenMs > 0 && takenMs <= monotonicMs());
  const { names, more } = await inspector.names('server');
  assert.equal(names.map(({ id }) => id).sort(), Array.from({ length: 50 }, (_, n) => `id ${n}`).sort());
  assert.is(more, 0);
  const some = await inspector.names('server', { limit: 7 });
  assert.equal([some.names.length, some.more], [7, 43]);
  assert.equal(await inspector.names('no such kind'), { names: [], more: 0 });
  const entry = await inspector.entry('server', 'id 3');
  assert.equal(entry?.config, { n: 3, text: 'é\n"' });
  assert.is(entry?.owner.threadId, 0);
  assert.is(await inspector.entry('server', 'no such id'), undefined);
});

test('requests at once are answered in their order', async () => {
  await using registry = await Registry.open({ shards: 1 });
  for (let n = 0; n < 20; n++) registry.register('kind', `${n}`, { config: n });
  await using server = await registry.insight.serve({ path: socketPath('b') });
  await using inspector = await Inspector.connect({ path: server.path });
  const entries = await Promise.all(Array.from({ length: 20 }, (_, n) => inspector.entry('kind', `${n}`)));
  assert.equal(
    entries.map((entry) => entry?.config),
    Array.from({ length: 20 }, (_, n) => n),
  );
});

test('a request whose client has hung up is not answered when its turn comes', async () => {
  await using registry = await Registry.open({ shards: 1 });
  for (let n = 0; n < 5_000; n++) registry.register('server', `${n}`);
  await using server = await registry.insight.serve({ path: socketPath('gone') });
  const { list } = registry;
  let lists = 0;
  registry.list = function (this: Registry, ...kind) {
    lists++;
    return list.apply(this, kind);
  } as typeof list;
  const gone: Promise<unknown>[] = [];
  for (let n = 0; n < limits.inspectorsMax; n++) {
    const socket = await connected(server.path);
    gone.push(once(socket, 'close'));
    socket.write('{"ask":"names","kind":"server","limit":5000}\n', () => socket.destroy());
  }
  await Promise.all(gone);
  for (let answered = false; !answered; ) {
    try {
      await using inspector = await Inspector.connect({ path: server.path });
      answered = (await inspector.names('server', { limit: 1 })).names.length === 1;
    } catch (error) {
      assert.instance(error, RegistryError); // the server has not noticed yet that there is room
    }
  }
  assert.ok(lists < limits.inspectorsMax, `${lists} answers for one who waited`);
});

test('what fails there is told here, with its code, and the next request is answered', async () => {
  await using registry = await Registry.open({ shards: 1 });
  await using server = await registry.insight.serve({ path: socketPath('c') });
  await using inspector = await Inspector.connect({ path: server.path });
  assert.is((await refusalOf(inspector.names('', { limit: 5 }))).code, 'INVALID_NAME');
  assert.is((await refusalOf(inspector.entry('rollcall:x', 'id'))).code, 'INVALID_NAME');
  for (const limit of [0, 0.5, limits.inspectionNamesMax + 1]) {
    assert.is((await refusalOf(inspector.names('kind', { limit }))).code, 'INVALID_OPTION', `${limit}`);
  }
  // What would make the other side hang up is not sent.
  assert.is((await refusalOf(inspector.entry('kind', 'x'.repeat(5_000)))).code, 'INVALID_NAME');
  assert.is((await refusalOf(inspector.entry('kind', 5n as unknown as string))).code, 'INVALID_OPTION');
  assert.is((await inspector.figures()).names, 0);
});

test('a line that ends within a character leaves the next one alone', async () => {
  const lines: string[] = [];
  const chunks = async function* () {
    yield Buffer.from([0x61, 0xc3, 0x0a, 0x62, 0x0a]);
  };
  for await (const line of linesOf(chunks(), 100)) lines.push(line);
  assert.equal(lines, ['a\ufffd', 'b']);
});

test('only its user can connect: the socket is never open to others', async () => {
  await using registry = await Registry.open({ shards: 1 });
  const before = process.umask(0);
  try {
    await using server = await registry.insight.serve({ path: socketPath('d') });
    assert.is(modeOf(server.path), 0o600);
    await using another = await registry.insight.serve();
    assert.is(modeOf(path.dirname(another.path)), 0o700);
    assert.is(modeOf(another.path), 0o600);
  } finally {
    process.umask(before);
  }
});

test('a folder that others can enter is not used', async () => {
  await using registry = await Registry.open({ shards: 1 });
  const elsewhere = mkdtempSync(socketPath('open-'));
  process.env.TMPDIR = elsewhere;
  try {
    const theirs = path.join(elsewhere, `rollcall-${process.getuid?.()}`);
    mkdirSync(theirs, { mode: 0o755 });
    const refused = await refusalOf(registry.insight.serve());
    assert.is(refused.code, 'INSPECTION_FAILED');
    assert.match(refused.message, 'not a folder of this user alone');
    writeFileSync(path.join(theirs, `${process.pid}-00.sock`), '');
    assert.match((await refusalOf(Inspector.connect())).message, 'nobody listens');
  } finally {
    process.env.TMPDIR = folder;
  }
});

test('without a path the only one that listens is found, by its process too', async () => {
  assert.match((await refusalOf(Inspector.connect())).message, /nobody listens in .*insight\.serve/);
  await using registry = await Registry.open({ shards: 1 });
  await using server = await registry.insight.serve();
  await using found = await Inspector.connect();
  assert.is(found.path, server.path);
  await using byPid = await Inspector.connect({ pid: process.pid });
  assert.is(byPid.path, server.path);
  assert.match((await refusalOf(Inspector.connect({ pid: 1 }))).message, 'for process 1');
  await using other = await Registry.open({ shards: 1 });
  await using otherServer = await other.insight.serve();
  const { message } = await refusalOf(Inspector.connect());
  assert.match(message, 'several listen');
  assert.match(message, server.path);
  assert.match(message, otherServer.path);
});

test('a path that is taken is refused; one that a killed process left is taken over', async () => {
  await using registry = await Registry.open({ shards: 1 });
  writeFileSync(socketPath('file'), 'precious');
  assert.match((await refusalOf(registry.insight.serve({ path: socketPath('file') }))).message, 'no socket');
  assert.ok(existsSync(socketPath('file')));
  await using thread = await Thread.start(registry.handle);
  const left = socketPath('left');
  await thread.run(async ({ registry }, path) => void (await registry.insight.serve({ path })), left);
  assert.match((await refusalOf(registry.insight.serve({ path: left }))).message, 'somebody listens there already');
  await thread.end();
  assert.ok(existsSync(left), 'a thread that is ended removes nothing');
  assert.match((await refusalOf(Inspector.connect({ path: left }))).message, 'nobody listens there');
  await using server = await registry.insight.serve({ path: left });
  await using inspector = await Inspector.connect({ path: server.path });
  assert.is((await inspector.figures()).pid, process.pid);
  const nowhere = await refusalOf(registry.insight.serve({ path: socketPath('no/such/folder') }));
  assert.is(nowhere.code, 'INSPECTION_FAILED');
  for (const long of [socketPath('x'.repeat(100)), path.join('/', 'x'.repeat(86), 's')]) {
    const refused = await refusalOf(registry.insight.serve({ path: long }));
    assert.match(refused.message, 'sockets have 103');
  }
});

test('who closes it, or the registry, hangs up on all and removes the socket, but nobody else’s', async () => {
  const registry = await Registry.open({ shards: 1 });
  const first = await registry.insight.serve({ path: socketPath('e') });
  await using inspector = await Inspector.connect({ path: first.path });
  await inspector.figures();
  await first.close();
  await first.close();
  assert.not(existsSync(first.path));
  assert.match((await refusalOf(inspector.figures())).message, 'it hung up');
  const second = await registry.insight.serve({ path: socketPath('e') });
  const third = await registry.insight.serve({ path: socketPath('f') });
  rmSync(third.path);
  writeFileSync(third.path, 'of somebody else');
  await registry.close();
  assert.not(existsSync(second.path));
  assert.ok(existsSync(third.path));
  assert.is((await refusalOf(registry.insight.serve())).code, 'CLOSED');
});

test('strangers are bounded: a flood of connections, of requests, of bytes, and who reads nothing', async () => {
  await using registry = await Registry.open({ shards: 1 });
  for (let n = 0; n < 2_000; n++) registry.register('kind', `${n}`.padStart(200, '0'));
  await using server = await registry.insight.serve({ path: socketPath('g') });
  const crowd = await Promise.all(Array.from({ length: limits.inspectorsMax }, () => connected(server.path)));
  const one = connect(server.path);
  one.on('error', () => {});
  await once(one, 'close'); // one too many
  // Who asks without end and reads nothing is asked to wait: his requests pile up on his side.
  const request = `${JSON.stringify({ ask: 'names', kind: 'kind', limit: 2_000 })}\n`;
  for (const socket of crowd) {
    socket.pause();
    for (let n = 0; n < 1_000; n++) socket.write(request);
  }
  await until('nobody takes what they send', () => crowd.every((socket) => socket.writableLength > 0));
  for (const socket of crowd.slice(1)) socket.destroy();
  // A request that is too long ends its connection.
  const long = crowd[0];
  await until('others can connect again', () => crowd.slice(1).every((socket) => socket.closed));
  long.destroy();
  const greedy = await connected(server.path);
  greedy.write('x'.repeat(limits.inspectionRequestBytesMax + 1));
  greedy.resume();
  await once(greedy, 'close');
  // What is no request is told so.
  const wrong = await connected(server.path);
  for (const line of ['', 'null', '5', '{', '[]', '{"ask":"names"}', '{"ask":"x"}', '{"ask":"figures"']) {
    wrong.write(`${line}\n`);
    const [answer] = await once(wrong, 'data');
    assert.is(JSON.parse(String(answer)).error.code, 'INVALID_OPTION', line);
  }
  wrong.destroy();
  await using inspector = await Inspector.connect({ path: server.path });
  assert.is((await inspector.figures()).names, 2_000);
});

test('an inspector believes no stranger', async () => {
  for (const [sent, says] of [
    ['hello\n', 'no registry'],
    ['{}\n', 'no registry'],
    ['null\n', 'no registry'],
    ['', 'hung up'],
  ]) {
    const stranger = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.end(sent));
    });
    stranger.listen(socketPath('stranger'));
    await once(stranger, 'listening');
    await using inspector = await Inspector.connect({ path: socketPath('stranger') });
    assert.match((await refusalOf(inspector.figures())).message, says);
    stranger.close();
    await once(stranger, 'close');
  }
});

test('options that cannot be meant are refused', async () => {
  await using registry = await Registry.open({ shards: 1 });
  // biome-ignore lint/suspicious/noExplicitAny: what the types refuse
  const wrong: any[] = [{ path: '' }, { path: 5 }, { path: '\0abstract' }, { where: 'x' }, null];
  for (const options of wrong) assert.is((await refusalOf(registry.insight.serve(options))).code, 'INVALID_OPTION');
  // biome-ignore lint/suspicious/noExplicitAny: what the types refuse
  const wrongToo: any[] = [{ path: '' }, { pid: 0 }, { pid: 1.5 }, { pid: 1, path: 'x' }, { where: 'x' }];
  for (const options of wrongToo) assert.is((await refusalOf(Inspector.connect(options))).code, 'INVALID_OPTION');
});

test('many servers in one process listen to its end once, and leave no listener', async () => {
  const before = process.listenerCount('exit');
  const registries = await Promise.all(Array.from({ length: 3 }, () => Registry.open({ shards: 1 })));
  for (const [n, { insight }] of registries.entries()) await insight.serve({ path: socketPath(`many ${n}`) });
  assert.is(process.listenerCount('exit'), before + 1);
  await registries[0].close();
  assert.is(process.listenerCount('exit'), before + 1);
  for (const registry of registries) await registry.close();
  assert.is(process.listenerCount('exit'), before);
});

test.run();
