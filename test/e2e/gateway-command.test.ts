// @timeout 400
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { Agent, type IncomingMessage, request } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fixture, GatewayProcess, isRunning, until } from '../gateway/support/gateway-process.ts';
import { connectClient, textOf } from '../gateway/support/mcp-client.ts';
import { temporaryFiles } from '../support/fixtures.ts';

/*
 * `rollcall gateway` as a command: usage, ports, and every way to end: nothing is left behind, calls in flight finish.
 */
const test = suite('gateway command');
const playground = fixture('playground-server');
const main = path.join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');

test('help and version', () => {
  for (const [args, expected] of [
    [['--help'], /^Usage: rollcall <command>/],
    [['gateway', '--help'], /^Usage: rollcall gateway.*--config FILE.*--port.*8808.*--host.*--threads/s],
    [['--version'], /^\d+\.\d+\.\d+\n$/],
    [['gateway', '--version'], /^\d+\.\d+\.\d+\n$/],
  ] as const) {
    const { status, stdout, stderr } = rollcall(...args);
    assert.is(status, 0, stderr);
    assert.match(stdout, expected);
  }
});

test('wrong usage ends with code 2 and says what would do', () => {
  for (const [args, expected] of [
    [[], /which command\?/],
    [['serve'], /no such command: serve/],
    [['gateway', '--prot', '1'], /Unknown option '--prot'/],
    [['gateway', 'extra'], /Unexpected argument 'extra'/],
    [['gateway', '--port', '70000'], /--port takes a whole number from 0 to 65535, not "70000"/],
    [['gateway', '--port', '1e3'], /--port takes a whole number/],
    [['gateway', '--threads', '0'], /--threads takes a whole number from 1 to 64/],
    [['gateway', '--host', ''], /--host needs a value/],
    [['gateway', '--config', '/nonexistent.json'], /--config \/nonexistent\.json: cannot be read/],
  ] as const) {
    const { status, stdout, stderr } = rollcall(...args);
    assert.is(status, 2, stderr);
    assert.match(stderr, expected);
    assert.is(stdout, '');
  }
});

test('a wrong configuration ends with code 2 and the path of the wrong value', () => {
  using files = temporaryFiles({ 'mcp.json': '{ "mcpServers": { "a": { "command": 5 } } }' });
  const { status, stderr } = rollcall('gateway', '--config', path.join(files.dir, 'mcp.json'));
  assert.is(status, 2);
  assert.match(stderr, /mcp\.json: mcpServers\.a\.command: expected a string, got the number 5/);
});

test('a taken port ends with code 1, before anything is started, whoever holds it and however', async () => {
  for (const reusePort of [false, true]) {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen({ port: 0, host: '127.0.0.1', reusePort }, resolve));
    const { port } = server.address() as AddressInfo;
    const { status, stdout, stderr } = rollcall('gateway', '--port', String(port));
    server.close();
    assert.is(status, 1, stderr);
    assert.match(stderr, new RegExp(`Port ${port} on 127\\.0\\.0\\.1 is already taken.*--port ${port + 1}`));
    assert.not.match(stdout, /up,/);
  }
});

test('a host that is not ours ends with code 1', () => {
  const { status, stderr } = rollcall('gateway', '--host', '192.0.2.1', '--port', '0');
  assert.is(status, 1);
  assert.match(stderr, /Cannot listen on 192\.0\.2\.1/);
});

test('who listens beyond this machine is warned once, on stderr; who does not is not', async () => {
  const config = { mcpServers: { a: playground } };
  const start = (host: string) =>
    GatewayProcess.start({ config, args: ['--host', host, '--port', '0', '--threads', '1'] });
  await using everywhere = await start('0.0.0.0');
  const warnings = everywhere.stderr.match(/^\S+ warn other machines reach 0\.0\.0\.0:\d+, and nobody is asked .*$/gm);
  assert.is(warnings?.length, 1, everywhere.output);
  await using here = await start('localhost');
  assert.not.match(here.stderr, /other machines/);
});

test('what it prints at start is true: URL, upstreams with tool counts and threads, the next thing to try', async () => {
  await using gateway = await GatewayProcess.start({ config: { mcpServers: { a: playground, b: playground } } });
  assert.match(gateway.stdout, /^rollcall \d.*: starting 2 upstreams on 2 threads$/m);
  assert.match(gateway.stdout, /^ {2}a: up, 9 tools, owned by thread 0, speaks 2026-07-28$/m);
  assert.match(gateway.stdout, /^ {2}b: up, 9 tools, owned by thread 1, speaks 2026-07-28$/m);
  assert.match(gateway.stdout, /^Serving 18 tools at http:\/\/127\.0\.0\.1:\d+\/mcp$/m);
  assert.ok(gateway.stdout.includes(`npx @modelcontextprotocol/inspector@2 --cli ${gateway.url} --method tools/list`));
});

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} lets a call in flight finish, leaves no child, and ends with code 0`, async () => {
    await using gateway = await GatewayProcess.start({ config: { mcpServers: { a: playground, b: playground } } });
    const pids = await gateway.pids();
    assert.is(pids.length, 2);
    await using connected = await connectClient(gateway.url, 'modern');
    const { client } = connected;
    const awake = path.join(gateway.dir, 'awake');
    const calls = Array.from({ length: 8 }, () => client.callTool({ name: 'a__sleep', arguments: { until: awake } }));
    await asleep(client, calls.length);
    const saidBefore = gateway.stderr.length;
    gateway.signal(signal);
    await stopping(gateway);
    writeFileSync(awake, '');
    for (const result of await Promise.all(calls)) assert.is(textOf(result), 'awake');
    assert.equal(await gateway.exited(), { code: 0, signal: null });
    assert.not(pids.some(isRunning));
    assert.match(gateway.stdout, /Stopped\.\n$/);
    assert.is(gateway.stderr.slice(saidBefore), '');
  });
}

test('while draining, answers close their connections and health says so', async () => {
  await using gateway = await GatewayProcess.start({ config: { mcpServers: { a: playground } } });
  await using connected = await connectClient(gateway.url, 'modern');
  using agent = new KeptAlive(gateway.port);
  assert.is((await agent.get('/healthz')).headers.connection, 'keep-alive');
  const awake = path.join(gateway.dir, 'awake');
  const sleeping = connected.client.callTool({ name: 'a__sleep', arguments: { until: awake } });
  await asleep(connected.client, 1);
  gateway.signal('SIGTERM');
  await stopping(gateway);
  const answer = await agent.get('/healthz').catch(() => undefined);
  // Its connection may be closed already, which is as good.
  if (answer !== undefined) {
    assert.is(answer.headers.connection, 'close');
    assert.is(answer.statusCode, 503);
  }
  writeFileSync(awake, '');
  await sleeping;
  assert.is((await gateway.exited()).code, 0);
});

test('subscriptions end with their last word, and do not hold up the end', async () => {
  await using gateway = await GatewayProcess.start({ config: { mcpServers: { a: playground } } });
  await using connected = await connectClient(gateway.url, 'modern');
  const subscription = await connected.client.listen({ toolsListChanged: true });
  gateway.signal('SIGTERM');
  assert.is(await subscription.closed, 'graceful');
  assert.is((await gateway.exited()).code, 0);
});

test('a second signal ends at once, and leaves no child either', async () => {
  await using gateway = await GatewayProcess.start({
    config: { mcpServers: { a: fixture('playground-server', '--stubborn') } },
  });
  const pids = await gateway.pids();
  await using connected = await connectClient(gateway.url, 'modern');
  const sleeping = connected.client.callTool({ name: 'a__sleep', arguments: { ms: 600_000 } }).catch(() => 'lost');
  await asleep(connected.client, 1);
  gateway.signal('SIGTERM');
  await stopping(gateway);
  gateway.signal('SIGTERM');
  assert.is((await gateway.exited()).code, 143);
  assert.is(await sleeping, 'lost');
  await until('the child has gone', () => !pids.some(isRunning));
});

test('a signal during start-up ends a child that never answers and ignores every polite word', async () => {
  using files = temporaryFiles({});
  const pidFile = path.join(files.dir, 'pid');
  const code = `require('fs').writeFileSync(${JSON.stringify(pidFile)}, String(process.pid)); process.on('SIGTERM', () => {}); setInterval(() => {}, 1e6)`;
  const config = { mcpServers: { stubborn: { command: process.execPath, args: ['-e', code] } } };
  await using gateway = new GatewayProcess({ config });
  await until('the child runs', () => existsSync(pidFile) && readFileSync(pidFile, 'utf8') !== '');
  const pid = Number(readFileSync(pidFile, 'utf8'));
  assert.ok(isRunning(pid));
  gateway.signal('SIGTERM');
  assert.is((await gateway.exited()).code, 0, gateway.output);
  assert.not(isRunning(pid));
});

test('what a child started itself goes with it', async () => {
  using files = temporaryFiles({});
  const pidFile = path.join(files.dir, 'pid');
  const { command, args } = playground;
  const shell = `sleep 1000 & echo $! > ${pidFile}; exec ${command} ${args.join(' ')}`;
  await using gateway = await GatewayProcess.start({
    config: { mcpServers: { a: { command: 'sh', args: ['-c', shell] } } },
  });
  const pid = Number(readFileSync(pidFile, 'utf8'));
  assert.ok(isRunning(pid));
  gateway.signal('SIGTERM');
  assert.is((await gateway.exited()).code, 0);
  await until('it has gone', () => !isRunning(pid));
});

test('when the gateway itself is killed, its children leave by themselves', async () => {
  await using gateway = await GatewayProcess.start();
  const pids = await gateway.pids();
  assert.is(pids.length, 3);
  gateway.signal('SIGKILL');
  await gateway.exited();
  await until('they have gone', () => !pids.some(isRunning));
});

function rollcall(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', timeout: 60_000 });
}

async function asleep(client: Awaited<ReturnType<typeof connectClient>>['client'], count: number): Promise<void> {
  await until('the calls sleep', async () => {
    const { structuredContent } = await client.callTool({ name: 'a__sleepers', arguments: {} });
    return (structuredContent as { asleep: number }).asleep === count;
  });
}

const stopping = (gateway: GatewayProcess): Promise<void> =>
  until('it drains', () => gateway.stdout.includes('Stopping'));

/** One connection that is kept open between requests. */
class KeptAlive {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #port: number;

  constructor(port: number) {
    this.#port = port;
  }

  get(requestPath: string): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const options = { agent: this.#agent, host: '127.0.0.1', port: this.#port, path: requestPath };
      const sent = request(options, (message) => message.resume().once('end', () => resolve(message)));
      sent.once('error', reject);
      sent.end();
    });
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}

test.run();
