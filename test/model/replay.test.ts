// A schedule says something about a program only if it runs through all of it.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Explorer, MisfitError, type Schedule } from './explore.ts';
import { loadStepped } from './load.ts';
import { programNamed } from './programs.ts';

const test = suite('replay');
const source = await loadStepped();
const program = programNamed('registered: update, killed | whereis');

/** Why the schedule does not fit; '' when it was followed from start to end. */
function misfit(schedule: Schedule): string {
  try {
    new Explorer(source, program, Number.POSITIVE_INFINITY).replay(schedule);
    return '';
  } catch (error) {
    if (error instanceof MisfitError) return error.message;
    throw error;
  }
}

/** Steps that a thread takes until it is done. */
function stepsOf(thread: number, before: Schedule = []): number {
  for (let steps = 1; ; steps++) {
    if (misfit([...before, [thread, steps + 1]]) === `thread ${thread} is done`) return steps;
  }
}

test('a schedule of all steps of all threads is followed', () => {
  const update: Schedule = [[0, stepsOf(0)]];
  assert.is(misfit([...update, [1, stepsOf(1, update)]]), '');
  assert.is(
    misfit([
      [0, 1],
      [0, 0],
      [1, stepsOf(1)],
    ]),
    '',
  );
});

test('one that ends before the threads do does not fit', () => {
  assert.match(misfit([]), 'it ends before the threads do');
  assert.match(misfit([[0, stepsOf(0)]]), 'it ends before the threads do');
});

test('nor does one with more steps than a thread has, or of a thread that was killed', () => {
  assert.is(misfit([[0, stepsOf(0) + 1]]), 'thread 0 is done');
  assert.is(misfit([[0, 1] as const, [0, 0] as const, [0, 1] as const]), 'thread 0 is killed');
});

test('nor does one of threads that the program does not have, or does not kill', () => {
  assert.is(misfit([[7, 1]]), 'thread 7 is not there');
  assert.is(misfit([[1, 0]]), 'thread 1 is not killed in this program');
});

test.run();
