import { getEventListeners } from 'node:events';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
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

test.run();
