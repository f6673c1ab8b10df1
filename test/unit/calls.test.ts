import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { balance, Registry, RegistryError, RemoteError } from '../../src/engine/index.ts';
import { limits } from '../../src/shared/limits.ts';
import { Thread } from '../support/threads.ts';
import { until } from '../support/waiting.ts';

/* Calls: each ends once, with its reply, its failure, or why there is none. */
const test = suite('calls');

async function failure(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('the call did not fail');
}

test('a call resolves with what the handler returns, or its promise', async () => {
  await using registry = await Registry.open();
  await using thread = await Thread.start(registry.handle);
  await thread.run(({ registry }) => {
    registry.messages.serve((request) => {
      const { add, wait } = request as { add: [number, number]; wait?: boolean };
      const sum = add[0] + add[1];
      return wait ? new Promise((resolve) => setTimeout(resolve, 1, sum)) : sum;
    });
    registry.register('server', 'adder');
  });
  assert.is(await registry.messages.call('server', 'adder', { add: [1, 2] }), 3);
  assert.is(await registry.messages.call('server', 'adder', { add: [3, 4], wait: true }), 7);
  const many = Array.from({ length: 5_000 }, (_, n) => {
    return registry.messages.call('server', 'adder', { add: [n, n], wait: n % 100 === 0 }).catch((error) => error.code);
  });
  for (const [n, reply] of (await Promise.all(many)).entries()) {
    if (reply !== 'MAILBOX_FULL') assert.is(reply, 2 * n);
  }
});

test('what a handler throws is thrown by the call', async () => {
  await using registry = await Registry.open();
  await using thread = await Thread.start(registry.handle);
  await thread.run(({ registry }) => {
    const throwers: Record<string, () => unknown> = {
      error: () => {
        throw Object.assign(new TypeError('wrong type'), { code: 'E_TYPE' });
      },
      rejection: () => Promise.reject(new RangeError('later')),
      value: () => {
        throw { reason: 7 };
      },
      nothing: () => Promise.reject(),
      'cannot be cloned': () => {
        throw () => {};
      },
      'reply cannot be cloned': () => () => {},
      'reply too large': () => 'x'.repeat(100_000),
      'error too large': () => {
        throw new Error('x'.repeat(100_000));
      },
    };
    registry.messages.serve((what) => throwers[what as string]());
    registry.register('server', 'x');
  });
  const failing = (what: string) => failure(registry.messages.call('server', 'x', what));
  const error = await failing('error');
  assert.instance(error, RemoteError);
  assert.equal([error.name, error.message, error.code], ['TypeError', 'wrong type', 'E_TYPE']);
  assert.match(String(error.stack), 'wrong type');
  assert.is((await failing('rejection')).message, 'later');
  assert.equal(await failing('value'), { reason: 7 });
  assert.is(await failing('nothing'), undefined);
  assert.instance(await failing('cannot be cloned'), RemoteError);
  assert.is((await failing('reply cannot be cloned')).code, 'INVALID_MESSAGE');
  assert.is((await failing('reply too large')).code, 'MESSAGE_TOO_LARGE');
  assert.ok((await failing('error too large')).message.startsWith('xxx'));
});

test('whatever a handler returns or throws, its caller is told', async () => {
  await using registry = await Registry.open();
  const fail = () => {
    throw new Error('of a getter');
  };
  const getter = (key: string) => Object.defineProperty(new Error('x'), key, { get: fail });
  const throwers: Record<string, unknown> = {
    message: Object.assign(new Error(), { message: Object.create(null) }),
    name: getter('name'),
    code: getter('code'),
    stack: getter('stack'),
    proxy: new Proxy({}, { getPrototypeOf: fail }),
  };
  const returned: Record<string, unknown> = {
    thenable: Object.defineProperty({}, 'then', { get: fail }),
    constructor: Object.defineProperty(Promise.resolve(1), 'constructor', { get: fail }),
    getter: {
      get value(): unknown {
        throw throwers.proxy;
      },
    },
  };
  registry.messages
    .serve((what) => {
      const [how, key] = what as [string, string];
      if (how === 'rejects') return Promise.reject(throwers[key]);
      if (how === 'throws') throw throwers[key];
      return returned[key];
    })
    .unref();
  registry.register('server', 'x');
  const ask = (how: string, key: string) => failure(registry.messages.call('server', 'x', [how, key]));
  for (const key of Object.keys(throwers)) {
    for (const how of ['throws', 'rejects']) assert.instance(await ask(how, key), RemoteError, `${how} ${key}`);
  }
  for (const key of ['thenable', 'constructor']) assert.is((await ask('returns', key)).message, 'of a getter');
  assert.is(((await ask('returns', 'getter')) as RegistryError).code, 'INVALID_MESSAGE');
});

test('a refusal is cut to what a message may take, and holds up no later reply', async () => {
  for (const messageBytesMax of [4, 24, 64, 100, 512]) {
    await using registry = await Registry.open({ messageBytesMax });
    registry.messages.serve((n) => [1, 'x'.repeat(1_000), () => {}][n as number]).unref();
    registry.register('server', '漢'.repeat(20));
    const call = (n: number) => registry.messages.call('server', '漢'.repeat(20), n);
    const codes = ['MESSAGE_TOO_LARGE', 'INVALID_MESSAGE'];
    for (const [n, code] of codes.entries()) {
      const error = await failure(call(n + 1));
      if (messageBytesMax >= 24) assert.is(error.code, code);
      else assert.instance(error, RemoteError);
      assert.is(await call(0), 1);
    }
  }
});

test('a call ends with its time, and the handler hears of it', async () => {
  await using registry = await Registry.open();
  await using thread = await Thread.start(registry.handle);
  await thread.run(({ registry, kept }) => {
    kept.aborted = 0;
    registry.messages.serve((request, { signal }) => {
      if (request === 'count') return kept.aborted;
      return new Promise(() => signal.addEventListener('abort', () => kept.aborted++));
    });
    registry.register('server', 'x');
  });
  const { messages } = registry;
  assert.is((await failure(messages.call('server', 'x', 1, { timeoutMs: 5 }))).code, 'TIMEOUT');
  const abort = new AbortController();
  const aborted = failure(messages.call('server', 'x', 1, { signal: abort.signal }));
  abort.abort(new Error('enough'));
  assert.is((await aborted).message, 'enough');
  assert.is((await failure(messages.call('server', 'x', 1, { signal: abort.signal }))).message, 'enough');
  // Sent in order: the handler has heard of both by now.
  assert.is(await messages.call('server', 'x', 'count'), 2);
});

test('a signal that aborts while the request is read ends the call before it is sent', async () => {
  await using registry = await Registry.open();
  let calls = 0;
  registry.messages.serve(() => calls++);
  registry.register('kind', 'x');
  for (const call of ['call', 'callTo'] as const) {
    const controller = new AbortController();
    const request = {
      get x() {
        controller.abort('enough');
        return 1;
      },
    };
    const { signal } = controller;
    const reply =
      call === 'call'
        ? registry.messages.call('kind', 'x', request, { signal })
        : registry.messages.callTo(registry.whereis('kind', 'x')!.owner, request, { signal });
    assert.is(await reply.catch((reason) => reason), 'enough');
  }
  assert.is(await registry.messages.call('kind', 'x', 'now'), 0, 'none of them came');
});

test('deadlines that come in any order are each kept', async () => {
  await using registry = await Registry.open();
  registry.messages.serve(() => new Promise(() => {})).unref();
  registry.register('server', 'x');
  const outcomes = [30_000, 40, 5, 20, 10].map((timeoutMs) =>
    failure(registry.messages.call('server', 'x', 1, { timeoutMs })),
  );
  for (const outcome of outcomes.slice(1)) assert.is((await outcome).code, 'TIMEOUT');
  await registry.close();
  assert.is((await outcomes[0]).code, 'CLOSED');
});

test('a time-out may be as short as no time, and as long as a timer can wait', async () => {
  const warnings: Error[] = [];
  const warn = (warning: Error) => warnings.push(warning);
  process.on('warning', warn);
  await using registry = await Registry.open();
  registry.messages.serve(() => new Promise(() => {})).unref();
  registry.register('server', 'x');
  const { messages } = registry;
  const longest = failure(messages.call('server', 'x', 1, { timeoutMs: limits.timeoutMsMax }));
  await new Promise(setImmediate); // its timer is set, and what that says is said in the next tick
  assert.is((await failure(messages.call('server', 'x', 1, { timeoutMs: 0 }))).code, 'TIMEOUT');
  assert.is((await failure(registry.awaitName('server', 'nobody', { timeoutMs: 0 }))).code, 'TIMEOUT');
  process.off('warning', warn);
  assert.equal(warnings, []);
  await registry.close();
  assert.is((await longest).code, 'CLOSED');
});

for (const end of ['the owner is closed', 'the attachment is closed', 'the thread ends']) {
  test(`a call is rejected at once when its target ends: ${end}`, async () => {
    await using registry = await Registry.open();
    await using thread = await Thread.start(registry.handle);
    await thread.run(({ registry, kept }) => {
      kept.owner = registry.owner();
      registry.messages.serve((request) => (request === 1 ? 'replied' : new Promise(() => {})), { owner: kept.owner });
      registry.register('server', 'x', { owner: kept.owner });
    });
    const replied = registry.messages.call('server', 'x', 1);
    const waiting = failure(registry.messages.call('server', 'x', 2));
    assert.is(await replied, 'replied');
    if (end === 'the owner is closed') await thread.run(({ kept }) => kept.owner.close());
    else if (end === 'the attachment is closed') await thread.run(({ registry }) => registry.close());
    else await thread.end();
    assert.is((await waiting).code, 'OWNER_DEAD');
  });
}

test('a reply that was sent before its owner ended arrives', async () => {
  await using registry = await Registry.open();
  for (let n = 0; n < 200; n++) {
    const owner = registry.owner();
    // It ends in the turn in which it replies.
    const handler = () => {
      void Promise.resolve().then(() => owner.close());
      return n;
    };
    registry.messages.serve(handler, { owner });
    assert.is(await registry.messages.callTo(owner, 'x'), n);
  }
});

test('a handler that closes its own owner replies: its callers get what is there in that turn, the others are told', async () => {
  await using registry = await Registry.open();
  await using thread = await Thread.start(registry.handle);
  const ways = ['at once', 'later', 'throws', 'rejects', 'while others wait'];
  const owners = await thread.run(({ registry, kept }, ways) => {
    kept.aborted = 0;
    return Array.from({ length: 200 }, (_, n) => {
      const owner = registry.owner();
      const end = (): string => {
        owner.close();
        return 'last words';
      };
      const handlers: Record<string, () => unknown> = {
        'at once': end,
        later: async () => {
          for (let turn = 0; turn < 20; turn++) await undefined;
          const words = end();
          for (let more = 0; more < 20; more++) await undefined;
          return words;
        },
        throws: () => {
          throw new Error(end());
        },
        rejects: () => new Promise((_, reject) => setImmediate(() => reject(new Error(end())))),
        'while others wait': () => new Promise((resolve) => setImmediate(() => resolve(end()))),
      };
      registry.messages.serve(
        (what, { signal }) => {
          if (what !== 'wait') return handlers[ways[n % ways.length]]();
          return new Promise(() => signal.addEventListener('abort', () => kept.aborted++));
        },
        { owner },
      );
      return { slot: owner.slot, epoch: owner.epoch };
    });
  }, ways);
  for (const [n, owner] of owners.entries()) {
    const way = ways[n % ways.length];
    const waits = failure(registry.messages.callTo(owner, 'wait'));
    const reply = registry.messages.callTo(owner, 'end').catch((error: Error) => error.message);
    assert.is(await reply, 'last words', way);
    assert.is((await waits).code, 'OWNER_DEAD');
  }
  assert.is(await thread.run(({ kept }) => kept.aborted), owners.length, 'the handlers of the others hear of it');
});

test('a call that is on its way when its owner is closed is told that, and so is one whose handler closes the registry', async () => {
  await using registry = await Registry.open();
  const owner = registry.owner();
  registry.messages.serve(() => 'reply', { owner }).unref();
  const waiting = failure(registry.messages.callTo(owner, 1));
  owner.close();
  const error = await waiting;
  assert.equal(
    [error.code, error.message],
    ['OWNER_DEAD', `owner ${owner.slot}, epoch ${owner.epoch}: it ended before it replied`],
  );
  for (let n = 0; n < 5; n++) {
    const other = Registry.attach(registry.handle);
    const closing = () => {
      void other.close();
      return 'too late';
    };
    other.messages.serve(closing);
    other.register('server', `x ${n}`);
    assert.is((await failure(registry.messages.call('server', `x ${n}`, 1))).code, 'OWNER_DEAD');
  }
});

test('a call to an owner whose time is over does not wait for its thread', async () => {
  await using registry = await Registry.open();
  await using thread = await Thread.start(registry.handle);
  const owner = await thread.run(({ registry, kept }) => {
    kept.owner = registry.owner({ ttlMs: 3_600_000 });
    registry.messages.serve(() => new Promise(() => {}), { owner: kept.owner });
    return { slot: kept.owner.slot, epoch: kept.owner.epoch };
  });
  const waiting = failure(registry.messages.callTo(owner, 1));
  const words = new Int32Array(new SharedArrayBuffer(4));
  const done = thread.run(({ kept }, words) => {
    kept.owner.renew(50);
    Atomics.wait(words, 0, 0);
  }, words);
  assert.is((await waiting).code, 'OWNER_DEAD');
  Atomics.store(words, 0, 1);
  Atomics.notify(words, 0);
  await done;
});

test('very many calls that are given up at once, while the lane is full, are heard of by each handler', async () => {
  await using registry = await Registry.open({ messageBytesMax: 1_000 });
  let asked = 0;
  let aborted = 0;
  const handler = (_: unknown, { signal }: { signal: AbortSignal }) => {
    asked++;
    return new Promise(() => signal.addEventListener('abort', () => aborted++));
  };
  registry.messages.serve(handler).unref();
  registry.register('server', 'x');
  const abort = new AbortController();
  const calls: Promise<Error>[] = [];
  for (let n = 0; n < 2_000; n++) {
    calls.push(failure(registry.messages.call('server', 'x', n, { signal: abort.signal })));
    if (n % 20 === 0) await until('there is room', () => asked === calls.length);
  }
  await until('all are asked', () => asked === calls.length);
  abort.abort(new Error('enough'));
  assert.is(
    await failure(registry.messages.call('server', 'x', 'behind them')).then(({ code }) => code),
    'MAILBOX_FULL',
  );
  for (const call of calls) assert.is((await call).message, 'enough');
  await until('all hear of it', () => aborted === calls.length);
});

test('a handler of one who takes calls no more hears that its caller gives up', async () => {
  await using registry = await Registry.open();
  let aborted = 0;
  let asked = 0;
  const receiver = registry.messages.serve((_, { signal }) => {
    asked++;
    return new Promise(() => signal.addEventListener('abort', () => aborted++));
  });
  registry.register('server', 'x');
  const abort = new AbortController();
  const call = failure(registry.messages.call('server', 'x', 1, { signal: abort.signal }));
  await until('it is asked', () => asked === 1);
  receiver.close();
  abort.abort(new Error('enough'));
  assert.is((await call).message, 'enough');
  await until('it hears of it', () => aborted === 1);
});

test('a handler hears of the end of its caller', async () => {
  await using registry = await Registry.open();
  let aborted = 0;
  let asked = 0;
  registry.messages
    .serve((_, { signal }) => {
      asked++;
      return new Promise(() => signal.addEventListener('abort', () => aborted++));
    })
    .unref();
  registry.register('server', 'x');
  const thread = await Thread.start(registry.handle);
  await thread.run(({ registry }) => {
    for (let n = 0; n < 3; n++) registry.messages.call('server', 'x', n).catch(() => {});
  });
  await until('all are asked', () => asked === 3);
  await thread.end();
  await until('all have heard', () => aborted === 3);
});

test('calls to oneself, and calls in circles', async () => {
  await using registry = await Registry.open();
  await using thread = await Thread.start(registry.handle);
  await thread.run(({ registry }) => {
    registry.messages.serve(async (n) =>
      (n as number) > 0 ? registry.messages.call('server', 'here', (n as number) - 1) : 'end',
    );
    registry.register('server', 'there');
  });
  registry.messages.serve((n) => registry.messages.call('server', 'there', n)).unref();
  registry.register('server', 'here');
  assert.is(await registry.messages.call('server', 'here', 10), 'end');
});

test('owners without a handler of calls refuse them', async () => {
  await using registry = await Registry.open();
  registry.messages.receive(() => {}).unref();
  registry.register('server', 'x');
  const error = await failure(registry.messages.call('server', 'x', 1));
  assert.instance(error, RegistryError);
  assert.is(error.code, 'NOT_RECEIVING');
});

test('messages and calls are spread over several names', async () => {
  await using registry = await Registry.open();
  const counts: Record<string, number> = {};
  const ids = ['a', 'b', 'c'];
  for (const id of ids) {
    const owner = registry.owner();
    const count = () => {
      counts[id] = (counts[id] ?? 0) + 1;
      return id;
    };
    registry.messages.receive(count, { owner }).unref();
    registry.messages.serve(count, { owner }).unref();
    registry.register('server', id, { owner });
  }
  const turns = balance([...ids, 'nobody']);
  for (let n = 0; n < 40; n++) await registry.messages.call('server', turns, n);
  // Nobody's turn is the next one's.
  assert.equal(counts, { a: 20, b: 10, c: 10 });
  for (let n = 0; n < 4; n++) registry.messages.route('server', turns, n);
  await until('all arrive', () => counts.a + counts.b + counts.c === 44);
  const hashed = balance(ids, 'consistent hash');
  const homes = new Set<unknown>();
  for (let n = 0; n < 5; n++) homes.add(await registry.messages.call('server', hashed, n, { key: 'session 7' }));
  assert.is(homes.size, 1);
  const nobody = balance(['nobody', 'no one']);
  assert.is((await failure(registry.messages.call('server', nobody, 1))).code, 'NOT_FOUND');
});

test.run();
