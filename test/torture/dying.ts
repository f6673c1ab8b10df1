import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** How a thread spent its last milliseconds. */
export interface Dying {
  /** On a processor, and ready for one that others had. */
  readonly ranMs: number;
  readonly queuedMs: number;
}

/** Watches a thread of this process until the kernel has ended it; undefined where there is no `/proc` to look into. */
export async function watchDying(tid: number): Promise<Dying | undefined> {
  const first = scheduledOf(tid);
  if (first === undefined) return undefined;
  let last = first;
  for (let now: typeof last | undefined = first; now !== undefined; now = scheduledOf(tid)) {
    last = now;
    await sleep(1);
  }
  return { ranMs: (last.ran - first.ran) / 1e6, queuedMs: (last.queued - first.queued) / 1e6 };
}

/** Nanoseconds so far. */
function scheduledOf(tid: number): { ran: number; queued: number } | undefined {
  try {
    const [ran, queued] = readFileSync(`/proc/self/task/${tid}/schedstat`, 'latin1').split(' ').map(Number);
    return { ran, queued };
  } catch {
    return undefined;
  }
}
