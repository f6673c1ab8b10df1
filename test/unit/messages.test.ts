import { deepStrictEqual } from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { type MessagePort, Worker } from 'node:worker_threads';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Address, balance, Registry, RegistryError } from '../../src/engine/index.ts';
import { lanesMax } from '../../src/shared/lanes.ts';
import { limits } from '../../src/shared/limits.ts';
import { codeOf } from '../support/errors.ts';
import { type Remote, Thread } from '../support/threads.ts';
import { until } from '../support/waiting.ts';

/* Messages within one process: what is delivered, in which order, and who is told when it cannot be. */
const test = suite('messages');

/** The code with which a promise rejects. */
async function rejection(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof RegistryError) return error.code;
    throw error;
  }
  throw new Error('it was not refused');
}

/** Keeps a thread from its event loop. @returns what lets it go on */
async function block(thread: Thread): Promise<() => Promise<void>> {
  const words = new Int32Array(new SharedArrayBuffer(8));
  const done = thread.run((_, words) => {
    Atomics.store(words, 1, 1);
    Atomics.wait(words, 0, 0);
  }, words);
  done.catch(() => {}); // it may be ended
  await until('it is blocked', () => Atomics.load(words, 1) === 1);
  return () => {
    Atomics.store(words, 0, 1);
    Atomics.notify(words, 0);
    return done;
  };
}

test('values arrive as structuredClone copies them', async () => {
  await using registry = await Registry.open();
  const received: unknown[] = [];
  registry.messages.receive((message) => received.push(message)).unref();
  registry.register('server', 'x');
  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  const values: unknown[] = [
    undefined,
    null,
    true,
    0,
    -0,
    Number.NaN,
    12345678901234567890n,
    '',
    'text',
    'Latin-1: é',
    '漢字 and a lone surrogate \ud800',
    { a: undefined, b: new Array(3), nested: { date: new Date(7), map: new Map([[1, new Set(['x'])]]) } },
    /pattern/gi,
    new Float64Array([1.5, 2.5]),
    new ArrayBuffer(5),
    new TypeError('of another thread', { cause: 1 }),
    cycle,
  ];
  for (const value of values) registry.messages.route('server', 'x', value);
  await until('all arrive', () => received.length === values.length);
  deepStrictEqual(received, values);
});

test('byte arrays arrive as bytes of their own', async () => {
  await using registry = await Registry.open();
  const received: Uint8Array[] = [];
  registry.messages.receive((message) => received.push(message as Uint8Array)).unref();
  registry.register('server', 'x');
  const shared = new Uint8Array(new SharedArrayBuffer(3)).fill(9);
  const sent = [new Uint8Array([1, 2, 3]), Buffer.from('bytes').subarray(1, 4), new Uint8Array(0), shared];
  for (const bytes of sent) registry.messages.route('server', 'x', bytes);
  await until('all arrive', () => received.length === sent.length);
  for (const [n, bytes] of received.entries()) {
    assert.equal([...bytes], [...sent[n]]);
    assert.not.ok(bytes.buffer instanceof SharedArrayBuffer);
  }
  registry.messages.route('server', 'x', { inside: new Uint8Array([7]) });
  await until('the last', () => received.length === sent.length + 1);
  const { inside } = received.at(-1) as unknown as { inside: Uint8Array<ArrayBuffer> };
  assert.equal([...structuredClone(inside, { transfer: [inside.buffer] })], [7]);
});

test('what cannot be cloned is refused, and sends nothing', async () => {
  await using registry = await Registry.open();
  const received: unknown[] = [];
  registry.messages.receive((message) => received.push(message)).unref();
  registry.register('server', 'x');
  const { port1 } = new MessageChannel();
  for (const value of [() => {}, Symbol('s'), new SharedArrayBuffer(4), port1, new WeakMap(), { deep: [() => {}] }]) {
    assert.is(
      codeOf(() => registry.messages.route('server', 'x', value)),
      'INVALID_MESSAGE',
    );
  }
  port1.close();
  const options = { transferList: [] } as object;
  assert.throws(
    () => registry.messages.route('server', 'x', 1, options),
    ({ code, message }: RegistryError) => code === 'INVALID_OPTION' && message.includes('MessagePort'),
  );
  registry.messages.route('server', 'x', 'last');
  await until('the last arrives', () => received.length > 0);
  assert.equal(received, ['last']);
});

test('what was posted to a port before a message was sent is there when that is handled', async () => {
  await using registry = await Registry.open();
  await using thread = await Thread.start(registry.handle);
  const { port1, port2 } = new MessageChannel();
  const take = ({ registry, kept }: Remote, films: MessagePort) => {
    const { receiveMessageOnPort } = process.getBuiltinModule('worker_threads');
    kept.received = [];
    registry.messages.receive((message) => {
      const value = message === 'film' ? receiveMessageOnPort(films)!.message.byteLength : message;
      kept.received.push(value);
    });
    registry.register('server', 'projector');
  };
  await thread.run(take, port2, [port2]);
  for (let n = 1; n <= 100; n++) {
    const film = new Uint8Array(n * 10_000);
    port1.postMessage(film, [film.buffer]);
    assert.is(film.byteLength, 0);
    registry.messages.route('server', 'projector', 'film');
    registry.messages.route('server', 'projector', `after ${n}`);
  }
  const received = await thread.run(async ({ kept }) => {
    while (kept.received.length < 200) await new Promise(setImmediate);
    return kept.received as unknown[];
  });
  assert.equal(received, Array.from({ length: 100 }, (_, n) => [(n + 1) * 10_000, `after ${n + 1}`]).flat());
  port1.close();
});

/** The smallest. (Node's types know no `WebAssembly`.) */
function wasmModule(): object {
  type Modules = { readonly WebAssembly: { readonly Module: new (code: Uint8Array) => object } };
  const { Module } = (globalThis as unknown as Modules).WebAssembly;
  return new Module(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]));
}

test('what a clone would leave out is refused like what cannot be cloned', async () => {
  await using registry = await Registry.open();
  const received: unknown[] = [];
  registry.messages.receive((message) => received.push(message)).unref();
  registry.register('server', 'x');
  const module = wasmModule();
  const many = Array.from({ length: 1_000 }, (_, n) => ({ n }));
  const url = new URL('http://localhost');
  for (const value of [module, { module }, url, [...many, { in: url }], new Map([[1, new Headers()]]), new Blob([])]) {
    assert.is(
      codeOf(() => registry.messages.route('server', 'x', value)),
      'INVALID_MESSAGE',
    );
  }
  class Bare {
    #hidden = 1;
    get value(): number {
      return this.#hidden;
    }
  }
  const cycle: { self?: unknown; empty: object } = { empty: {} };
  cycle.self = cycle;
  const sparse: unknown[] = [];
  sparse[2 ** 32 - 2] = {};
  const fine = [{}, new Bare(), cycle, sparse, [new Map(), new Set(), new Date(0)]];
  for (const value of fine) registry.messages.route('server', 'x', value);
  await until('all arrive', () => received.length === fine.length);
  deepStrictEqual(received, [{}, {}, cycle, sparse, fine[4]]);
});

test('a message that its receiver cannot read is lost alone, and told', async () => {
  await using registry = await Registry.open();
  const received: unknown[] = [];
  const errors: unknown[] = [];
  registry.messages.receive((message) => received.push(message), { onError: (error) => errors.push(error) }).unref();
  registry.messages.serve(() => 'reply').unref();
  registry.register('server', 'x');
  const hidden = wasmModule();
  // Too many objects for the sender to look at.
  const value = [{ hidden }, ...Array.from({ length: 1_000 }, (_, n) => ({ n }))];
  registry.messages.route('server', 'x', value);
  registry.messages.route('server', 'x', 'next');
  assert.is(await rejection(registry.messages.call('server', 'x', value)), 'INVALID_MESSAGE');
  assert.is(await registry.messages.call('server', 'x', 1), 'reply');
  assert.equal(received, ['next']);
  assert.equal(
    errors.map((error) => (error as RegistryError).code),
    ['INVALID_MESSAGE'],
  );
});

test('the size of a message is limited, and the limit itself fits', async () => {
  await using registry = await Registry.open({ messageBytesMax: 1_000 });
  const received: unknown[] = [];
  registry.messages.receive((message) => received.push(message)).unref();
  registry.register('server', 'x');
  for (const size of [1_001, 100_000]) {
    assert.is(
      codeOf(() => registry.messages.route('server', 'x', 'x'.repeat(size))),
      'MESSAGE_TOO_LARGE',
    );
  }
  assert.is(
    codeOf(() => registry.messages.route('server', 'x', '漢'.repeat(501))),
    'MESSAGE_TOO_LARGE',
  );
  // Whatever is left at the end of the ring: the largest always fits an empty one.
  for (let n = 0; n < 50; n++) {
    registry.messages.route('server', 'x', 'x'.repeat(n * 7));
    registry.messages.route('server', 'x', '漢'.repeat(500));
    await until('both arrive', () => received.length === 2 * n + 2);
  }
  const urgent = { urgent: true };
  assert.is(
    codeOf(() => registry.messages.route('server', 'x', 'x'.repeat(1_001), urgent)),
    'MESSAGE_TOO_LARGE',
  );
  await using large = await Registry.open();
  large.messages.receive(() => {}).unref();
  large.register('server', 'x');
  large.messages.route('server', 'x', 'x'.repeat(limits.urgentBytesMax), urgent);
  const over = 'x'.repeat(limits.urgentBytesMax + 1);
  assert.is(
    codeOf(() => large.messages.route('server', 'x', over, urgent)),
    'MESSAGE_TOO_LARGE',
  );
});

test('names and owners that are not there are told at once', async () => {
  await using registry = await Registry.open();
  const route = (id: string) => () => registry.messages.route('server', id, 1);
  assert.is(codeOf(route('nobody')), 'NOT_FOUND');
  registry.register('server', 'deaf');
  assert.is(codeOf(route('deaf')), 'NOT_RECEIVING');
  const owner = registry.owner();
  registry.messages.receive(() => {}, { owner }).unref();
  registry.messages.routeTo(owner, 1);
  owner.close();
  assert.is(
    codeOf(() => registry.messages.routeTo(owner, 1)),
    'NOT_FOUND',
  );
  assert.is(await rejection(registry.messages.callTo(owner, 1)), 'NOT_FOUND');
  for (const nonsense of [{}, null, { slot: -1, epoch: 1 }, { slot: 1e9, epoch: 1 }, { slot: 1.5, epoch: 1 }]) {
    assert.is(
      codeOf(() => registry.messages.routeTo(nonsense as Address, 1)),
      'INVALID_OPTION',
    );
  }
});

test('who only serves gets no messages, who only receives no calls, and senders are told which', async () => {
  await using registry = await Registry.open();
  const { messages } = registry;
  const received: unknown[] = [];
  for (const [id, role] of [
    ['serves', 'serve'],
    ['receives', 'receive'],
  ] as const) {
    const owner = registry.owner();
    messages[role]((message: unknown) => received.push(message), { owner }).unref();
    registry.register('server', id, { owner });
  }
  assert.throws(
    () => messages.route('server', 'serves', 'lost'),
    ({ code, message }: RegistryError) => code === 'NOT_RECEIVING' && message.endsWith('call receive first'),
  );
  assert.is(await rejection(messages.routeAsync('server', 'serves', 'lost')), 'NOT_RECEIVING');
  await messages.call('server', 'receives', 'lost').then(
    () => assert.unreachable(),
    ({ code, message }) => assert.equal([code, message.endsWith('call serve first')], ['NOT_RECEIVING', true]),
  );
  assert.is(messages.broadcast('server', 'to all'), 1);
  messages.route('server', balance(['serves', 'receives']), 'passes over');
  await messages.call('server', 'serves', 'asked');
  await until('all arrive', () => received.length === 3);
  assert.equal(received.toSorted(), ['asked', 'passes over', 'to all']);
});

test('who waits for room is told when the owner stops receiving meanwhile', async () => {
  await using registry = await Registry.open({ messageBytesMax: 1_000 });
  await using thread = await Thread.start(registry.handle);
  await thread.run(({ registry, kept }) => {
    kept.receiver = registry.messages.receive(() => kept.receiver.close());
    registry.messages.serve(() => {});
    registry.register('server', 'x');
  });
  const unblock = await block(thread);
  const outcomes = Array.from({ length: 5 }, () =>
    registry.messages.routeAsync('server', 'x', 'x'.repeat(1_000)).then(
      () => 'sent',
      ({ code }) => code,
    ),
  );
  await unblock();
  assert.is((await Promise.all(outcomes)).at(-1), 'NOT_RECEIVING');
});

test('the next tenant of a slot gets none of the mail of the one before', async () => {
  await using registry = await Registry.open({ ownersMax: 1 });
  const received: string[] = [];
  for (let n = 0; n < 20; n++) {
    const owner = registry.owner();
    registry.messages.receive((message) => received.push(`${n} ${message}`), { owner });
    registry.messages.routeTo(owner, n);
    if (n % 2) await until('it arrives', () => received.at(-1) === `${n} ${n}`);
    owner.close(); // else it is on its way
  }
  await registry.messages.callTo({ slot: 1, epoch: 1 }, 0).catch(() => {});
  for (const line of received) assert.is(line.split(' ')[0], line.split(' ')[1]);
  assert.is(received.length, 10);
});

test('one owner has one handler of a kind, and may have another once that is closed', async () => {
  await using registry = await Registry.open();
  const received: string[] = [];
  const first = registry.messages.receive((message) => received.push(`first ${message}`));
  registry.messages.serve(() => 'reply').unref();
  assert.is(
    codeOf(() => registry.messages.receive(() => {})),
    'INVALID_OPTION',
  );
  registry.register('server', 'x');
  registry.messages.route('server', 'x', 1);
  await until('it arrives', () => received.length === 1);
  first.close();
  first.close();
  assert.is(await registry.messages.call('server', 'x', 1), 'reply');
  assert.is(
    codeOf(() => registry.messages.route('server', 'x', 'for nobody')),
    'NOT_RECEIVING',
  );
  assert.is(await registry.messages.call('server', 'x', 1), 'reply');
  const stop = new AbortController();
  registry.messages.receive((message) => received.push(`second ${message}`), { signal: stop.signal });
  registry.messages.route('server', 'x', 2);
  await until('it arrives', () => received.length === 2);
  stop.abort();
  registry.messages.receive((message) => received.push(`third ${message}`)).unref();
  registry.messages.route('server', 'x', 3);
  await until('it arrives', () => received.length === 3);
  assert.equal(received, ['first 1', 'second 2', 'third 3']);
});

test('messages of one sender keep their order; urgent ones overtake', async () => {
  await using registry = await Registry.open();
  await using thread = await Thread.start(registry.handle);
  await thread.run(({ registry, kept }) => {
    kept.received = [];
    registry.messages.receive((message, { urgent }) => kept.received.push(urgent ? `urgent ${message}` : message));
    registry.register('server', 'x');
  });
  const unblock = await block(thread);
  for (let n = 0; n < 500; n++) {
    registry.messages.route('server', 'x', n);
    if (n % 100 === 99) registry.messages.route('server', 'x', n, { urgent: true });
  }
  await unblock();
  const received = await thread.run(async ({ kept }) => {
    while (kept.received.length < 505) await new Promise(setImmediate);
    return kept.received as (number | string)[];
  });
  const urgent = [99, 199, 299, 399, 499].map((n) => `urgent ${n}`);
  assert.equal(received, [...urgent, ...Array.from({ length: 500 }, (_, n) => n)]);
});

for (const urgent of [false, true]) {
  test(`messages without end leave the event loop its turns${urgent ? ': urgent ones' : ''}`, async () => {
    await using registry = await Registry.open();
    let count = 0;
    let turned = false;
    const receiver = registry.messages.receive(() => {
      // Far more than one turn delivers: nothing else ends this.
      if (turned || ++count > 100 * limits.drainTurnMessages) receiver.close();
      else registry.messages.route('server', 'x', count, { urgent });
    });
    registry.register('server', 'x');
    registry.messages.route('server', 'x', 0, { urgent });
    await until('the first arrives', () => count > 0);
    turned = true;
    assert.ok(count <= 100 * limits.drainTurnMessages, 'the event loop was blocked');
  });
}

test('a handler that throws hurts nobody else, and is told of', async () => {
  await using registry = await Registry.open();
  const errors: string[] = [];
  const received: unknown[] = [];
  const onError = (error: unknown) => errors.push((error as Error).message);
  const handler = (message: unknown) => {
    received.push(message);
    if (message === 1) throw new Error('at once');
    return message === 2 ? Promise.reject(new Error('later')) : undefined;
  };
  registry.messages.receive(handler, { onError }).unref();
  registry.register('server', 'x');
  for (let n = 0; n < 5; n++) registry.messages.route('server', 'x', n);
  await until('all arrive', () => received.length === 5 && errors.length === 2);
  assert.equal(received, [0, 1, 2, 3, 4]);
  assert.equal(errors, ['at once', 'later']);
});

test('what an onError throws, at once or later, becomes a warning', async () => {
  await using registry = await Registry.open();
  const warnings: string[] = [];
  const onWarning = ({ message }: Error) => warnings.push(message);
  process.on('warning', onWarning);
  try {
    for (const onError of [() => assert.unreachable('at once'), () => Promise.reject(new Error('later'))]) {
      const owner = registry.owner();
      const handler = () => {
        throw new Error('of the handler');
      };
      registry.messages.receive(handler, { owner, onError }).unref();
      registry.messages.routeTo(owner, 1);
    }
    await until('both are told', () => warnings.length === 2);
  } finally {
    process.off('warning', onWarning);
  }
  assert.match(warnings[0], 'at once');
  assert.match(warnings[1], 'later');
});

test('a full lane is told to the sender; who waits gets through in its turn', async () => {
  await using registry = await Registry.open({ messageBytesMax: 1_000 });
  await using thread = await Thread.start(registry.handle);
  await thread.run(({ registry, kept }) => {
    kept.received = [];
    registry.messages.receive((message) => kept.received.push((message as string).split(' ')[0]));
    registry.register('server', 'x');
  });
  const unblock = await block(thread);
  let sent = 0;
  const message = () => `${sent++} ${'x'.repeat(900)}`;
  const full = () => codeOf(() => registry.messages.route('server', 'x', 'x'.repeat(900)));
  while (sent < 2) registry.messages.route('server', 'x', message());
  const waiting = Array.from({ length: 20 }, () => registry.messages.routeAsync('server', 'x', message()));
  assert.is(full(), 'MAILBOX_FULL');
  // A short one would fit, but may not overtake; an urgent one does.
  assert.is(
    codeOf(() => registry.messages.route('server', 'x', '')),
    'MAILBOX_FULL',
  );
  registry.messages.route('server', 'x', 'urgent', { urgent: true });
  const abort = new AbortController();
  const given = registry.messages.routeAsync('server', 'x', 'aborted', { signal: abort.signal });
  const late = registry.messages.routeAsync('server', 'x', 'late', { timeoutMs: 1 });
  abort.abort(new Error('enough'));
  await given.then(
    () => assert.unreachable(),
    (error) => assert.is(error.message, 'enough'),
  );
  assert.is(await rejection(late), 'TIMEOUT');
  await unblock();
  await Promise.all(waiting);
  const received = await thread.run(async ({ kept }) => {
    while (kept.received.length < 23) await new Promise(setImmediate);
    return kept.received as string[];
  });
  assert.equal(received, ['urgent', ...Array.from({ length: 22 }, (_, n) => String(n))]);
});

test('who waits for room in the lane of a thread that ends is told', async () => {
  await using registry = await Registry.open({ messageBytesMax: 1_000 });
  await using thread = await Thread.start(registry.handle);
  await thread.run(({ registry }) => {
    registry.messages.receive(() => {});
    registry.register('server', 'x');
  });
  await block(thread);
  const waiting: Promise<string>[] = [];
  for (let n = 0; n < 5; n++) waiting.push(rejection(registry.messages.routeAsync('server', 'x', 'x'.repeat(1_000))));
  for (const outcome of waiting) outcome.catch(() => {}); // the first ones fit
  await thread.end();
  assert.is(await waiting.at(-1), 'NOT_FOUND');
});

test('at most so many wait for room in one ring', async () => {
  await using registry = await Registry.open({ messageBytesMax: 100 });
  await using thread = await Thread.start(registry.handle);
  await thread.run(({ registry }) => {
    registry.messages.receive(() => {});
    registry.register('server', 'x');
  });
  await block(thread);
  const outcomes: Promise<string>[] = [];
  for (let n = 0; n < limits.waitingMax + 10; n++) {
    outcomes.push(
      registry.messages.routeAsync('server', 'x', 'x'.repeat(100)).then(
        () => 'sent',
        ({ code }) => code,
      ),
    );
  }
  assert.is(await outcomes.at(-1), 'MAILBOX_FULL');
  await thread.end();
  const codes = await Promise.all(outcomes);
  assert.is(codes.filter((code) => code === 'NOT_FOUND').length, limits.waitingMax);
});

test('a broadcast reaches each owner of a kind once, and only those that receive', async () => {
  await using registry = await Registry.open();
  const received: string[] = [];
  const owners = ['a', 'b', 'deaf'].map((id) => {
    const owner = registry.owner();
    registry.register('server', id, { owner });
    registry.register('server', `${id} again`, { owner });
    if (id !== 'deaf') registry.messages.receive((message) => received.push(`${id} ${message}`), { owner }).unref();
    return owner;
  });
  await using thread = await Thread.start(registry.handle);
  await thread.run(({ registry, kept }) => {
    registry.messages.receive((message) => {
      kept.received = message;
    });
    registry.register('server', 'c');
  });
  assert.is(registry.messages.broadcast('server', 'all'), 3);
  assert.is(registry.messages.broadcast('no such kind', 'all'), 0);
  await until('all here', () => received.length === 2);
  assert.equal(received.toSorted(), ['a all', 'b all']);
  const there = thread.run(async ({ kept }) => {
    while (kept.received === undefined) await new Promise(setImmediate);
    return kept.received;
  });
  assert.is(await there, 'all');
  const some = [owners[0], owners[0], registry.whereis('server', 'b')!.owner];
  assert.is(registry.messages.broadcast(some, 'some', { urgent: true }), 2);
  await until('some here', () => received.length === 4);
  registry.groups.join('pair', { owner: owners[0] });
  registry.groups.join('pair', { owner: owners[1] });
  assert.is(registry.messages.broadcast(registry.groups.members('pair'), 'pair'), 2);
  assert.is(registry.messages.broadcast(registry.list('server'), 'listed'), 3);
  await until('members and entries here', () => received.length === 8);
  assert.equal(received.slice(4).toSorted(), ['a listed', 'a pair', 'b listed', 'b pair']);
});

test('a broadcast to a slot of which an earlier tenant is listed, too, reaches the one who lives', async () => {
  await using registry = await Registry.open({ ownersMax: 1 });
  const before = registry.owner();
  before.close();
  const owner = registry.owner();
  assert.is(owner.slot, before.slot);
  registry.messages.receive(() => {}, { owner }).unref();
  assert.is(registry.messages.broadcast([owner, before], 1), 1);
  assert.is(registry.messages.broadcast([before, owner], 1), 1);
});

test('a broadcast leaves out those for whom there is no lane any more', async () => {
  await using registry = await Registry.open({ shards: 1, messageBytesMax: limits.messageBytesMax, threadsMax: 300 });
  const lanes = lanesMax(limits.messageBytesMax);
  const attached = Array.from({ length: lanes + 3 }, () => Registry.attach(registry.handle));
  let received = 0;
  for (const each of attached) each.messages.receive(() => received++);
  const owners = attached.map((each, n) => each.register('kind', `${n}`) && registry.whereis('kind', `${n}`)!.owner);
  assert.is(registry.messages.broadcast(owners, 'all'), lanes);
  await until('they have it', () => received === lanes);
  for (const each of attached) await each.close();
  assert.is(
    codeOf(() => registry.messages.broadcast(5 as never, 'x')),
    'INVALID_OPTION',
  );
});

test('a sender is named, and can be answered', async () => {
  await using registry = await Registry.open();
  await using thread = await Thread.start(registry.handle);
  const threadId = await thread.run(({ registry }) => {
    registry.messages.receive((message, { from }) => registry.messages.routeTo(from, `${message} back`));
    registry.register('server', 'x');
    return process.getBuiltinModule('worker_threads').threadId;
  });
  const answers: string[] = [];
  registry.messages.receive((message, { from }) => answers.push(`${message} from ${from.threadId}`)).unref();
  registry.messages.route('server', 'x', 'there and');
  await until('the answer', () => answers.length === 1);
  assert.equal(answers, [`there and back from ${threadId}`]);
});

/** A thread with nothing to do but what the code says. */
function bareWorker(registry: Registry, code: string): Worker {
  const engine = new URL('../../src/engine/index.ts', import.meta.url);
  const source = `
    import { workerData } from 'node:worker_threads';
    import { Registry } from '${engine}';
    const registry = Registry.attach(workerData);
    ${code}`;
  return new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), { workerData: registry.handle });
}

test('a thread that receives stays alive, until it does not or is told not to', async () => {
  await using registry = await Registry.open();
  const ended = new Set<string>();
  const start = (name: string, code: string) => {
    bareWorker(registry, code).once('exit', () => ended.add(name));
  };
  start('closed', "const r = registry.messages.receive(() => r.close()); registry.register('server', 'closed');");
  start(
    'of an owner',
    `const owner = registry.owner();
     registry.messages.receive(() => owner.close(), { owner });
     registry.register('server', 'of an owner', { owner });`,
  );
  await until('both receive', () => registry.has('server', 'closed') && registry.has('server', 'of an owner'));
  start('unref', 'registry.messages.receive(() => {}).unref();');
  start('deaf', '');
  await until('who need not stay ends', () => ended.has('unref') && ended.has('deaf'));
  assert.is(ended.size, 2);
  for (const id of ['closed', 'of an owner']) registry.messages.route('server', id, 'end');
  await until('and so do the others', () => ended.size === 4);
});

test('the handlers of an owner whose time is over keep no thread alive', async () => {
  await using registry = await Registry.open();
  const ended = new Set<string>();
  const start = (name: string, then: string) => {
    const code = `
    const owner = registry.owner({ ttlMs: 3_600_000 });
    registry.messages.receive(() => {}, { owner });
    registry.messages.serve(() => {}, { owner });
    owner.renew(20);
    ${then}`;
    bareWorker(registry, code).once('exit', () => ended.add(name));
  };
  start('left alone', '');
  start('closed late', 'const timer = setInterval(() => owner.alive || clearInterval(timer, owner.close()), 1);');
  await until('both end', () => ended.size === 2);
});

test('one signal that ends very many has one listener', async () => {
  await using registry = await Registry.open({ messageBytesMax: 1_000 });
  const { messages } = registry;
  registry.register('server', 'x');
  const { signal, abort } = abortable();
  messages.receive(() => {}, { signal });
  messages.serve(() => new Promise(() => {}), { signal });
  const own = registry.whereis('server', 'x')!.owner;
  const monitors = Array.from({ length: 10 }, () => registry.monitor(own, { signal }));
  const waiting: Promise<string>[] = [];
  const reason = (promise: Promise<unknown>) =>
    promise.then(
      () => 'done',
      (error) => error.message,
    );
  for (let n = 0; n < 10; n++) waiting.push(reason(messages.call('server', 'x', n, { signal })));
  for (let n = 0; n < 20; n++) waiting.push(reason(messages.routeAsync('server', 'x', 'x'.repeat(1_000), { signal })));
  assert.is(getEventListeners(signal, 'abort').length, 1);
  const early = registry.monitor(own, { signal });
  early.close();
  assert.is(getEventListeners(signal, 'abort').length, 1);
  abort();
  const outcomes = await Promise.all(waiting);
  assert.equal(outcomes.slice(0, 10), Array(10).fill('enough'));
  assert.is(outcomes.at(-1), 'enough');
  assert.is(getEventListeners(signal, 'abort').length, 0);
  assert.is(
    codeOf(() => messages.routeTo(own, 1)),
    'NOT_RECEIVING',
  );
  for (const monitor of monitors) monitor.close();
  const other = abortable();
  registry.monitor(own, { signal: other.signal }).close();
  assert.is(getEventListeners(other.signal, 'abort').length, 0, 'nothing to do');
});

function abortable(): { signal: AbortSignal; abort: () => void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort(new Error('enough')) };
}

/** Attaches, sends, closes. */
function visit(registry: Registry): void {
  const visitor = Registry.attach(registry.handle);
  try {
    visitor.messages.route('server', 'x', 'visit');
  } finally {
    void visitor.close();
  }
}

test('the lane of a sender that has ended is free once what it sent is read, also while others flood', async () => {
  await using registry = await Registry.open({ messageBytesMax: limits.messageBytesMax });
  let visits = 0;
  const receiver = registry.messages.receive((message) => {
    if (message === 'visit') visits++;
    else registry.messages.route('server', 'x', message); // without end
  });
  registry.register('server', 'x');
  registry.messages.route('server', 'x', 'flood');
  const lanesMax = Math.floor(limits.lanesBytesMax / (2 * limits.messageBytesMax)); // more than there are
  for (let n = 1; n <= lanesMax; n++) {
    visit(registry);
    await until('it is read', () => visits === n);
  }
  receiver.close();
});

test('lanes of senders that have ended wait for their receiver, and the error says so', async () => {
  await using registry = await Registry.open({ messageBytesMax: limits.messageBytesMax });
  let visits = 0;
  registry.messages.receive(() => visits++).unref();
  registry.register('server', 'x');
  let sent = 0;
  const visitAll = () => {
    for (;;) {
      visit(registry);
      sent++;
    }
  };
  assert.throws(visitAll, ({ code, message }: RegistryError) => code === 'LANES_FULL' && message.includes('a turn'));
  assert.ok(sent > 100);
  await until('all are read', () => visits === sent);
  visit(registry);
  await until('there is room', () => visits === sent + 1);
});

test('a closed registry refuses, and delivers no more', async () => {
  const registry = await Registry.open();
  const received: unknown[] = [];
  registry.messages.receive((message) => received.push(message));
  registry.register('server', 'x');
  registry.messages.route('server', 'x', 'on its way');
  const { owner } = registry.whereis('server', 'x')!;
  await registry.close();
  assert.is(
    codeOf(() => registry.messages.route('server', 'x', 1)),
    'CLOSED',
  );
  assert.is(
    codeOf(() => registry.messages.routeTo(owner, 1)),
    'CLOSED',
  );
  assert.is(
    codeOf(() => registry.messages.receive(() => {})),
    'CLOSED',
  );
  assert.is(await rejection(registry.messages.call('server', 'x', 1)), 'CLOSED');
  assert.is(
    codeOf(() => registry.messages.broadcast([], 1)),
    'CLOSED',
  );
  assert.equal(received, []);
});

test('nonsense is refused by name', async () => {
  await using registry = await Registry.open();
  registry.messages.receive(() => {}).unref();
  registry.register('server', 'x');
  const { messages } = registry;
  const nonsense: (() => unknown)[] = [
    () => messages.route('server', 'x', 1, { urgent: 1 } as never),
    () => messages.route('server', 'x', 1, { soon: true } as never),
    () => messages.route('server', 7 as never, 1),
    () => messages.route('server', 'x', 1, null as never),
    () => messages.serve('handler' as never),
    () => messages.serve(() => {}, { signal: 1 } as never),
    () => messages.serve(() => {}, { owner: {} } as never),
    () => messages.serve(() => {}, { owners: [] } as never),
    () => messages.receive(() => {}, { onError: 'warn' } as never),
  ];
  for (const [n, call] of nonsense.entries()) assert.is(codeOf(call), 'INVALID_OPTION', `nonsense ${n}`);
  for (const timeoutMs of [-1, Number.NaN, Number.POSITIVE_INFINITY, limits.timeoutMsMax + 0.5]) {
    assert.is(await rejection(messages.call('server', 'x', 1, { timeoutMs })), 'INVALID_OPTION');
    assert.is(await rejection(messages.routeAsync('server', 'x', 1, { timeoutMs })), 'INVALID_OPTION');
    assert.is(await rejection(registry.awaitName('server', 'nobody', { timeoutMs })), 'INVALID_OPTION');
  }
});

test.run();
