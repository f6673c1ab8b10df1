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

test.run();
