import { parentPort, workerData } from 'node:worker_threads';
import { Table } from '../../src/shared/table.ts';
import type { Hold } from './lock-holder.ts';

/* The far side of `LockHolder`: holds locks of shards for real, one at a time or in turns. */

const { handle, gate }: { handle: ConstructorParameters<typeof Table>[0]; gate: Int32Array } = workerData;
const table = new Table(handle);
const GO = 0;
const HELD = 1;

parentPort?.on('message', ({ shards, holdMs = Number.POSITIVE_INFINITY }: Hold) => {
  do {
    // All at once, by calls in calls.
    const takeFrom = (n: number): void => {
      if (n < shards.length) {
        table.shards[shards[n]].exclusively(() => takeFrom(n + 1));
        return;
      }
      Atomics.add(gate, HELD, 1);
      Atomics.notify(gate, HELD);
      Atomics.wait(gate, GO, 0, holdMs);
    };
    takeFrom(0);
    Atomics.wait(gate, GO, 0, 1); // others may take it
  } while (Atomics.load(gate, GO) === 0);
  parentPort?.postMessage('released');
});
parentPort?.postMessage('ready');
