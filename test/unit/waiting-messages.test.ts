import { setImmediate as turn } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Address, Registry, type RegistryError } from '../../src/engine/index.ts';
import { ControlMap, EndReason, Header } from '../../src/shared/layout.ts';
import { Body } from '../../src/shared/message-body.ts';
import { Owners } from '../../src/shared/owners.ts';
import { codeOf } from '../support/errors.ts';
import { Thread } from '../support/threads.ts';
import { until } from '../support/waiting.ts';

/* Messages that wait behind a full lane: what is delivered is what was sent, and each wait comes to an end. */
const test = suite('waiting messages');

/** A registry whose thread sends itself messages. */
async function talker(): Promise<{ registry: Registry; self: Address; received: unknown[] }> {
  const registry = await Registry.open({ messageBytesMax: 1_000 });
  const received: unknown[] = [];
  registry.messages.receive((message) => received.push(message)).unref();
  registry.register('server', 'x');
  return { registry, self: registry.whereis('server', 'x')!.owner, received };
}

/** Fills the lane with messages of bytes 0xaa, or none. It stays full until this turn is over. */
function fill({ messages }: Registry, self: Address): void {
  for (const size of [1_000, 0]) {
    const send = (): boolean => {
      try {
        messages.routeTo(self, Buffer.alloc(size, 0xaa));
        return true;
      } catch (error) {
        assert.is((error as RegistryError).code, 'MAILBOX_FULL');
        return false;
      }
    };
    while (send());
  }
}

test('a byte array that waits is delivered as it was when it was sent', async () => {
  const { registry, self, received } = await talker();
  fill(registry, self);
  const resizable = (): Uint8Array<ArrayBuffer> =>
    new Uint8Array(new ArrayBuffer(16, { maxByteLength: 4_096 })).fill(0x42);
  const [changed, shrunk, grown] = [resizable(), resizable(), resizable()];
  const waiting = [changed, shrunk, grown].map((bytes) => registry.messages.routeToAsync(self, bytes));
  changed.fill(0x43);
  shrunk.buffer.resize(4);
  grown.buffer.resize(4_096);
  grown.fill(0x43);
  await Promise.all(waiting);
  registry.messages.routeTo(self, 'last');
  await until('all arrive', () => received.at(-1) === 'last');
  assert.equal(received.slice(-4, -1), Array(3).fill(Buffer.alloc(16, 0x42)));
  await registry.close();
});

test('a body takes the bytes that were reserved for it, whatever becomes of its buffer', () => {
  for (const shared of [false, true]) {
    const sizes = { maxByteLength: 64 };
    const buffer = shared ? new SharedArrayBuffer(8, sizes) : new ArrayBuffer(8, sizes);
    const bytes = new Uint8Array(buffer).fill(1);
    const body = new Body(bytes);
    const ring = Buffer.from(new SharedArrayBuffer(32)).fill(9);
    if (shared) (buffer as SharedArrayBuffer).grow(64);
    else (buffer as ArrayBuffer).resize(64);
    body.write(ring, 8);
    assert.equal([...ring], [...Array(8).fill(9), ...Array(8).fill(1), ...Array(16).fill(9)]);
    if (shared) continue;
    (buffer as ArrayBuffer).resize(2);
    body.write(ring, 8);
    assert.equal([...ring.subarray(6, 18)], [9, 9, 1, 1, 0, 0, 0, 0, 0, 0, 9, 9], 'nothing of what was there before');
  }
});

test('who waits when the registry is closed is told that', async () => {
  for (const options of [{}, { timeoutMs: 60_000 }]) {
    const { registry, self } = await talker();
    fill(registry, self);
    const waiting = registry.messages.routeToAsync(self, 'x', options).then(
      () => 'sent',
      (error: RegistryError) => error.code,
    );
    await registry.close();
    assert.is(await waiting, 'CLOSED');
  }
});

test('who waits for an owner that ends is told so while its thread is stopped; the others wait on', async () => {
  await using registry = await Registry.open({ messageBytesMax: 1_000 });
  await using thread = await Thread.start(registry.handle);
  await thread.run(({ registry }) => {
    for (const id of ['ends', 'lives']) {
      const owner = registry.owner();
      registry.register('server', id, { owner });
      registry.messages.receive(() => {}, { owner });
    }
  });
  const gate = new Int32Array(new SharedArrayBuffer(4));
  thread.send((_, gate) => {
    Atomics.store(gate, 0, 1);
    Atomics.wait(gate, 0, 1);
  }, gate);
  await until('the thread is stopped', () => Atomics.load(gate, 0) === 1);
  const [ends, lives] = ['ends', 'lives'].map((id) => registry.whereis('server', id)!.owner);
  fill(registry, lives);
  const sent = registry.messages.routeToAsync(lives, 'first');
  const told: string[] = [];
  const tell = (error: RegistryError) => void told.push(error.code);
  registry.messages.routeToAsync(ends, 'x').catch(tell);
  registry.messages.routeAsync('server', 'ends', 'y').catch(tell);
  await turn();
  ownersOf(registry).kill(ends.slot, ends.epoch, EndReason.expired); // as the sweep does when its time is over
  await until('both are told', () => told.length === 2);
  assert.equal(told, ['NOT_FOUND', 'NOT_FOUND']);
  assert.is(
    codeOf(() => registry.messages.routeTo(lives, 'x')),
    'MAILBOX_FULL',
    'its thread has read nothing',
  );
  Atomics.store(gate, 0, 0);
  Atomics.notify(gate, 0);
  await sent;
});

function ownersOf({ handle }: Registry): Owners {
  const control = new Int32Array(handle.control);
  const [threadsMax, ownersMax] = [control[Header.threadsMax], control[Header.ownersMax]];
  return new Owners(control, new ControlMap(control[Header.shards], threadsMax, ownersMax), threadsMax, ownersMax);
}

test.run();
