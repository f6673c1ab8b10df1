import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type BalanceStrategy, balance } from '../../src/engine/index.ts';
import { codeOf } from '../support/errors.ts';
import { Random } from '../support/random.ts';

const test = suite('balance');
const ids = ['a', 'b', 'c', 'd', 'e'];

test('round robin takes one after the other, and names all', () => {
  const balancer = balance(ids);
  const firsts = Array.from({ length: 10 }, () => balancer.candidates()[0]);
  assert.equal(firsts, [...ids, ...ids]);
  assert.equal(balancer.candidates().toSorted(), ids);
});

test('least pending takes the one with fewer of two', () => {
  const random = new Random(1);
  const balancer = balance(ids, 'least pending', () => random.below(1 << 30) / (1 << 30));
  for (const id of ids) if (id !== 'c') for (let n = 0; n < 5; n++) balancer.begin(id);
  let taken = 0;
  for (let n = 0; n < 1_000; n++) if (balancer.candidates()[0] === 'c') taken++;
  // c is one of the two with probability 2/5, and wins whenever it is.
  assert.ok(taken > 300 && taken < 500, `${taken} of 1,000`);
  // What begins and never ends evens out.
  const even = balance(ids, 'least pending', () => random.below(1 << 30) / (1 << 30));
  for (let n = 0; n < 5_000; n++) even.begin(even.candidates()[0]);
  for (const n of ids.keys()) assert.ok(Math.abs(even.pending(n) - 1_000) < 20, `${ids[n]} has ${even.pending(n)}`);
  assert.equal(balance(['one'], 'least pending').candidates(), ['one']);
});

test('a consistent hash spreads keys, and moves only those of a name that goes', () => {
  const all = balance(ids, 'consistent hash');
  const fewer = balance(
    ids.filter((id) => id !== 'c'),
    'consistent hash',
  );
  const counts = new Map<string, number>();
  for (let n = 0; n < 10_000; n++) {
    const [home, next] = all.candidates(`session ${n}`);
    counts.set(home, (counts.get(home) ?? 0) + 1);
    assert.is(fewer.candidates(`session ${n}`)[0], home === 'c' ? next : home);
  }
  for (const id of ids) assert.ok(Math.abs((counts.get(id) ?? 0) - 2_000) < 250, `${id}: ${counts.get(id)}`);
  const shuffled = balance(ids.toReversed(), 'consistent hash');
  assert.equal(shuffled.candidates('x'), all.candidates('x'));
});

test('nonsense is refused', () => {
  for (const list of [[], ['a', 'a'], 'a', undefined, [1, 2]]) {
    assert.is(
      codeOf(() => balance(list as string[])),
      'INVALID_OPTION',
    );
  }
  for (const strategy of ['best', Symbol('best'), Object.create(null)]) {
    assert.is(
      codeOf(() => balance(['a'], strategy as BalanceStrategy)),
      'INVALID_OPTION',
    );
  }
});

test.run();
