import { Registry } from '../src/engine/index.ts';
import type { Context } from './lib/benchmark.ts';
import { hotNames } from './lib/fixtures.ts';
import { valueAtLeast } from './lib/rows.ts';
import { loop } from './lib/sampler.ts';

export const name = 'groups';
export const summary = 'members of groups, beside a private Map of arrays; joining and leaving';

export async function run(context: Context): Promise<void> {
  const { effort, rows, resources } = context;
  const crowdSize = effort.size(100_000, 5_000);
  const registry = resources.use(await Registry.open({ ownersMax: crowdSize + 100 }));
  const { groups } = registry;
  const owners = Array.from({ length: crowdSize }, () => registry.owner());

  // Members that are owners of their own: each has words of its own that tell whether it lives.
  const ten = Array.from({ length: 100 }, (_, n) => `ten-${n}`);
  for (const group of ten) for (const owner of owners.slice(0, 10)) groups.join(group, { owner });
  const privateGroups = new Map(ten.map((group) => [group, Array.from({ length: 10 }, (_, n) => ({ owner: n }))]));
  const asked = Array.from({ length: hotNames }, (_, n) => ten[n % ten.length]);
  const membersOfTen = loop('members of a group of 10, 100 groups', hotNames, () => {
    let sum = 0;
    for (let n = 0; n < hotNames; n++) sum += groups.members(asked[n]).length;
    return sum;
  });
  const mapOfArrays = loop('Map.get of an array of 10', hotNames, () => {
    let sum = 0;
    for (let n = 0; n < hotNames; n++) sum += privateGroups.get(asked[n])?.length ?? 0;
    return sum;
  });
  const joinAndLeave = loop('join + leave', hotNames, () => {
    let sum = 0;
    for (let n = 0; n < hotNames; n++) {
      groups.join(asked[n]);
      sum += groups.leave(asked[n]) ? 1 : 0;
    }
    return sum;
  });
  const small = await context.measure('small groups', [membersOfTen, mapOfArrays, joinAndLeave]);
  rows.rates(small, membersOfTen, mapOfArrays, { goal: valueAtLeast(4), headline: true });
  rows.rates(small, joinAndLeave, undefined, { headline: true });

  for (const owner of owners) groups.join('crowd', { owner });
  const times = 10;
  const crowd = loop(`members of a group of ${crowdSize.toLocaleString('en-US')}, an owner each`, times, () => {
    let sum = 0;
    for (let n = 0; n < times; n++) sum += groups.members('crowd').length;
    return sum;
  });
  const crowdChanged = loop('the same after one has joined', times, () => {
    let sum = 0;
    for (let n = 0; n < times; n++) {
      groups.join('crowd');
      sum += groups.members('crowd').length;
      groups.leave('crowd');
    }
    return sum;
  });
  const many = await context.measure('a large group', [crowd, crowdChanged]);
  rows.times(many, crowd, undefined);
  rows.times(many, crowdChanged, undefined);
}
