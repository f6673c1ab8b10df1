import { getEventListeners } from 'node:events';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Registry } from '../../src/engine/index.ts';
import { offAbort, onAbort } from '../../src/engine/signals.ts';

const test = suite('signals');

test('each act is done once at the abort, unless it was taken back, even by another', () => {
  const controller = new AbortController();
  const { signal } = controller;
  const done: string[] = [];
  const last = () => done.push('last');
  const taken = () => done.push('taken back');
  onAbort(signal, () => {
    done.push('first');
    offAbort(signal, taken);
  });
  onAbort(signal, taken);
  onAbort(signal, last);
  onAbort(signal, last);
  assert.is(getEventListeners(signal, 'abort').length, 1);
  controller.abort();
  assert.equal(done, ['first', 'last']);
});

test('an act that throws keeps no other from being done, and is told', async () => {
  const controller = new AbortController();
  let done = 0;
  onAbort(controller.signal, () => {
    throw new Error('of an act');
  });
  onAbort(controller.signal, () => done++);
  const told = new Promise<Error>((resolve) => process.once('uncaughtException', resolve));
  controller.abort();
  assert.is(done, 1);
  assert.is((await told).message, 'of an act');
});

test('a signal with nothing to do any more is not listened to, and may be used again', () => {
  const controller = new AbortController();
  const { signal } = controller;
  let done = 0;
  const act = () => done++;
  for (let n = 0; n < 3; n++) {
    onAbort(signal, act);
    offAbort(signal, act);
    offAbort(signal, act);
    assert.is(getEventListeners(signal, 'abort').length, 0);
  }
  const other = () => {};
  onAbort(signal, other);
  onAbort(signal, act);
  offAbort(signal, other);
  assert.is(getEventListeners(signal, 'abort').length, 1);
  controller.abort();
  assert.is(done, 1);
});

test('waits and watches with one signal have one listener, until none is left', async () => {
  await using registry = await Registry.open();
  const controller = new AbortController();
  const { signal } = controller;
  const listeners = () => getEventListeners(signal, 'abort').length;
  const waits = Array.from({ length: 10 }, (_, n) => registry.awaitName('server', `${n}`, { signal }));
  const watches = Array.from({ length: 10 }, (_, n) => registry.watch('server', `${n}`, { signal }));
  assert.is(listeners(), 1);
  for (let n = 0; n < 10; n++) registry.register('server', `${n}`);
  await Promise.all(waits);
  assert.is(listeners(), 1, 'of the watches');
  for (const watch of watches) await watch.return();
  assert.is(listeners(), 0);
  const waiting = registry.awaitName('server', 'nobody', { signal });
  const watch = registry.watch('server', 'nobody', { signal });
  await watch.next();
  const next = watch.next();
  controller.abort(new Error('enough'));
  assert.is(await waiting.catch((error) => error.message), 'enough');
  assert.equal(await next, { done: true, value: undefined });
});

test.run();
