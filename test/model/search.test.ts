// The search itself: it meets every interleaving, and counts those that it need not run again.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { metBefore, Search } from './search.ts';

const test = suite('search');

/** Two threads of so many steps; which state a schedule leads to is said by `state`. @returns the schedules that were run */
function explore(steps: readonly number[], bound: number, state: (schedule: string) => number) {
  const search = new Search();
  const schedules = new Set<string>();
  do {
    search.begin();
    const done = steps.map(() => 0);
    let schedule = '';
    let current = -1;
    let left = bound;
    try {
      for (;;) {
        const goes = current !== -1 && done[current] < steps[current];
        const ready = [...steps.keys()].filter((n) => done[n] < steps[n] && n !== current);
        if (goes && left > 0) ready.unshift(current);
        else if (goes) ready.splice(0, ready.length, current);
        if (ready.length === 0) break;
        let choice = 0;
        if (ready.length > 1) {
          choice = search.choose(ready.length, goes, left, () => state(`${schedule}.${current}`));
          if (goes && choice > 0) {
            search.preempted();
            left--;
          }
        }
        current = ready[choice];
        done[current]++;
        schedule += current;
      }
      assert.not.ok(schedules.has(schedule), 'no schedule is run twice');
      schedules.add(schedule);
      search.ended();
    } catch (error) {
      if (error !== metBefore) throw error;
    }
  } while (search.next());
  return { schedules, search };
}

const binomial = (n: number, k: number): number => (k === 0 ? 1 : (binomial(n - 1, k - 1) * n) / k);

let names = 0;
const unique = () => names++;
const numbers = new Map<string, number>();
/** How far each thread has come, and who runs: the state of threads that share nothing but their order. */
function progress(schedule: string): number {
  const [steps, current] = schedule.split('.');
  const zeros = steps.split('0').length;
  const key = `${zeros} ${steps.length - zeros} ${current}`;
  const number = numbers.get(key) ?? numbers.size;
  numbers.set(key, number);
  return number;
}

test('without a bound it runs every interleaving', () => {
  const { schedules, search } = explore([5, 4], 100, unique);
  assert.is(schedules.size, binomial(9, 4));
  assert.is(search.interleavings, binomial(9, 4));
});

for (const bound of [0, 1, 2, 3]) {
  test(`states that are met again save runs, and change no count: bound ${bound}`, () => {
    const all = explore([6, 5], bound, unique);
    const pruned = explore([6, 5], bound, progress);
    assert.is(all.search.interleavings, all.schedules.size);
    assert.is(pruned.search.interleavings, all.search.interleavings);
    if (bound > 2) assert.ok(pruned.search.runs < all.search.runs, `${pruned.search.runs} of ${all.search.runs} runs`);
    for (const schedule of pruned.schedules) assert.ok(all.schedules.has(schedule));
  });
}

test('a state that was met with fewer preemptions left is explored again', () => {
  const { search } = explore([3, 3], 3, progress);
  assert.is(search.interleavings, explore([3, 3], 3, unique).search.interleavings);
});

test.run();
