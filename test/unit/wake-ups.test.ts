import { setImmediate as turn } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Contention } from '../../src/shared/contention.ts';
import { Deadlines } from '../../src/shared/expiry.ts';
import { ControlMap, Header } from '../../src/shared/layout.ts';
import { defaults } from '../../src/shared/limits.ts';
import { allocateTable, Table } from '../../src/shared/table.ts';
import { WatchBell } from '../../src/shared/watch-bell.ts';
import { ContentionWatch } from '../../src/workers/contention-watch.ts';
import { bareTable } from '../support/bare-thread.ts';
import { until } from '../support/waiting.ts';

/*
 * A call that a `vm` time-out cuts off after it has changed a word and before it has woken who sleeps on it. Its thread
 * lives on, so no death tells of it: the next call, of any thread, wakes for both.
 */
const test = suite('wake-ups');

const words = () => new Int32Array(bareTable({}).control);

/** Acts, and is cut off where it would have woken somebody. */
function cutOff(act: () => void): void {
  const { notify } = Atomics;
  const cut = new Error('cut off');
  Atomics.notify = () => {
    throw cut;
  };
  try {
    assert.throws(act, (error: unknown) => error === cut);
  } finally {
    Atomics.notify = notify;
  }
}

/** Acts, and wakes nobody: not even in vain. */
function quietly(act: () => void): void {
  const { notify } = Atomics;
  let calls = 0;
  Atomics.notify = () => ++calls;
  try {
    act();
  } finally {
    Atomics.notify = notify;
  }
  assert.is(calls, 0, 'wake-ups');
}

/** Whether it has resolved, asked later. */
function resolved(promise: Promise<void>): () => boolean {
  let is = false;
  void promise.then(() => {
    is = true;
  });
  return () => is;
}

test('watchers: the next change wakes those whom the one before has not', async () => {
  const bell = new WatchBell(words());
  for (let round = 0; round < 3; round++) {
    const woken = resolved(bell.rung(bell.arm()));
    cutOff(() => bell.ring());
    await turn();
    assert.not.ok(woken());
    bell.ring();
    await until('the watcher is woken', woken);
  }
});

test('watchers: so does the next who waits, who sleeps by itself then', async () => {
  const bell = new WatchBell(words());
  const woken = resolved(bell.rung(bell.arm()));
  cutOff(() => bell.ring());
  const next = resolved(bell.rung(bell.arm()));
  await until('the first is woken', woken);
  assert.not.ok(next());
  bell.ring();
  await until('and then the second', next);
});

test('watchers: who is cut off twice is made up for', async () => {
  const bell = new WatchBell(words());
  const woken = resolved(bell.rung(bell.arm()));
  cutOff(() => bell.ring());
  cutOff(() => bell.ring());
  cutOff(() => bell.arm());
  bell.ring();
  await until('the watcher is woken', woken);
});

test('the sweeper: a later deadline wakes it for the sooner one that was not told', async () => {
  for (const slept of [0, 100]) {
    const deadlines = new Deadlines(words());
    deadlines.note(slept);
    const woken = resolved(deadlines.changed(slept, Number.POSITIVE_INFINITY));
    cutOff(() => deadlines.note(5));
    await turn();
    assert.not.ok(woken());
    deadlines.note(9);
    await until('it is woken', woken);
    assert.is(deadlines.next(), 5);
  }
});

test('the sweeper: a deadline later than the one it sleeps on, or while it is awake, wakes nobody', async () => {
  const deadlines = new Deadlines(words());
  const woken = resolved(deadlines.changed(0, Number.POSITIVE_INFINITY));
  deadlines.note(5);
  await until('it is woken', woken);
  quietly(() => {
    deadlines.note(9);
    void deadlines.changed(5, Number.POSITIVE_INFINITY);
    deadlines.note(9);
  });
});

test('the watch of contention: each writer that waits wakes it, until it watches', async () => {
  const control = words();
  const map = new ControlMap(control[Header.shards], control[Header.threadsMax], control[Header.ownersMax]);
  const contention = new Contention(control, map);
  contention.rest();
  const woken = resolved(contention.asked());
  cutOff(() => contention.ask());
  await turn();
  assert.not.ok(woken());
  contention.ask();
  await until('it is woken', woken);

  contention.watch();
  quietly(() => contention.ask());
});

test('the watch of contention: a slow write after its last calm look, and before it says that it rests, alarms', async () => {
  const table = new Table(allocateTable({ ...defaults, shards: 1, alarmWriteMeanMs: 1 }));
  const { contention } = table;
  const timer = table.shards[0].timer!;
  const rest = contention.rest.bind(contention);
  contention.rest = () => {
    contention.rest = rest;
    timer.waits();
    timer.taken();
    for (const end = performance.now() + 5; performance.now() < end; );
    timer.finish(0);
    rest();
  };
  void new ContentionWatch(table, () => {}).run();
  await until('the alarm', () => contention.alarmed() > 0);
});

test.run();
