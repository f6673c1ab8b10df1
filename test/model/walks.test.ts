// @timeout 600
// Random interleavings of random programs, larger than any that could be explored exhaustively.
import { suite } from 'uvu';
import { Random, seedOfRun } from '../support/random.ts';
import { explorerPool } from './pool.ts';

const test = suite('walks');
const random = new Random(seedOfRun());
const pool = explorerPool();
const programs = 1_500;
const walks = 40;

test(`${programs} programs, ${walks} walks in each`, async () => {
  const seeds = Array.from({ length: programs }, () => random.below(2 ** 31));
  await Promise.all(seeds.map((seed) => pool.run({ name: `random ${seed}`, walks, seed }, { name: 'walk' })));
});
test.after(() => pool.destroy());

test.run();
