import { performance } from 'node:perf_hooks';
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import { tickMs } from '../shared/clock.ts';
import { isBusy } from '../shared/errors.ts';
import { OwnerState } from '../shared/layout.ts';
import { limits } from '../shared/limits.ts';
import type { Table } from '../shared/table.ts';

/** Sweeps what has expired, for as long as the thread runs. While nothing has a deadline there is no timer.
 *  @param fail told what a sweep threw, but `BUSY` */
export async function sweepExpired(table: Table, fail: (error: unknown) => void): Promise<void> {
  const { clock, deadlines } = table.owners;
  // A coordinator before this one may have ended in a sweep, between taking the next deadline away and noting those that are left.
  if (table.epoch !== OwnerState.alive) deadlines.note(clock.deadline(1));
  for (;;) {
    const next = deadlines.next();
    const waitMs = next === 0 ? Number.POSITIVE_INFINITY : ((next - clock.time()) | 0) * tickMs;
    if (waitMs > 0) {
      await deadlines.changed(next, waitMs);
      continue;
    }
    deadlines.forgetNext();
    const started = performance.now();
    try {
      for (const _ of table.sweepDead(true)) await nextTurn();
    } catch (error) {
      deadlines.note(next); // what is left is swept next time
      if (!isBusy(error)) fail(error);
    }
    // Who watches hears of what expires by the sweep: so the rest is short where a sweep is.
    await delay(Math.max(limits.expirySweepMs, (performance.now() - started) * limits.expiryRestFactor));
  }
}
