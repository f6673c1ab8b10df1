import { once } from 'node:events';
import { MessageChannel, threadId, Worker } from 'node:worker_threads';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Mesh, type MeshOptions } from '../../src/gateway/mesh.ts';
import type { CallRequest, ProgressReport } from '../../src/gateway/messages.ts';

/*
 * The wires between threads. Invariant: every call settles exactly once, and leaves nothing pending.
 * Two meshes here stand for two threads; the death of a thread is shown with a real one.
 */
const test = suite('mesh');
const never = new AbortController().signal;
const request: CallRequest = { server: 's', tool: 't', slot: 1, epoch: 1, params: {}, wantsProgress: false };

test('a call is carried to the other thread and back, with its progress in order', async () => {
  using pair = meshes({
    serve: async ({ params }, { onProgress }) => {
      for (let progress = 1; progress <= 3; progress++) onProgress?.({ progress });
      return { content: [], structuredContent: params.arguments };
    },
  });
  const progress: ProgressReport[] = [];
  const onProgress = (step: ProgressReport) => void progress.push(step);
  const input = { a: [1, null, 'ü'] };
  const result = await pair.here.call(
    2,
    { ...request, params: { arguments: input }, wantsProgress: true },
    { signal: never, timeoutMs: 60_000, onProgress },
  );
  assert.equal(result, { content: [], structuredContent: input });
  assert.equal(progress, [{ progress: 1 }, { progress: 2 }, { progress: 3 }]);
  assert.is(pair.here.pending, 0);
});

test('answers find their calls, in whatever order they come', async () => {
  const waiting: (() => void)[] = [];
  using pair = meshes({
    serve: ({ tool }) => new Promise((resolve) => waiting.push(() => resolve(tool))),
  });
  const calls = ['a', 'b', 'c'].map((tool) => send(pair.here, { ...request, tool }));
  await turnsUntil(() => waiting.length === 3);
  for (const answer of waiting.reverse()) answer();
  assert.equal(await Promise.all(calls), ['a', 'b', 'c']);
});

test('an error keeps its code, message and data', async () => {
  using pair = meshes({
    serve: async () => {
      throw Object.assign(new Error('broken pipe'), { code: 'EPIPE' });
    },
  });
  const error = await failure(send(pair.here));
  assert.equal(
    [error.code, error.message, error.data],
    [-32_603, 'upstream "s": broken pipe', { code: 'UPSTREAM_FAILED', server: 's' }],
  );
});

test('what cannot be carried fails its call and nothing else', async () => {
  using pair = meshes({ serve: async ({ tool }) => (tool === 'bad' ? () => {} : 'good') });
  const error = await failure(send(pair.here, { ...request, tool: 'bad' }));
  assert.match(error.message, /could not be cloned/);
  const uncloneable = { ...request, params: { arguments: { x: () => {} } } };
  assert.match((await failure(send(pair.here, uncloneable))).message, /could not be cloned/);
  assert.is(await send(pair.here), 'good');
  assert.is(pair.here.pending, 0);
});

for (const target of [1, 2]) {
  const where = target === 1 ? 'on this thread' : 'on another thread';

  test(`a cancelled call ends at once and is cancelled where it is served, ${where}`, async () => {
    let served: AbortSignal | undefined;
    using pair = meshes({
      serve: keep((signal) => {
        served = signal;
      }),
    });
    const leave = new AbortController();
    const call = failure(pair.here.call(target, request, { signal: leave.signal, timeoutMs: 60_000 }));
    await turnsUntil(() => served !== undefined);
    leave.abort();
    assert.is((await call).code, 'CALL_CANCELLED');
    await turnsUntil(() => served?.aborted === true);
    assert.is(pair.here.pending, 0);
  });

  test(`a call that takes too long ends with its server, tool and time, ${where}`, async () => {
    let served: AbortSignal | undefined;
    using pair = meshes({
      serve: keep((signal) => {
        served = signal;
      }),
    });
    const error = await failure(pair.here.call(target, request, { signal: never, timeoutMs: 20 }));
    assert.is(error.code, 'CALL_TIMEOUT');
    assert.match(error.message, /s: "t" did not answer within 20 ms/);
    await turnsUntil(() => served?.aborted === true);
    assert.is(pair.here.pending, 0);
  });
}

test('a call that was cancelled before it began is not served', async () => {
  let served = 0;
  using pair = meshes({ serve: async () => ++served });
  const error = await failure(pair.here.call(2, request, { signal: AbortSignal.abort(), timeoutMs: 60_000 }));
  assert.is(error.code, 'CALL_CANCELLED');
  assert.is(await send(pair.here), 1);
});

test('more calls than the limit are refused with the number, and room comes back', async () => {
  const waiting: (() => void)[] = [];
  using pair = meshes({
    pendingCallsMax: 2,
    serve: () => new Promise((resolve) => waiting.push(() => resolve('done'))),
  });
  const calls = [send(pair.here), send(pair.here)];
  const error = await failure(send(pair.here));
  assert.is(error.code, 'TOO_MANY_CALLS');
  assert.match(error.message, /^2 calls are on the way/);
  await turnsUntil(() => waiting.length === 2);
  for (const answer of waiting) answer();
  assert.equal(await Promise.all(calls), ['done', 'done']);
  assert.is(pair.here.pending, 0);
});

test('when a thread dies, the calls it serves fail at once, and later ones too', async () => {
  const code =
    "const { parentPort } = require('node:worker_threads'); parentPort.on('message', (p) => { globalThis.p = p; parentPort.postMessage('ready'); })";
  const worker = new Worker(code, { eval: true });
  const { port1, port2 } = new MessageChannel();
  const mesh = new Mesh({ self: threadId, serve: never_, onToolsChanged: () => {} });
  mesh.attach(worker.threadId, port1);
  worker.postMessage(port2, [port2]);
  await once(worker, 'message');
  const calls = [1, 2, 3].map(() => failure(mesh.call(worker.threadId, request, { signal: never, timeoutMs: 60_000 })));
  const dead = worker.threadId;
  await worker.terminate();
  for (const error of await Promise.all(calls)) assert.is(error.code, 'THREAD_DIED');
  assert.is((await failure(mesh.call(dead, request, { signal: never, timeoutMs: 60_000 }))).code, 'THREAD_DIED');
  assert.is(mesh.pending, 0);
});

test('the wire to a thread that ended before it had its end of it is taken away by hand', async () => {
  const { port1, port2 } = new MessageChannel();
  const mesh = new Mesh({ self: 1, serve: never_, onToolsChanged: () => {} });
  mesh.attach(2, port1);
  const call = failure(send(mesh));
  mesh.detach(2);
  mesh.detach(2);
  assert.is((await call).code, 'THREAD_DIED');
  assert.is((await failure(send(mesh))).code, 'THREAD_DIED');
  port2.close();
});

test('calls taken from a thread that dies are cancelled', async () => {
  let served: AbortSignal | undefined;
  using pair = meshes({
    serve: keep((signal) => {
      served = signal;
    }),
  });
  void failure(send(pair.here));
  await turnsUntil(() => served !== undefined);
  pair.here.close();
  await turnsUntil(() => served?.aborted === true);
});

test('a change of tools is told to every other thread', async () => {
  let told = 0;
  using pair = meshes({
    onToolsChanged: () => {
      told += 1;
    },
  });
  pair.here.announceToolsChanged();
  await turnsUntil(() => told === 1);
});

/** Serves for ever, and tells by which signal it could be stopped. */
function keep(onServed: (signal: AbortSignal) => void): MeshOptions['serve'] {
  return (_request, { signal }) => {
    onServed(signal);
    return never_();
  };
}

function never_(): Promise<never> {
  return new Promise(() => {});
}

/** Two meshes with a wire between them; `options` are those of both. Their threads are number 1 and 2. */
function meshes(options: Partial<MeshOptions>): { here: Mesh; there: Mesh; [Symbol.dispose](): void } {
  const [here, there] = [1, 2].map((self) => new Mesh({ self, serve: never_, onToolsChanged: () => {}, ...options }));
  const { port1, port2 } = new MessageChannel();
  here.attach(2, port1);
  there.attach(1, port2);
  const dispose = () => {
    here.close();
    there.close();
  };
  return { here, there, [Symbol.dispose]: dispose };
}

function send(mesh: Mesh, call: CallRequest = request): Promise<unknown> {
  return mesh.call(2, call, { signal: never, timeoutMs: 60_000 });
}

async function turnsUntil(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 100_000; turn++) {
    if (condition()) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error('it never happened');
}

async function failure(call: Promise<unknown>): Promise<{ code: unknown; message: string; data?: unknown }> {
  try {
    await call;
  } catch (error) {
    return error as { code: unknown; message: string };
  }
  throw new Error('the call succeeded');
}

test.run();
