import { setTimeout as sleep } from 'node:timers/promises';

/** Waits for a condition, however long the machine takes: the limit only ends what would never end. */
export async function until(what: string, condition: () => boolean, limitMs = 60_000): Promise<void> {
  const started = performance.now();
  while (!condition()) {
    if (performance.now() - started > limitMs) throw new Error(`waited ${limitMs} ms for this: ${what}`);
    await sleep(1);
  }
}

/** The same without a turn of the event loop: the thread stays blocked meanwhile. */
export function untilBlocked(what: string, condition: () => boolean, limitMs = 60_000): void {
  const started = performance.now();
  while (!condition()) {
    if (performance.now() - started > limitMs) throw new Error(`waited ${limitMs} ms for this: ${what}`);
  }
}
