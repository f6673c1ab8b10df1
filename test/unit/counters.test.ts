import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Registry } from '../../src/engine/index.ts';
import { CounterRow, Counters as CountersBlock } from '../../src/shared/layout.ts';
import { limits } from '../../src/shared/limits.ts';
import { Table } from '../../src/shared/table.ts';
import { codeOf, refusal } from '../support/errors.ts';
import { Thread } from '../support/threads.ts';
import { until } from '../support/waiting.ts';

const test = suite('counters');

test('threads that count at once lose nothing', async () => {
  await using registry = await Registry.open();
  const counter = registry.counter('requests');
  const threads = await Promise.all([0, 1, 2].map(() => Thread.start(registry.handle)));
  await Promise.all(
    threads.map((thread) =>
      thread.run(({ registry }) => {
        const mine = registry.counter('requests');
        for (let n = 0; n < 100_000; n++) mine.increment();
        for (let n = 0; n < 1_000; n++) mine.increment(-10);
      }),
    ),
  );
  assert.is(counter.read(), 3 * (100_000 - 10_000));
  assert.is(registry.counters.sum('requests'), counter.read());
  for (const thread of threads) await thread.end();
  assert.is(counter.read(), 3 * (100_000 - 10_000), 'a shared counter outlives who counted');
});

test('an owner has a counter of its own; a sum has all', async () => {
  await using registry = await Registry.open();
  const [one, other] = [registry.owner(), registry.owner()];
  registry.counter('calls').increment(1);
  registry.counter('calls', { owner: one }).increment(20);
  registry.counter('calls', { owner: other }).increment(300);
  registry.counter('others', { owner: other }).increment(5_000);
  assert.is(registry.counter('calls').read(), 1);
  assert.is(registry.counter('calls', { owner: one }).read(), 20, 'asked for again it is the same');
  assert.is(registry.counters.sum('calls'), 321);
  assert.is(registry.counters.sum('nobody counts this'), 0);
  assert.equal(registry.counters.names().sort(), ['calls', 'others']);
  await using thread = await Thread.start(registry.handle);
  assert.is(await thread.run(({ registry }) => registry.counters.sum('calls')), 321);
});

test("an owner's count is gone with it, or kept, as asked; also when its thread is killed", async () => {
  await using registry = await Registry.open();
  const owner = registry.owner();
  const gone = registry.counter('gone', { owner });
  const kept = registry.counter('kept', { owner, keep: true });
  gone.increment(5);
  kept.increment(7);
  kept.increment(-10);
  owner.close();
  assert.is(registry.counters.sum('gone'), 0);
  assert.is(registry.counters.sum('kept'), -3);
  for (const call of [() => kept.increment(), () => kept.read(), () => registry.counter('gone', { owner })]) {
    assert.is(codeOf(call), 'OWNER_DEAD');
  }
  for (let n = 0; n < 3; n++) {
    const thread = await Thread.start(registry.handle);
    await thread.run(({ registry, kept }) => {
      kept.owner = registry.owner();
      registry.counter('gone', { owner: kept.owner }).increment(1);
      registry.counter('kept', { owner: kept.owner, keep: true }).increment(1_000);
    });
    assert.is(registry.counters.sum('gone'), 1);
    await thread.end();
    assert.is(registry.counters.sum('gone'), 0);
    assert.is(registry.counters.sum('kept'), 1_000 * (n + 1) - 3);
  }
  const rows = () => {
    const words = new Int32Array(registry.handle.control);
    const table = new Table(registry.handle);
    const first = table.map.counters + CountersBlock.words;
    table.detach();
    return Array.from({ length: 20 }, (_, n) => words[first + n * CounterRow.words]).filter((epoch) => epoch & 1)
      .length;
  };
  await until('only the shared counter has a row', () => rows() === 1);
  assert.is(registry.counters.sum('kept'), 2_997, 'counted once, also after the sweep');
});

test('a counter that was asked for with keep is kept, whoever asks for it without', async () => {
  await using registry = await Registry.open();
  const owner = registry.owner();
  registry.counter('calls', { owner }).increment(1);
  registry.counter('calls', { owner, keep: true }).increment(20);
  registry.counter('calls', { owner, keep: false }).increment(300);
  assert.is(registry.counter('calls').read(), 0, 'it is the owner’s until then');
  owner.close();
  assert.is(registry.counters.sum('calls'), 321);
});

test('COUNTERS_FULL, until owners end', async () => {
  await using registry = await Registry.open();
  const owners = Array.from({ length: 64 }, () => registry.owner());
  const table = new Table(registry.handle);
  for (let n = 0; n < limits.countersMax; n++)
    table.counters.claim(1 + (n >> 6), owners[n & 63].slot, owners[n & 63].epoch, false);
  assert.is(
    codeOf(() => registry.counter('one more')),
    'COUNTERS_FULL',
  );
  owners[5].close();
  registry.counter('one more').increment();
  assert.is(registry.counter('one more').read(), 1, 'it starts from 0 and is one');
  table.detach();
});

test('who is about to count for an owner whose time is over does not count for another', async () => {
  await using registry = await Registry.open();
  await using thread = await Thread.start(registry.handle);
  const owner = registry.owner({ ttlMs: 60_000 });
  const counter = registry.counter('calls', { owner, keep: true });
  counter.increment(5);
  const add = Atomics.add;
  let swept: Promise<void> | undefined;
  // Between its look at the owner and its addition another thread ends the owner, sweeps, and makes a counter.
  (Atomics as { add: unknown }).add = (words: Int32Array, at: number, by: number) => {
    if (typeof by !== 'bigint') return add(words, at, by);
    Atomics.add = add;
    owner.renew(1);
    while (owner.alive);
    const done = new Int32Array(new SharedArrayBuffer(4));
    swept = thread.run(
      async ({ registry, kept }, { done, source }) => {
        const { Table } = (await import(source)) as typeof import('../../src/shared/table.ts');
        const table = new Table(registry.handle);
        for (const _ of table.sweepDead(true));
        table.detach();
        kept.other = registry.counter('others', { owner: registry.owner() });
        Atomics.store(done, 0, 1);
        Atomics.notify(done, 0);
      },
      { done, source: new URL('../../src/shared/table.ts', import.meta.url).href },
    );
    assert.is(Atomics.wait(done, 0, 0, 30_000), 'ok');
    return add(words, at, by);
  };
  try {
    counter.increment(70);
  } finally {
    Atomics.add = add;
  }
  await swept;
  assert.is(registry.counters.sum('others'), 0, 'nobody has counted there');
  assert.is(registry.counters.sum('calls'), 75, 'what was counted is kept');
  // Its own thread frees the row when it makes the next such counter.
  registry.counter('calls', { owner: registry.owner({ ttlMs: 60_000 }) }).increment(100);
  assert.is(registry.counters.sum('calls'), 175);
  assert.is(registry.counters.sum('others'), 0);
});

test('COUNTERS_FULL: 1,024 names, which leave the kinds all their room, and the other way round', async () => {
  await using registry = await Registry.open({ shards: 1 });
  await using attached = Registry.attach(registry.handle);
  const table = new Table(registry.handle);
  for (let n = 0; n < limits.counterNamesMax; n++) {
    table.kinds.internReserved(`counter:${n}`);
    registry.register(`kind ${n}`, 'x');
  }
  for (const each of [registry, attached]) {
    assert.is(
      codeOf(() => each.counter('one more')),
      'COUNTERS_FULL',
    );
    assert.is(
      codeOf(() => each.register('one more', 'x')),
      'KINDS_FULL',
    );
    each.counter('7').increment();
    assert.is(each.counters.names().length, limits.counterNamesMax);
    assert.ok(each.has(`kind ${limits.kindsMax - 1}`, 'x'));
  }
  assert.is(registry.counters.sum('7'), 2);
  registry.groups.join('g');
  assert.equal([registry.insight.figures().names, registry.groups.members('g').length], [limits.kindsMax, 1]);
  table.detach();
});

test('counters at their limits: exact to 2^53, exact as bigint to 2^63, then they wrap', async () => {
  await using registry = await Registry.open();
  const counter = registry.counter('big');
  counter.increment(Number.MAX_SAFE_INTEGER);
  assert.is(counter.read(), Number.MAX_SAFE_INTEGER);
  counter.increment(2);
  assert.is(counter.readBigInt(), 2n ** 53n + 1n);
  for (let n = 1; n < 1_024; n++) counter.increment(Number.MAX_SAFE_INTEGER);
  assert.is(counter.readBigInt(), 1_024n * (2n ** 53n - 1n) + 2n);
  counter.increment(1_022);
  assert.is(counter.readBigInt(), BigInt.asIntN(64, 2n ** 63n), "as two's complement has it");
  assert.is(registry.counters.sumBigInt('big'), -(2n ** 63n));
  for (const by of [0.5, Number.NaN, 2 ** 53, '1', 1n, null] as number[]) {
    assert.is(
      codeOf(() => counter.increment(by)),
      'INVALID_OPTION',
    );
  }
});

test('names and options that cannot be are refused; a closed registry counts nothing', async () => {
  await using registry = await Registry.open();
  for (const name of ['', 7, undefined, '\ud800', 'x'.repeat(250)] as string[]) {
    assert.is(
      codeOf(() => registry.counter(name)),
      'INVALID_NAME',
    );
  }
  registry.counter('名'.repeat(70)).increment();
  for (const options of [{ keep: true }, { owner: {} }, { keep: 1 }, { kept: true }, null, 'x'] as object[]) {
    assert.is(
      codeOf(() => registry.counter('x', options)),
      'INVALID_OPTION',
      JSON.stringify(options),
    );
  }
  assert.throws(() => registry.counter('x', { keep: true }), /leave keep out, or say whose it is with owner/);
  const counter = registry.counter('x');
  await registry.close();
  for (const call of [
    () => counter.increment(),
    () => counter.read(),
    () => registry.counters.sum('x'),
    () => registry.counter('x'),
  ]) {
    assert.is(codeOf(call), 'CLOSED');
  }
});

test('a counter that is refused uses up no name', async () => {
  await using registry = await Registry.open();
  const owner = registry.owner();
  owner.close();
  assert.is(
    codeOf(() => registry.counter('of a dead owner', { owner })),
    'OWNER_DEAD',
  );
  for (const name of ['x'.repeat(limits.counterNameBytesMax + 1), '\ud800', '', 7 as never]) {
    const { code, message } = refusal(() => registry.counter(name));
    assert.is(code, 'INVALID_NAME');
    assert.not.match(message, /kind|rollcall:/);
  }
  assert.equal(registry.counters.names(), []);
  registry.counter('x'.repeat(limits.counterNameBytesMax)).increment();
  assert.equal(registry.counters.names(), ['x'.repeat(limits.counterNameBytesMax)]);
});

test("kinds of the registry's own are refused to users", async () => {
  await using registry = await Registry.open();
  registry.counter('x');
  for (const call of [
    () => registry.register('rollcall:counter:x', 'id'),
    () => registry.whereis('rollcall:counter:x', 'id'),
    () => registry.has('rollcall:x', 'id'),
    () => registry.unregister('rollcall:counter:x', 'id'),
    () => registry.count('rollcall:counter:x'),
    () => [...registry.list('rollcall:counter:x')],
  ]) {
    assert.is(codeOf(call), 'INVALID_NAME');
  }
  registry.register('rollcall', 'id');
});

test.run();
