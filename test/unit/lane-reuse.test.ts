// @timeout 240
// A handler closes the registry through which its message came, while that lane's sender is dead: from that moment the lane is
// anybody's, though the turn that called the handler is not over.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Registry } from '../../src/engine/index.ts';
import { Thread } from '../support/threads.ts';
import { until, untilBlocked } from '../support/waiting.ts';

const test = suite('lane reuse');

test('a turn whose handler has closed its registry leaves the lane to who has opened it anew', async () => {
  await using registry = await Registry.open();
  const closing = Registry.attach(registry.handle);
  await using other = await Thread.start(registry.handle);
  const got: number[] = [];
  registry.messages.receive((n: number) => got.push(n)).unref();
  registry.register('server', 'living');
  const sent = new Int32Array(new SharedArrayBuffer(8));
  let calls = 0;
  closing.messages.receive(() => {
    calls++;
    // The coordinator buries the sender, which needs no turn of this thread.
    untilBlocked('the sender is dead', () => registry.whereis('sender', 'mortal') === undefined);
    void closing.close();
    other.send(({ registry }, sent) => {
      for (let n = 0; n < 100; n++) {
        registry.messages.route('server', 'living', n);
        Atomics.store(sent, 0, n + 1);
        if (n === 0) Atomics.wait(sent, 1, 0); // for the end of the turn in which the handler was called
      }
    }, sent);
    untilBlocked('the lane is opened anew', () => Atomics.load(sent, 0) > 0);
    setImmediate(() => {
      Atomics.store(sent, 1, 1);
      Atomics.notify(sent, 1);
    });
  });
  closing.register('server', 'closing');
  const mortal = await Thread.start(registry.handle);
  mortal.send(({ registry }) => {
    registry.register('sender', 'mortal');
    for (let n = 0; n < 3; n++) registry.messages.route('server', 'closing', n);
    process.exit();
  });
  await until('all has arrived', () => got.length === 100);
  assert.equal(
    got,
    Array.from({ length: 100 }, (_, n) => n),
  );
  assert.is(calls, 1);
});

test('a message names the thread that sent it, though another has its row when it is read', async () => {
  await using registry = await Registry.open({ threadsMax: 2 });
  const heard: [unknown, number][] = [];
  registry.messages.receive((message, { from }) => heard.push([message, from.threadId])).unref();
  registry.register('server', 'late');
  await using sender = await Thread.start(registry.handle);
  await using next = await Thread.start();
  const id = sender.worker.threadId;
  await sender.run(({ registry }) => void registry.register('thread', 'sender'));
  const { slot } = registry.whereis('thread', 'sender')!.owner;
  sender.send(({ registry }) => {
    registry.messages.route('server', 'late', 'x');
    process.exit();
  });
  next.send(({ Registry }, handle) => {
    for (;;) {
      try {
        Registry.attach(handle).register('thread', 'next'); // as soon as there is a row
        return;
      } catch {}
    }
  }, registry.handle);
  // This thread reads nothing meanwhile.
  untilBlocked('the row is let again', () => registry.whereis('thread', 'next')?.owner.slot === slot);
  await until('it is heard', () => heard.length === 1);
  assert.equal(heard, [['x', id]]);
});

test.run();
