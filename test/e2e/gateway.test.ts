// @timeout 400
import { execFile } from 'node:child_process';
import { request } from 'node:http';
import { connect } from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { limits } from '../../src/gateway/limits.ts';
import { GatewayProcess, isRunning } from '../gateway/support/gateway-process.ts';
import { connectClient, eras, textOf } from '../gateway/support/mcp-client.ts';

/*
 * The gateway as a user starts it, with the default servers from npm: a real process, the official client in both
 * protocol eras, the Inspector's command line, and hostile requests.
 */
const test = suite('gateway');
let gateway: GatewayProcess;

test.before(async () => {
  gateway = await GatewayProcess.start();
});
test.after(async () => {
  await gateway[Symbol.asyncDispose]();
});

for (const era of eras) {
  test(`a ${era} client lists the tools of all three servers and calls one of each`, async () => {
    await using connected = await connectClient(gateway.url, era);
    const { client } = connected;
    const names = (await client.listTools()).tools.map(({ name }) => name);
    assert.equal(names, names.toSorted());
    assert.equal(names.filter((name) => name.startsWith('calculator__')).length, 5);
    assert.ok(names.includes('everything__echo') && names.includes('memory__read_graph'), names.join());

    const product = await client.callTool({ name: 'calculator__multiply', arguments: { a: 6, b: 7 } });
    assert.equal(product.structuredContent, { result: 42 });
    assert.is(textOf(product), '42');

    const message = `grüße from ${era}`;
    assert.is(textOf(await client.callTool({ name: 'everything__echo', arguments: { message } })), `Echo: ${message}`);

    const entity = { name: `Ada ${era}`, entityType: 'person', observations: ['writes programs'] };
    await client.callTool({ name: 'memory__create_entities', arguments: { entities: [entity] } });
    const graph = await client.callTool({ name: 'memory__search_nodes', arguments: { query: `Ada ${era}` } });
    assert.equal(JSON.parse(textOf(graph)).entities, [entity]);
  });
}

test('over 64 connections every thread serves some, and every answer is right', async () => {
  const served = new Set<number>();
  const answers = await Promise.all(
    Array.from({ length: 64 }, async (_, index) => {
      await using connected = await connectClient(gateway.url, eras[index % 2]);
      const { client, threads } = connected;
      const before = threads.length;
      const [sum, echo] = await Promise.all([
        client.callTool({ name: 'calculator__add', arguments: { a: index, b: 1_000 } }),
        client.callTool({ name: 'everything__echo', arguments: { message: `#${index}` } }),
      ]);
      for (const thread of threads.slice(before)) served.add(thread);
      return [sum.structuredContent, textOf(echo)];
    }),
  );
  assert.equal(
    answers,
    Array.from({ length: 64 }, (_, index) => [{ result: index + 1_000 }, `Echo: #${index}`]),
  );
  assert.equal([...served].sort(), [0, 1]);
});

test('the upstreams are spread over the threads, and health tells the same at each', async () => {
  const seen = new Map<string, unknown>();
  while (seen.size < 2) {
    const { headers, body } = await http({ path: '/healthz' });
    const { uptimeSeconds, ...report } = JSON.parse(body);
    assert.type(uptimeSeconds, 'number');
    seen.set(String(headers['x-rollcall-thread']), report);
  }
  const [one, other] = seen.values();
  assert.equal(one, other);
  const { status, threads, upstreams } = await gateway.health();
  assert.is(status, 'ok');
  assert.equal(
    threads.map(({ thread, state }) => [thread, state]),
    [
      [0, 'listening'],
      [1, 'listening'],
    ],
  );
  assert.equal(
    upstreams.map(({ name, state, thread, tools, protocolVersion }) => [name, state, thread, tools, protocolVersion]),
    [
      ['calculator', 'up', 0, 5, '2026-07-28'],
      ['everything', 'up', 1, 13, '2025-11-25'],
      ['memory', 'up', 0, 9, '2025-11-25'],
    ],
  );
  for (const pid of await gateway.pids()) assert.ok(isRunning(pid));
});

test('the Inspector lists and calls from the command line', async () => {
  const inspector = path.resolve('node_modules/.bin/mcp-inspector');
  const run = async (...args: string[]) => {
    const { stdout } = await promisify(execFile)(inspector, ['--cli', gateway.url ?? '', ...args], { timeout: 60_000 });
    return JSON.parse(stdout);
  };
  const { tools } = await run('--method', 'tools/list');
  assert.is(tools.length, 27);
  const result = await run(
    '--method',
    'tools/call',
    '--tool-name',
    'calculator__evaluate',
    '--tool-arg',
    'expression=(1+2)*3',
  );
  assert.equal(result.structuredContent, { result: 9 });
});

test('a division by zero is a tool error that says what to try', async () => {
  await using connected = await connectClient(gateway.url, 'modern');
  const result = await connected.client.callTool({ name: 'calculator__divide', arguments: { a: 1, b: 0 } });
  assert.is(result.isError, true);
  assert.match(textOf(result), /Try a divisor other than zero/);
});

test('an unknown tool is refused with its name, a foreign cursor too', async () => {
  for (const era of eras) {
    await using connected = await connectClient(gateway.url, era);
    const unknown = await failure(connected.client.callTool({ name: 'calculator__root', arguments: {} }));
    assert.is(unknown.code, -32_602);
    assert.match(unknown.message, /unknown tool "calculator__root"/);
    assert.is((unknown.data as { code: string }).code, 'UNKNOWN_TOOL');
    const cursor = await failure(connected.client.listTools({ cursor: 'not ours' }));
    assert.is(cursor.code, -32_602);
  }
});

test('a method we do not serve, and a call without a name, are refused by their JSON-RPC codes', async () => {
  for (const [code, request] of [
    [-32_601, { method: 'prompts/list' }],
    [-32_601, { method: 'invented/method', params: { name: 'calculator__add' } }],
    [-32_602, { method: 'tools/call', params: { arguments: {} } }],
    [-32_602, { method: 'tools/call', params: { name: 'calculator__add', arguments: [1, 2] } }],
  ] as const) {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, ...request });
    const answer = await http({ method: 'POST', path: '/mcp', headers: json, body });
    assert.is(/"code":(-\d+)/.exec(answer.body)?.[1], String(code), answer.body);
  }
});

test('foreign hosts and origins are refused, loopback ones are not', async () => {
  for (const headers of [
    { host: 'evil.example' },
    { host: 'localhost', origin: 'https://evil.example' },
    { host: 'localhost', origin: 'null' },
  ]) {
    for (const [method, path] of [
      ['POST', '/mcp'],
      ['GET', '/healthz'],
    ]) {
      const { status, body } = await http({ method, path, headers: { ...json, ...headers }, body: initialize });
      assert.is(status, 403, JSON.stringify(headers));
      assert.match(JSON.parse(body).error.message, /^Forbidden/);
    }
  }
  const headers = { ...json, host: `localhost:${gateway.port}`, origin: 'http://localhost:3000' };
  assert.is((await http({ method: 'POST', path: '/mcp', headers, body: initialize })).status, 200);
});

test('wrong paths, methods and media types get their own status, and every answer names its thread', async () => {
  const cases: [number, Parameters<typeof http>[0]][] = [
    [404, { path: '/' }],
    [404, { path: '/mcp/', method: 'POST', headers: json, body: initialize }],
    [405, { path: '/mcp' }],
    [405, { path: '/mcp', method: 'DELETE' }],
    [405, { path: '/mcp', method: 'PUT', headers: json, body: initialize }],
    [405, { path: '/healthz', method: 'POST' }],
    [415, { path: '/mcp', method: 'POST', headers: { ...json, 'content-type': 'text/plain' }, body: initialize }],
    [415, { path: '/mcp', method: 'POST', body: initialize }],
    [400, { path: '/mcp', method: 'POST', headers: json, body: '{"jsonrpc": "2.0", "id": 1,' }],
    [400, { path: '/mcp', method: 'POST', headers: json, body: '' }],
    [400, { path: '/mcp', method: 'POST', headers: json, body: Buffer.from([0x22, 0xff, 0x22]) }],
    [413, { path: '/mcp', method: 'POST', headers: json, body: `"${'x'.repeat(limits.bodyBytesMax)}"` }],
  ];
  for (const [status, options] of cases) {
    const answer = await http(options);
    const what = `${options.method ?? 'GET'} ${options.path} ${String(options.body).slice(0, 20)}`;
    assert.is(answer.status, status, what);
    assert.match(String(answer.headers['x-rollcall-thread']), /^[01]$/, what);
    assert.is(answer.headers['content-type'], 'application/json', what);
    const { jsonrpc, error } = JSON.parse(answer.body);
    assert.is(jsonrpc, '2.0');
    assert.type(error.message, 'string');
  }
});

test('a client that asks for the end of its connection is told that it ends, others keep theirs', async () => {
  for (const [asked, answered] of [
    ['close', 'close'],
    ['keep-alive', 'keep-alive'],
  ]) {
    const headers = { ...json, connection: asked };
    const answer = await http({ method: 'POST', path: '/mcp', headers, body: initialize });
    assert.equal([answer.status, answer.headers.connection], [200, answered]);
  }
});

test('what is no JSON-RPC, or absurdly deep, hurts nobody', async () => {
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
  const call = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"calculator__add","arguments":{"a":${deep}}}}`;
  const bodies = [
    'null',
    '7',
    '"x"',
    '[]',
    '{}',
    '{"jsonrpc":"1.0","id":1,"method":"x"}',
    deep,
    `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":${deep}}`,
  ];
  for (const body of [...bodies, call]) {
    const answer = await http({ method: 'POST', path: '/mcp', headers: json, body });
    assert.is(answer.status, 400, body.slice(0, 100));
    assert.type(JSON.parse(answer.body).error.message, 'string');
  }
  const huge = await http({
    method: 'POST',
    path: '/mcp',
    headers: { ...json, 'x-filler': 'x'.repeat(100_000) },
    body: initialize,
  });
  assert.is(huge.status, 431);
  assert.match(await raw('NONSENSE\r\n\r\n'), /^HTTP\/1\.1 400 Bad Request\r\nx-rollcall-thread: [01]\r\n/);
  await raw(
    'POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"half',
    true,
  );
  const { status, threads } = await gateway.health();
  assert.is(status, 'ok');
  // No thread was started again.
  assert.is(new Set(threads.map(({ threadId }) => threadId)).size, 2);
  assert.not.match(gateway.stderr, /crashed/);
});

const json = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
const initialize = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } },
});

interface Answer {
  status: number;
  headers: Record<string, unknown>;
  body: string;
}

/** One request on a connection of its own, with every header under control. */
function http(options: {
  method?: string;
  path: string;
  headers?: Record<string, string | undefined>;
  body?: string | Uint8Array;
}): Promise<Answer> {
  const { method = 'GET', path, headers = {}, body } = options;
  return new Promise((resolve, reject) => {
    const sent = request({ port: gateway.port, host: '127.0.0.1', method, path, headers, agent: false }, (message) => {
      let text = '';
      message.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      message.on('end', () => resolve({ status: message.statusCode ?? 0, headers: message.headers, body: text }));
    });
    sent.on('error', reject);
    // A GET with a body would have no length, and look like a second, broken request.
    sent.end(method === 'GET' ? undefined : body);
  });
}

/** Raw bytes; resolves with all that came back, or leaves at once. */
function raw(text: string, leave = false): Promise<string> {
  return new Promise((resolve, reject) => {
    let received = '';
    const socket = connect(gateway.port, '127.0.0.1', () => socket.write(text, () => leave && socket.destroy()));
    socket.on('data', (chunk) => {
      received += chunk;
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(received));
  });
}

async function failure(call: Promise<unknown>): Promise<{ code: number; message: string; data?: unknown }> {
  try {
    await call;
  } catch (error) {
    return error as { code: number; message: string; data?: unknown };
  }
  throw new Error('the call succeeded');
}

test.run();
