// A call for a group's members that a `vm` time-out cuts off after it has collected them, and before it keeps them.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Answer } from '../../src/engine/answer.ts';
import { Registry } from '../../src/engine/index.ts';

const test = suite('group cut');

test('members that were collected and not kept are not told of as those before them', async () => {
  await using registry = await Registry.open();
  registry.groups.join('g', { owner: registry.owner() });
  assert.is(registry.groups.members('g').length, 1);
  registry.groups.join('g', { owner: registry.owner() });
  const { settle } = Answer.prototype;
  Answer.prototype.settle = () => {
    throw new Error('cut off');
  };
  try {
    assert.throws(() => registry.groups.members('g'), 'cut off');
  } finally {
    Answer.prototype.settle = settle;
  }
  for (let looks = 0; looks < 3; looks++) assert.is(registry.groups.members('g').length, 2);
});

test.run();
