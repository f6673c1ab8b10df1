import type { JSONRPCMessage } from '@modelcontextprotocol/client';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { limits } from '../../src/gateway/limits.ts';
import { StdioTransport } from '../../src/gateway/stdio-transport.ts';
import { isRunning, until } from './support/gateway-process.ts';

/*
 * A child over stdin and stdout: messages whole and in order however the pipe cuts them, and a clear end.
 */
const test = suite('stdio transport');

test('messages come whole and in order, however the pipe cuts them', async () => {
  await using run = start(`
    const out = Buffer.from([1, 2, 3].map((id) => JSON.stringify({ jsonrpc: '2.0', id, result: { text: 'grüße 😀' } }) + '\\n').join(''));
    let sent = 0;
    (function next() {
      if (sent < out.length) process.stdout.write(out.subarray(sent, sent += 7), () => setImmediate(next));
      else setInterval(() => {}, 1e6);
    })();`);
  await run.transport.start();
  await until('all have come', () => run.messages.length === 3);
  assert.equal(
    run.messages,
    [1, 2, 3].map((id) => ({ jsonrpc: '2.0', id, result: { text: 'grüße 😀' } })),
  );
});

test('what goes in comes back', async () => {
  await using run = start('process.stdin.pipe(process.stdout)');
  await run.transport.start();
  const message: JSONRPCMessage = { jsonrpc: '2.0', id: 7, method: 'x', params: { text: 'ü\n\u2028'.repeat(100_000) } };
  await run.transport.send(message);
  await until('it is back', () => run.messages.length === 1);
  assert.equal(run.messages, [message]);
  await run.transport.close();
  assert.is(run.transport.reason, 'exited with code 0');
});

test('last messages and last words of a child that ends are not lost', async () => {
  await using run = start(
    `console.log('{"jsonrpc":"2.0","id":1,"result":{}}'); console.error('\\u001b[31mno\\u001b[0m disk'); process.exit(3)`,
  );
  await run.transport.start();
  await until('it is noticed', () => run.closed === 1);
  assert.is(run.messages.length, 1);
  assert.is(run.transport.reason, 'exited with code 3');
  assert.equal(run.transport.stderr, ['no disk']);
});

test('a child that ends is noticed although a grandchild holds its pipes', async () => {
  const grandchild = `process.on('SIGTERM', () => {}); setInterval(() => {}, 1e6)`;
  await using run = start(`
    const { pid } = require('child_process').spawn(process.execPath, ['-e', ${JSON.stringify(grandchild)}], { stdio: 'inherit' });
    setTimeout(() => { console.log(JSON.stringify({ jsonrpc: '2.0', id: pid, result: {} })); process.exitCode = 5; process.kill(process.pid, 'SIGKILL'); }, 300);`);
  await run.transport.start();
  await until('it is noticed', () => run.closed === 1);
  assert.is(run.transport.reason, 'was ended by SIGKILL');
  const [{ id }] = run.messages as { id: number }[];
  assert.ok(isRunning(id), 'it was noticed only when the grandchild had gone');
  await run.transport.close();
  await until('the grandchild has gone too', () => !isRunning(id));
});

test('a message that passes the limit closes the connection', async () => {
  await using run = start(
    `process.stdout.write('"' + 'x'.repeat(${limits.messageBytesMax + 10})); setInterval(() => {}, 1e6)`,
  );
  await run.transport.start();
  await until('it is closed', () => run.closed === 1);
  assert.match(run.errors[0], new RegExp(`passed ${limits.messageBytesMax} bytes`));
  assert.equal(run.messages, []);
});

for (const [what, text, count] of [
  ['many small messages', '', limits.queuedMessagesMax + 2],
  ['a few large messages', 'x'.repeat(1_048_576), limits.queuedBytesMax / 1_048_576 + 2],
] as const) {
  test(`a child that does not read is ended before ${what} pile up`, async () => {
    await using run = start('setInterval(() => {}, 1e6)');
    await run.transport.start();
    const message: JSONRPCMessage = { jsonrpc: '2.0', method: 'x', params: { text } };
    // A pipe takes some 64 KiB, so that a few small ones are not queued.
    const sent = Array.from({ length: 2 * count }, () => run.transport.send(message));
    const settled = Promise.allSettled(sent);
    await until('it is closed', () => run.closed === 1);
    assert.ok((await settled).slice(count).every(({ status }) => status === 'rejected'));
    assert.match(run.errors[0], /it does not read: \d+ messages with \d+ bytes wait for it/);
    assert.is(run.transport.reason, run.errors[0]);
  });
}

test('an answer that is neither a result nor an error becomes an error, other messages stay as they are', async () => {
  const said = [
    { id: 1, result: null },
    { id: 'two', result: { _meta: 5 } },
    { id: 3, error: 'text' },
    { id: 4 },
    { id: 5, result: { kept: true } },
    { id: 6, error: { code: 1, message: 'kept' } },
    { id: 7, method: 'ping' },
    { method: 'notifications/x' },
  ].map((fields) => ({ jsonrpc: '2.0', ...fields }));
  await using run = start(`for (const line of ${JSON.stringify(said)}) console.log(JSON.stringify(line))`);
  await run.transport.start();
  await until('all have come', () => run.messages.length === said.length);
  assert.equal(run.messages.slice(4), said.slice(4));
  for (const [index, message] of run.messages.slice(0, 4).entries()) {
    const { id, error } = message as { id: unknown; error: { code: number } };
    assert.equal([id, error.code], [said[index].id, -32_603]);
  }
});

test('stderr is kept in small: the last lines, cut, without control characters', async () => {
  await using run = start(`for (let i = 0; i < 1000; i++) console.error(i + ' \\u0007' + 'y'.repeat(100))`);
  await run.transport.start();
  await until('it is noticed', () => run.closed === 1);
  assert.is(run.transport.stderr.length, limits.stderrLinesMax);
  assert.is(run.transport.stderr.at(-1), `999  ${'y'.repeat(100)}`);
});

test('a command that does not exist is refused with its name', async () => {
  await using run = start('', '/nonexistent/server');
  try {
    await run.transport.start();
    assert.unreachable();
  } catch (error) {
    assert.match(String(error), /spawn \/nonexistent\/server ENOENT/);
  }
  assert.is(run.closed, 1);
});

test('every child is announced once when it comes and once when it goes', async () => {
  await using run = start('process.stdin.resume()');
  await run.transport.start();
  const { pid } = run.transport;
  await Promise.all([run.transport.close(), run.transport.close()]);
  assert.equal(run.children, [
    [pid, true],
    [pid, false],
  ]);
  assert.is(run.closed, 1);
});

/** A transport around a small Node program. */
function start(code: string, command = process.execPath) {
  const messages: JSONRPCMessage[] = [];
  const errors: string[] = [];
  const children: [number, boolean][] = [];
  const spec = { type: 'stdio', command, args: ['-e', code], env: {} } as const;
  const transport = new StdioTransport(
    { ...spec, args: [...spec.args] },
    { onChild: (pid, alive) => children.push([pid, alive]) },
  );
  const run = { transport, messages, errors, children, closed: 0, [Symbol.asyncDispose]: () => transport.close() };
  transport.onmessage = (message) => void messages.push(message);
  transport.onerror = (error) => void errors.push(error.message);
  transport.onclose = () => {
    run.closed += 1;
  };
  return run;
}

test.run();
