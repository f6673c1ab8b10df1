import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { limits } from '../../src/shared/limits.ts';
import {
  EMPTY,
  entryWord,
  idOf,
  indexSize,
  indexStart,
  isDescriptor,
  needsGrowth,
  nextDescriptor,
  overloaded,
  sameTag,
  TOMBSTONE,
  tagOf,
} from '../../src/shared/name-index.ts';

const test = suite('name-index');

const smallest = 6; // what a new shard starts with: generation 0, side 0, 64 words

test('a word gives back its record id and its tag', () => {
  for (const hash of [0, 1, -1, 0x7fffffff, 0x12345678]) {
    for (const id of [1, 2, 1_000, limits.entriesPerShardMax]) {
      const word = entryWord(hash, id);
      assert.is(idOf(word), id);
      assert.ok(sameTag(word, tagOf(hash)));
    }
  }
});

test('neither an empty slot nor a tombstone leads to a record', () => {
  assert.is(idOf(EMPTY), 0);
  assert.is(idOf(TOMBSTONE), 0);
  for (const hash of [0, 1, -1])
    for (const id of [1, limits.entriesPerShardMax]) {
      assert.is.not(entryWord(hash, id), EMPTY);
      assert.is.not(entryWord(hash, id), TOMBSTONE);
    }
});

test('an index never overlaps the one before it, up to the largest', () => {
  let descriptor = smallest;
  for (let n = 0; n < 60; n++) {
    const grow = n % 4 === 0 && indexSize(descriptor) < 1 << 21;
    const next = nextDescriptor(descriptor, grow);
    assert.ok(isDescriptor(next));
    assert.is(indexSize(next), indexSize(descriptor) * (grow ? 2 : 1));
    const [low, high] = [descriptor, next].sort((a, b) => indexStart(a) - indexStart(b));
    assert.ok(indexStart(low) + indexSize(low) <= indexStart(high), `${low} and ${high}`);
    assert.is.not(next, descriptor);
    descriptor = next;
  }
});

test('the next index has another generation, also when the count starts over', () => {
  const last = (-1 << 6) | smallest;
  const next = nextDescriptor(last, false);
  assert.ok(isDescriptor(next));
  assert.is(next >>> 6, 0);
  assert.is(indexSize(next), 64);
});

test('what is no descriptor is told apart', () => {
  for (const word of [0, 5, 23, 31]) assert.not.ok(isDescriptor(word));
});

test('an index is never more than three quarters full, and grows only when half of it lives', () => {
  assert.not.ok(overloaded(47, 64));
  assert.ok(overloaded(48, 64));
  assert.not.ok(needsGrowth(31, 64));
  assert.ok(needsGrowth(32, 64));
});

test.run();
