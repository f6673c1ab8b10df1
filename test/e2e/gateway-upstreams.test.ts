// @timeout 400
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import type { Client } from '@modelcontextprotocol/client';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, fromJsonSchema, McpServer } from '@modelcontextprotocol/server';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { limits } from '../../src/gateway/limits.ts';
import { exposedName } from '../../src/gateway/naming.ts';
import { fixture, GatewayProcess, isRunning, until } from '../gateway/support/gateway-process.ts';
import { callRaw, connectClient, eras, textOf } from '../gateway/support/mcp-client.ts';

/*
 * Upstreams and threads that misbehave: what passes through unchanged, what vanishes at once, what comes back, and that
 * nobody takes another down.
 */
const test = suite('gateway upstreams');
const playground = fixture('playground-server');

test('results, errors, odd names and arguments pass through unchanged', async () => {
  await using gateway = await GatewayProcess.start({ config: { mcpServers: { 'My server': playground } } });
  for (const era of eras) {
    await using connected = await connectClient(gateway.url, era);
    const { client } = connected;
    const names = new Map((await client.listTools()).tools.map(({ name, description }) => [description ?? '', name]));
    const prefix = names.get('Gives its arguments back')?.slice(0, -'__echo'.length) ?? '';
    assert.match(prefix, /^My-server-[0-9a-f]{12}$/);
    const call = (name: string, input: Record<string, unknown> = {}) =>
      client.callTool({ name: exposedName(prefix, name), arguments: input });

    const input = { ünïcode: '😀\u0000', nested: [{ a: null }, 1e-7], __proto: 'x', '': false };
    assert.equal((await call('echo', input)).structuredContent, input);
    assert.is(names.get('Has a name that no client would accept'), exposedName(prefix, 'odd name/äöü'));
    assert.equal((await call('odd name/äöü', { ok: true })).structuredContent, { ok: true });

    const { content, structuredContent, isError, _meta } = await call('raw');
    assert.equal(content, [{ type: 'text', text: 'x', annotations: { audience: ['user'] }, _meta: { 'a/b': 1 } }]);
    assert.equal(structuredContent, { deep: [{ ünïcode: null }] });
    assert.is(isError, true);
    assert.is(_meta?.['example.com/trace'], 'kept');

    const error = await failure(call('fail'));
    assert.equal([error.code, error.message, error.data], [-32_050, 'no luck today', { reason: ['weather'] }]);
  }
});

test('what neither the SDK nor we know passes through too', async () => {
  await using gateway = await GatewayProcess.start({ config: { mcpServers: { old: fixture('strict-old-server') } } });
  for (const era of eras) {
    const [{ result }] = await callRaw(gateway.url, era, 'old__future', {});
    const { content, structuredContent, invented, _meta } = result ?? {};
    assert.equal(content, [
      { type: 'text', text: 'x', invented: 1 },
      { type: 'hologram', data: [] },
    ]);
    assert.equal([structuredContent, invented, _meta?.b], [[1], { a: null }, 1]);
  }
});

test('progress is relayed in order and before the result, to clients of both eras', async () => {
  // Two upstreams on two threads: one of the two is on another thread than whoever serves the request.
  await using gateway = await GatewayProcess.start({ config: { mcpServers: { a: playground, b: playground } } });
  const steps = Array.from({ length: 50 }, (_, index) => index + 1);
  for (const era of eras) {
    for (const name of ['a', 'b']) {
      // Not with the SDK's client: it drops progress that comes in one chunk with the result.
      const messages = await callRaw(gateway.url, era, `${name}__count`, { to: steps.length });
      const result = messages.pop();
      assert.equal(result?.result?.content, [{ type: 'text', text: 'counted' }]);
      assert.equal(
        messages.map(({ params }) => params),
        steps.map((progress) => ({ progressToken: 'p', progress, total: 50, message: `step ${progress}` })),
      );
    }
  }
});

test('a client that leaves cancels its call at the server', async () => {
  await using gateway = await GatewayProcess.start({ config: { mcpServers: { a: playground, b: playground } } });
  // Only the 2026 protocol cancels by leaving; a 2025 client without a session has no way to say which call it means.
  await using connected = await connectClient(gateway.url, 'modern');
  const { client } = connected;
  for (const name of ['a', 'b']) {
    const leave = new AbortController();
    const sleeping = failure(
      client.callTool({ name: `${name}__sleep`, arguments: { ms: 600_000 } }, { signal: leave.signal }),
    );
    await until('it sleeps', async () => (await sleepers(client, name)).asleep === 1);
    leave.abort();
    await sleeping;
    await until('the server knows that it was cancelled', async () => (await sleepers(client, name)).cancelled === 1);
  }
});

test('a call that takes too long is ended with a clear error, and cancelled at its server', async () => {
  await using gateway = await GatewayProcess.start({
    config: { mcpServers: { a: { ...playground, callTimeoutMs: 200 } } },
  });
  await using connected = await connectClient(gateway.url, 'modern');
  const { client } = connected;
  const error = await failure(client.callTool({ name: 'a__sleep', arguments: { ms: 600_000 } }));
  assert.is((error.data as { code: string }).code, 'CALL_TIMEOUT');
  assert.match(error.message, /"sleep" did not answer within 200 ms/);
  await until('the server knows that it was cancelled', async () => (await sleepers(client, 'a')).cancelled === 1);
});

test('a killed upstream vanishes with all its tools, calls fail, others serve, and it comes back', async () => {
  await using gateway = await GatewayProcess.start({ config: { mcpServers: { a: playground, b: playground } } });
  await using connected = await connectClient(gateway.url, 'modern');
  const { client } = connected;
  const listed = async () => new Set((await client.listTools()).tools.map(({ name }) => name.split('__')[0]));
  assert.equal(await listed(), new Set(['a', 'b']));

  const sleeping = failure(client.callTool({ name: 'a__sleep', arguments: { ms: 600_000 } }));
  await until('it sleeps', async () => (await sleepers(client, 'a')).asleep === 1);
  const { pid = 0 } = await gateway.upstream('a');
  process.kill(pid, 'SIGKILL');
  const error = await sleeping;
  assert.is((error.data as { code: string; server: string }).code, 'UPSTREAM_DOWN');
  assert.is((error.data as { code: string; server: string }).server, 'a');

  const during = await listed();
  assert.ok(during.has('b'));
  assert.equal((await client.callTool({ name: 'b__echo', arguments: { still: 'here' } })).structuredContent, {
    still: 'here',
  });
  await until('it is back', async () => (await listed()).has('a'));
  assert.equal((await client.callTool({ name: 'a__echo', arguments: { back: 1 } })).structuredContent, { back: 1 });
  const again = await gateway.upstream('a');
  assert.is(again.restarts, 1);
  assert.is.not(again.pid, pid);
  assert.match(gateway.stderr, /a: was ended by SIGKILL; next start in \d+ ms/);
  assert.is((await gateway.upstream('b')).restarts, 0);
});

test('an upstream that is down is missing from the list at every thread, and its tools are unknown', async () => {
  // It starts again, and says nothing for as long as the file exists.
  const command = `while [ -e down ]; do sleep 0.05; done; exec "$0" "$@"`;
  const a = { command: 'sh', args: ['-c', command, playground.command, ...playground.args] };
  await using gateway = await GatewayProcess.start({
    config: { mcpServers: { a, flag: fixture('strict-old-server') } },
  });
  await using connected = await connectClient(gateway.url, 'modern');
  const { client, threads } = connected;
  writeFileSync(path.join(gateway.dir, 'down'), '');
  await client.callTool({ name: 'a__crash', arguments: {} }).catch(() => {});
  await until('a is down', async () => (await gateway.upstream('a')).state !== 'up');
  threads.length = 0;
  const seen = new Map<number, string[]>();
  while (seen.size < 2) {
    const names = (await client.listTools()).tools.map(({ name }) => name);
    seen.set(threads[threads.length - 1], names);
  }
  for (const names of seen.values()) assert.equal(names, ['flag__future', 'flag__hello']);
  const error = await failure(client.callTool({ name: 'a__echo', arguments: {} }));
  assert.is((error.data as { code: string }).code, 'UNKNOWN_TOOL');
  assert.is((await gateway.health()).status, 'degraded');
});

test('a command that does not exist is reported and tried again, while others serve', async () => {
  await using gateway = await GatewayProcess.start({
    config: {
      mcpServers: {
        broken: { command: '/nonexistent/server' },
        dying: { command: process.execPath, args: ['-e', 'console.error("no licence"); process.exit(4)'] },
        a: playground,
      },
    },
  });
  assert.match(gateway.stdout, /Not up yet: broken \(.*ENOENT/);
  assert.match(gateway.stdout, /Not up yet: dying \(.*exited with code 4; it last said: no licence\)/);
  await until('both were tried again', async () => {
    const { upstreams } = await gateway.health();
    return upstreams.filter(({ name }) => name !== 'a').every(({ restarts }) => restarts >= 2);
  });
  await using connected = await connectClient(gateway.url, 'legacy');
  assert.equal((await connected.client.callTool({ name: 'a__echo', arguments: { x: 1 } })).structuredContent, { x: 1 });
});

test('a server that ends on the first request that is not initialize is served all the same', async () => {
  await using gateway = await GatewayProcess.start({ config: { mcpServers: { old: fixture('strict-old-server') } } });
  await using connected = await connectClient(gateway.url, 'modern');
  assert.is(textOf(await connected.client.callTool({ name: 'old__hello', arguments: {} })), 'hello from 2024');
  assert.is((await gateway.upstream('old')).protocolVersion, '2024-11-05');
});

test('a tool that appears is listed at every thread, and subscribers are told, wherever they are connected', async () => {
  await using gateway = await GatewayProcess.start({ config: { mcpServers: { a: playground } } });
  await using connected = await connectClient(gateway.url, 'modern');
  const { client, threads } = connected;
  let told = 0;
  client.setNotificationHandler('notifications/tools/list_changed', () => {
    told += 1;
  });
  // Subscriptions until there is one at each thread.
  const subscribed = new Set<number>();
  let subscriptions = 0;
  while (subscribed.size < 2) {
    threads.length = 0;
    await client.listen({ toolsListChanged: true });
    subscribed.add(threads[threads.length - 1]);
    subscriptions += 1;
  }
  await client.callTool({ name: 'a__grow', arguments: {} });
  await until('all subscriptions were told', () => told === subscriptions);
  const lists = new Set<string>();
  threads.length = 0;
  while (new Set(threads).size < 2) lists.add((await client.listTools()).tools.map(({ name }) => name).join());
  assert.is(lists.size, 1);
  assert.match([...lists][0], /a__grown/);
  assert.is((await gateway.upstream('a')).tools, 10);
});

test('a tool too large for the registry is left out with a warning, its server is not', async () => {
  await using gateway = await GatewayProcess.start({
    config: { mcpServers: { a: fixture('playground-server', '--no-room') } },
  });
  assert.is((await gateway.upstream('a')).tools, 9);
  assert.match(gateway.stderr, /a: tool "huge" is left out/);
});

test('a change announced during the first listing is not lost', async () => {
  await using gateway = await GatewayProcess.start({
    config: { mcpServers: { a: fixture('hostile-server', '--late-change') } },
  });
  await using connected = await connectClient(gateway.url, 'modern');
  await until('the added tool is listed', async () =>
    (await connected.client.listTools()).tools.some(({ name }) => name === 'a__added'),
  );
});

test('a tool nested absurdly deep is left out with a warning, its server is not', async () => {
  await using gateway = await GatewayProcess.start({ config: { mcpServers: { a: fixture('hostile-server') } } });
  const { state, tools, restarts } = await gateway.upstream('a');
  assert.equal([state, tools, restarts], ['up', 5, 0]);
  assert.match(gateway.stderr, new RegExp(`a: skipped tool "deep": .*more than ${limits.nestingMax} levels`));
});

test('answers that cannot be passed on are errors at once', async () => {
  const hostile = fixture('hostile-server');
  await using gateway = await GatewayProcess.start({ config: { mcpServers: { a: hostile, b: hostile } } });
  for (const era of eras) {
    for (const server of ['a', 'b']) {
      for (const tool of ['deepResult', 'deepError', 'noResult', 'oddResult']) {
        const [{ error }] = await callRaw(gateway.url, era, `${server}__${tool}`, {});
        assert.is(error?.code, -32_603, tool);
        assert.match(
          error?.message ?? '',
          tool.startsWith('deep') ? /more than \d+ levels/ : /neither a result nor an error/,
        );
      }
      const messages = await callRaw(gateway.url, era, `${server}__deepProgress`, {});
      assert.equal(messages.at(-1)?.result?.content, [{ type: 'text', text: 'done' }]);
    }
  }
  assert.equal(
    (await gateway.health()).upstreams.map(({ restarts }) => restarts),
    [0, 0],
  );
});

test('URL upstreams of both eras are served with their headers, lost when they stop answering, and found again', async () => {
  const seen: unknown[] = [];
  const handler = createMcpHandler(() => {
    const server = new McpServer({ name: 'remote', version: '1' }, { capabilities: { tools: {} } });
    const schema = {
      type: 'object',
      properties: { region: { type: 'string', 'x-mcp-header': 'Region' } },
      required: ['region'],
    };
    const inputSchema = fromJsonSchema<{ region: string }>(schema as Parameters<typeof fromJsonSchema>[0]);
    server.registerTool('where', { inputSchema }, ({ region }) => ({ content: [{ type: 'text', text: region }] }));
    return server;
  });
  const serve = toNodeHandler(handler);
  const start = (port: number) =>
    new Promise<ReturnType<typeof createServer>>((resolve) => {
      const server = createServer((request, response) => {
        seen.push([request.headers['mcp-method'], request.headers.authorization, request.headers['mcp-param-region']]);
        void serve(request, response);
      });
      server.listen(port, '127.0.0.1', () => resolve(server));
    });
  let server = await start(0);
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/mcp`;
  try {
    await using gateway = await GatewayProcess.start({
      config: { mcpServers: { remote: { url, headers: { authorization: 'Bearer $' + '{KEY}' } } } },
      env: { KEY: 'k1' },
    });
    assert.is((await gateway.upstream('remote')).protocolVersion, '2026-07-28');
    await using connected = await connectClient(gateway.url, 'legacy');
    const { client } = connected;
    assert.is(textOf(await client.callTool({ name: 'remote__where', arguments: { region: 'eu' } })), 'eu');
    assert.equal(seen.at(-1), ['tools/call', 'Bearer k1', 'eu']);

    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    const error = await failure(client.callTool({ name: 'remote__where', arguments: { region: 'eu' } }));
    assert.match(error.message, /upstream "remote": .*(ECONNREFUSED|fetch failed|closed)/);
    await until('it is noticed', async () => (await gateway.upstream('remote')).state !== 'up');
    server = await start(port);
    await until('it is found again', async () => (await gateway.upstream('remote')).state === 'up');
    assert.is(textOf(await client.callTool({ name: 'remote__where', arguments: { region: 'us' } })), 'us');
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test('a thread that crashes comes back with its upstreams, leaves no child, and calls it owned fail at once', async () => {
  const preload = path.join(import.meta.dirname, '..', 'gateway', 'fixtures', 'crash-on-request.cjs');
  await using gateway = await GatewayProcess.start({
    config: { mcpServers: { a: fixture('playground-server', '--stubborn'), b: playground } },
    env: { NODE_OPTIONS: `--require ${preload}` },
  });
  await using connected = await connectClient(gateway.url, 'modern');
  const { client } = connected;
  const [{ threadId }] = (await gateway.health()).threads;
  const { pid = 0 } = await gateway.upstream('a');
  const calls = Array.from({ length: 20 }, () =>
    failure(client.callTool({ name: 'a__sleep', arguments: { ms: 600_000 } })),
  );
  await until('all calls sleep', async () => (await sleepers(client, 'a')).asleep === calls.length);

  writeFileSync(path.join(gateway.dir, `crash-${threadId}`), '');
  // About half of them were served by the thread that crashed: they lose their connection. The others are told.
  const codes = (await Promise.all(calls)).map(({ data }) => (data as { code?: string } | undefined)?.code);
  assert.ok(codes.includes('THREAD_DIED'), codes.join());
  assert.equal(new Set(codes.filter((code) => code?.match(/^[A-Z_]+$/))), new Set(['THREAD_DIED']));
  await until('its child has gone', () => !isRunning(pid));
  assert.is((await gateway.upstream('b')).restarts, 0);

  await until('all is well again', async () => (await gateway.health()).status === 'ok');
  const after = await gateway.health();
  assert.is.not(after.threads[0].threadId, threadId);
  assert.equal(
    after.upstreams.map(({ restarts, thread }) => [restarts, thread]),
    [
      [1, 0],
      [0, 1],
    ],
  );
  const threads = new Set<number>();
  connected.threads.length = 0;
  while (threads.size < 2) {
    assert.equal((await client.callTool({ name: 'a__echo', arguments: { x: 1 } })).structuredContent, { x: 1 });
    for (const thread of connected.threads) threads.add(thread);
  }
});

async function sleepers(client: Client, server: string): Promise<{ asleep: number; cancelled: number }> {
  const { structuredContent } = await client.callTool({ name: `${server}__sleepers`, arguments: {} });
  return structuredContent as { asleep: number; cancelled: number };
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
