// @timeout 300
import { createContext, Script } from 'node:vm';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Registry, RegistryError } from '../../src/engine/index.ts';
import { Thread } from '../support/threads.ts';
import { until } from '../support/waiting.ts';

/*
 * Messages of real threads, some of which are ended in the middle of a sending, or cut off in it: what a sender was told is
 * sent arrives, whole, once and in order, and nobody sleeps over it.
 */
const test = suite('messages');

/** Collects what arrives, and checks it as it comes: per sender a number that goes up by one. */
function collect(registry: Registry): { count: Map<number, number>; problems: string[] } {
  const count = new Map<number, number>();
  const problems: string[] = [];
  registry.messages
    .receive((message) => {
      const [sender, number, padding] = (message as string).split(' ');
      const before = count.get(Number(sender)) ?? 0;
      if (Number(number) !== before + 1) problems.push(`sender ${sender}: ${number} after ${before}`);
      if (padding.length !== Number(number) % 500) problems.push(`sender ${sender}: ${number} is torn`);
      count.set(Number(sender), Number(number));
    })
    .unref();
  registry.register('server', 'sink');
  return { count, problems };
}

test('nothing that is sent after an urgent message overtakes it, whatever its receiver is doing', async () => {
  await using registry = await Registry.open();
  await using thread = await Thread.start(registry.handle);
  await thread.run(({ registry, kept }) => {
    registry.messages.receive((message) => {
      kept.last = message;
    });
    registry.messages.serve(() => kept.last);
    registry.register('server', 'x');
  });
  // After a reply its thread goes on looking for a moment, so it may look between the two.
  for (let n = 1; n <= 5_000; n++) {
    registry.messages.route('server', 'x', n, { urgent: true });
    assert.is(await registry.messages.call('server', 'x', 'which was the last?'), n);
  }
});

test('threads are ended in the middle of sending', async () => {
  await using registry = await Registry.open({ messageBytesMax: 2_000 });
  const { count, problems } = collect(registry);
  const told = new Int32Array(new SharedArrayBuffer(4 * 200));
  for (let round = 0; round < 30; round++) {
    const senders = await Promise.all([0, 1, 2].map(() => Thread.start(registry.handle)));
    for (const [n, sender] of senders.entries()) {
      sender.send(
        ({ registry }, { id, told }) => {
          for (let number = 1; ; ) {
            try {
              registry.messages.route('server', 'sink', `${id} ${number} ${'x'.repeat(number % 500)}`);
            } catch (error) {
              if ((error as { code: string }).code !== 'MAILBOX_FULL') throw error;
              continue;
            }
            Atomics.store(told, id, number++);
          }
        },
        { id: round * 3 + n, told },
      );
    }
    await until('each has sent', () => senders.every((_, n) => (count.get(round * 3 + n) ?? 0) > 20));
    await Promise.all(senders.map((sender) => sender.end()));
    const behind = (n: number) => told[round * 3 + n] > (count.get(round * 3 + n) ?? 0);
    await until('what was sent arrives', () => !senders.some((_, n) => behind(n)));
    for (const n of senders.keys()) {
      const id = round * 3 + n;
      assert.ok((count.get(id) ?? 0) - told[id] <= 1, 'at most one that nobody was told of');
    }
  }
  assert.equal(problems, []);
});

test('a sender is cut off by time-outs, and lives on', async () => {
  await using registry = await Registry.open({ messageBytesMax: 2_000 });
  await using thread = await Thread.start(registry.handle);
  await thread.run(({ registry, kept }) => {
    Object.assign(kept, { last: 0, disorder: [] });
    registry.messages.receive((message) => {
      const number = Number((message as string).split(' ')[0]);
      if (number <= kept.last) kept.disorder.push([kept.last, number]);
      kept.last = number;
    });
    registry.messages.serve(() => ({ last: kept.last, disorder: kept.disorder.slice(0, 10) }));
    registry.register('server', 'sink');
  });
  const context = createContext({ registry, n: 0 });
  const script = new Script(`for (;;) try {
    n++;
    registry.messages.route('server', 'sink', n + ' ' + 'x'.repeat(n % 500));
  } catch (error) { if (error.code !== 'MAILBOX_FULL') throw error; }`);
  for (let cuts = 0; cuts < 300; cuts++) {
    try {
      script.runInContext(context, { timeout: 1 });
    } catch (error) {
      if ((error as { code?: string }).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
    }
    await new Promise(setImmediate);
  }
  const { n: tried } = context as { n: number };
  for (;;) {
    try {
      // A call goes the same way, behind all that was sent.
      const seen = await registry.messages.call<{ last: number; disorder: unknown }>('server', 'sink', 'look');
      assert.equal(seen.disorder, []);
      assert.ok(seen.last > 0 && seen.last <= tried, `${seen.last} of ${tried}`);
      return;
    } catch (error) {
      if (!(error instanceof RegistryError && error.code === 'MAILBOX_FULL')) throw error;
      await new Promise(setImmediate);
    }
  }
});

test('calls of servers that are ended are each settled once', async () => {
  await using registry = await Registry.open();
  const outcomes = new Map<string, number>();
  for (let round = 0; round < 20; round++) {
    const server = await Thread.start(registry.handle);
    await server.run(({ registry }) => {
      registry.messages.serve((n) => ((n as number) % 3 === 0 ? new Promise(() => {}) : n));
      registry.register('server', 'mortal');
    });
    const calls = Array.from({ length: 100 }, (_, n) =>
      registry.messages.call('server', 'mortal', n).then(
        (reply) => assert.is(reply, n) as undefined,
        ({ code }) => code as string,
      ),
    );
    if (round % 2) await calls[1];
    const ended = server.end();
    for (const outcome of await Promise.all(calls)) {
      const code = outcome ?? 'replied';
      outcomes.set(code, (outcomes.get(code) ?? 0) + 1);
    }
    await ended;
  }
  const [dead, replied] = [outcomes.get('OWNER_DEAD') ?? 0, outcomes.get('replied') ?? 0];
  assert.is(dead + replied, 2_000, JSON.stringify([...outcomes]));
  assert.ok(dead >= 20 * 34 && replied > 0);
});

test('owners close themselves in their handlers, and some of their threads are ended: no reply is lost, no caller waits', async () => {
  await using registry = await Registry.open();
  await using other = await Thread.start(registry.handle);
  let replied = 0;
  for (let round = 0; round < 20; round++) {
    await using server = await Thread.start(registry.handle);
    await server.run(({ registry }) => {
      for (let n = 0; n < 50; n++) {
        const owner = registry.owner();
        const handler = async (what: unknown) => {
          if (what === 'wait') return new Promise(() => {});
          if (n % 2) await new Promise(setImmediate);
          owner.close();
          for (let jobs = 0; jobs < n; jobs++) await undefined;
          return n;
        };
        registry.messages.serve(handler, { owner });
        registry.register('session', String(n), { owner });
      }
    });
    // Of each session one asks it to end, and both wait.
    const ask = (what: string, { messages }: Registry) =>
      Array.from({ length: 50 }, (_, n) =>
        messages.call('session', String(n), what).then(
          (reply) => reply === n && 'replied',
          ({ code }) => code as string,
        ),
      );
    const there = other.run(async ({ registry }, source) => {
      const waits = new Function(`return ${source}`)()('wait', registry);
      return await Promise.all(waits);
    }, String(ask));
    const waiting = ask('wait', registry);
    const ending = ask('end', registry);
    const killed = round % 2 === 1;
    if (killed) {
      await ending[0];
      await server.end();
    }
    const allowed = killed ? ['OWNER_DEAD', 'NOT_FOUND'] : ['OWNER_DEAD'];
    const late = ['NOT_FOUND', 'NOT_RECEIVING']; // who came when it had closed
    for (const code of await Promise.all(waiting)) assert.ok(allowed.includes(code as string), `${code}`);
    for (const code of (await there) as string[]) assert.ok([...allowed, ...late].includes(code), `${code}`);
    for (const code of await Promise.all(ending)) {
      if (code === 'replied') replied++;
      else assert.ok(killed && allowed.includes(code as string), `${code}`);
    }
  }
  assert.ok(replied >= 10 * 50);
});

test('owners whose closing is cut off by time-outs leave no caller waiting', async () => {
  await using registry = await Registry.open();
  await using caller = await Thread.start(registry.handle);
  const script = new Script('for (; n < owners.length; n++) owners[n].close();');
  let cuts = 0;
  for (let round = 0; round < 20 || (cuts === 0 && round < 1_000); round++) {
    let asked = 0;
    const owners = Array.from({ length: 500 }, () => registry.owner());
    for (const owner of owners) {
      const handler = () => {
        asked++;
        return new Promise(() => {});
      };
      registry.messages.serve(handler, { owner });
    }
    const outcomes = caller.run(
      ({ registry }, owners) =>
        Promise.all(
          owners.map((owner) => registry.messages.callTo(owner, 1).catch((error: { code: string }) => error.code)),
        ),
      owners.map(({ slot, epoch }) => ({ slot, epoch })),
    );
    await until('all are asked', () => asked === owners.length);
    const context = createContext({ owners, n: 0 });
    while (context.n < owners.length) {
      try {
        script.runInContext(context, { timeout: 1 });
      } catch (error) {
        if ((error as { code?: string }).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
        cuts++;
      }
    }
    assert.equal(new Set(await outcomes), new Set(['OWNER_DEAD']));
  }
  assert.ok(cuts > 0);
});

test('the ends of threads are told once to each monitor, in every thread', async () => {
  await using registry = await Registry.open();
  const watchers = await Promise.all([0, 1].map(() => Thread.start(registry.handle)));
  for (let round = 0; round < 10; round++) {
    const mortals = await Promise.all([0, 1, 2].map(() => Thread.start(registry.handle)));
    for (const [n, mortal] of mortals.entries()) {
      await mortal.run(({ registry }, id) => void registry.register('mortal', id, { owner: registry.owner() }), `${n}`);
    }
    const ready = new Int32Array(new SharedArrayBuffer(4));
    const told = watchers.map((watcher) =>
      watcher.run(async ({ registry }, ready) => {
        const monitors = [...registry.list('mortal')].flatMap((entry) => [
          registry.monitor(entry, { tag: `name ${entry.id}` }),
          registry.monitor(entry.owner, { tag: `owner ${entry.id}` }),
        ]);
        Atomics.add(ready, 0, 1);
        const downs = await Promise.all(monitors.map(({ down }) => down));
        return downs.map(({ tag, reason }) => `${tag} ${reason}`).toSorted();
      }, ready),
    );
    await until('both watch', () => Atomics.load(ready, 0) === 2);
    await Promise.all(mortals.map((mortal) => mortal.end()));
    const expected = ['name', 'owner'].flatMap((what) => [0, 1, 2].map((n) => `${what} ${n} thread exit`));
    for (const lines of await Promise.all(told)) assert.equal(lines, expected);
  }
  for (const watcher of watchers) await watcher.end();
});

test('lanes of the dead are used again', async () => {
  await using registry = await Registry.open();
  const { count, problems } = collect(registry);
  let bytes = 0;
  for (let id = 0; id < 40; id++) {
    await using sender = await Thread.start(registry.handle);
    await sender.run(({ registry }, id) => registry.messages.route('server', 'sink', `${id} 1 x`), id);
    await until('it arrives', () => count.get(id) === 1);
    if (id === 10) bytes = registry.handle.lanes.byteLength;
  }
  assert.equal(problems, []);
  assert.is(registry.handle.lanes.byteLength, bytes);
});

test('a thread that is flooded goes on with its other work', async () => {
  await using registry = await Registry.open();
  const senders = await Promise.all([0, 1, 2].map(() => Thread.start(registry.handle)));
  let received = 0;
  registry.messages.receive(() => received++).unref();
  registry.register('server', 'flooded');
  for (const sender of senders) {
    sender.send(({ registry }) => {
      for (;;) {
        try {
          registry.messages.route('server', 'flooded', 'x'.repeat(100));
        } catch (error) {
          if ((error as { code: string }).code !== 'MAILBOX_FULL') throw error;
        }
      }
    });
  }
  await until('the flood', () => received > 10_000);
  // Turns of the event loop go on, each with a bounded share of messages.
  let most = 0;
  for (let turns = 0; turns < 200; turns++) {
    const before = received;
    await new Promise(setImmediate);
    most = Math.max(most, received - before);
  }
  assert.ok(most <= 2 * 1_024 + 4 * 32, `${most} messages in one turn`);
  for (const sender of senders) await sender.end();
});

test.run();
