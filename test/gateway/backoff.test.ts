import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Backoff } from '../../src/gateway/backoff.ts';
import { property } from '../support/property.ts';

const test = suite('backoff');

test('delays double up to the maximum', () => {
  const backoff = new Backoff({ baseMs: 100, maxMs: 1_000, random: () => 1 });
  assert.equal(
    [1, 2, 3, 4, 5, 6].map(() => backoff.next()),
    [100, 200, 400, 800, 1_000, 1_000],
  );
});

test('reset starts anew', () => {
  const backoff = new Backoff({ baseMs: 100, maxMs: 1_000, random: () => 1 });
  backoff.next();
  backoff.next();
  backoff.reset();
  assert.is(backoff.next(), 100);
});

property(
  test,
  'each delay lies between half of its ceiling and the ceiling, for ever',
  fc.property(fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 1, max: 3_000 }), (chance, attempts) => {
    const backoff = new Backoff({ baseMs: 10, maxMs: 500, random: () => chance });
    for (let attempt = 0; attempt < attempts; attempt++) {
      const ceiling = Math.min(500, 10 * 2 ** attempt);
      const delay = backoff.next();
      assert.ok(delay >= ceiling / 2 && delay <= ceiling, `${delay} for attempt ${attempt}`);
    }
  }),
);

test.run();
