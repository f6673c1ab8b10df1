// @timeout 240
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Registry } from '../../src/engine/index.ts';
import { auditOnceSwept } from '../support/bookkeeping.ts';
import { Random, seedOfRun } from '../support/random.ts';
import { Thread } from '../support/threads.ts';
import { until } from '../support/waiting.ts';

/*
 * Threads take one binding over from each other, for owners that come and go, and are killed anywhere in it; one of them lives on. What
 * is found is always one of the servers, and never that of a thread that has ended; memory is whole after each kill.
 */
const test = suite('takeovers');

const seed = seedOfRun();

test('killed threads leave a binding to who had it, or to nobody, and never half-way', async () => {
  await using registry = await Registry.open({ shards: 1 });
  const random = new Random(seed);
  registry.register('transport', 't');
  for (const id of ['s0', 's1', 's2']) registry.register('server', id);
  const control = new Int32Array(new SharedArrayBuffer(8)); // [0]: 1 is to stop. [1]: binds of who lives on
  await using survivor = await Thread.start(registry.handle);
  const survived = survivor.run(({ registry }, control) => {
    for (; Atomics.load(control, 0) === 0; Atomics.add(control, 1, 1)) {
      registry.bindings.bind('t', 's0');
      const server = registry.bindings.serverOf('t');
      if (!['s0', 's1', 's2', undefined].includes(server)) throw new Error(`bound to ${server}`);
    }
  }, control);
  for (let round = 0; round < 12; round++) {
    const crew = await Promise.all([1, 2].map(() => Thread.start(registry.handle)));
    const binds = crew.map(() => new Int32Array(new SharedArrayBuffer(4)));
    for (const [n, thread] of crew.entries()) {
      thread.send(
        ({ registry }, { server, binds }) => {
          for (;;) {
            const owner = registry.owner();
            for (let n = 0; n < 10; n++) {
              registry.bindings.bind('t', server, n % 2 ? { owner } : {});
              Atomics.add(binds, 0, 1);
            }
            owner.close();
          }
        },
        { server: `s${n + 1}`, binds: binds[n] },
      );
    }
    const enough = 1 + random.below(300);
    await until('they bind', () => binds.every((words) => Atomics.load(words, 0) > enough));
    for (const thread of crew) await thread.end();
    const before = Atomics.load(control, 1);
    await until('who lives on binds', () => Atomics.load(control, 1) > before + 1);
    assert.is(registry.bindings.serverOf('t'), 's0');
    assert.equal(registry.bindings.transportsOf('s0'), ['t']);
  }
  Atomics.store(control, 0, 1);
  await survived;
  await survivor.end();
  await until('its binding is swept', () => registry.partitionStats()[0].entries === 4);
  assert.is(registry.bindings.serverOf('t'), undefined);
  await auditOnceSwept(registry.handle);
});

test.run();
