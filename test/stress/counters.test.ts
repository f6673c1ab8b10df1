// @timeout 240
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Registry } from '../../src/engine/index.ts';
import { Random, seedOfRun } from '../support/random.ts';
import { Thread } from '../support/threads.ts';
import { until } from '../support/waiting.ts';

/*
 * Threads that count are killed anywhere. Each says after every addition how many it has made: so at most the one it was
 * at may be in the sum besides.
 */
const test = suite('counters');

const seed = seedOfRun();

test('killed threads lose no count and count nothing twice: in a shared counter, and in kept ones of owners', async () => {
  await using registry = await Registry.open();
  const random = new Random(seed);
  let told = 0;
  let toldByOwners = 0;
  let kills = 0;
  for (let round = 0; round < 12; round++) {
    const crew = await Promise.all([0, 1].map(() => Thread.start(registry.handle)));
    const made = crew.map(() => new Int32Array(new SharedArrayBuffer(8)));
    for (const [n, thread] of crew.entries()) {
      thread.send(({ registry }, made) => {
        const all = registry.counter('all');
        for (;;) {
          // Owners come and go, so that rows are claimed and swept all the time.
          const owner = registry.owner();
          const own = registry.counter('of owners', { owner, keep: true });
          for (let n = 0; n < 100; n++) {
            all.increment();
            made[0]++;
            own.increment();
            made[1]++;
          }
          owner.close();
        }
      }, made[n]);
    }
    const enough = 1 + random.below(20_000);
    await until('they count', () => made.every((words) => Atomics.load(words, 0) > enough));
    for (const thread of crew) await thread.end();
    for (const words of made) [told, toldByOwners] = [told + words[0], toldByOwners + words[1]];
    kills += crew.length;
    for (const [name, sum] of [
      ['all', told],
      ['of owners', toldByOwners],
    ] as const) {
      const found = registry.counters.sum(name);
      assert.ok(found >= sum && found <= sum + kills, `${name}: ${found}, told were ${sum}, ${kills} kills`);
    }
  }
  const before = registry.counters.sum('of owners');
  const swept = registry.owner();
  registry.counter('of owners', { owner: swept, keep: true }).increment();
  swept.close();
  assert.is(registry.counters.sum('of owners'), before + 1);
});

test.run();
