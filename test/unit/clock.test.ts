import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { measureOffsetMs } from '../../src/shared/clock.ts';

const test = suite('clock');

/** A thread whose clock began at 1,000 ms of the machine's, and that loses its processor at its so manieth looks. */
function thread(lost: ReadonlyMap<number, number>) {
  let time = 5_000;
  let looks = 0;
  const look = () => {
    time += (lost.get(looks++) ?? 0) + 0.001;
    return time;
  };
  return { now: () => look() - 1_000, monotonicNow: look };
}

test('a thread that loses its processor between two looks is not behind the others', () => {
  for (let looks = 0; looks < 9; looks++) {
    const { now, monotonicNow } = thread(new Map([[looks, 88]]));
    const offsetMs = measureOffsetMs(now, monotonicNow);
    assert.ok(Math.abs(offsetMs - 1_000) < 0.1, `lost before look ${looks}: ${offsetMs}`);
  }
});

test('where each try is slow the closest counts', () => {
  const slow = new Map(Array.from({ length: 1_000 }, (_, n) => [n, n === 100 || n === 101 ? 0.1 : 7]));
  const { now, monotonicNow } = thread(slow);
  assert.ok(Math.abs(measureOffsetMs(now, monotonicNow) - 1_000) < 0.2);
});

test.run();
