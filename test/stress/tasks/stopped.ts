import { Registry } from '../../../src/engine/index.ts';
import { ControlMap, Guard, Header, Shard } from '../../../src/shared/layout.ts';
import { lockToken } from '../../../src/shared/lock.ts';
import { Thread } from '../../support/threads.ts';

/* A process that its parent stops and lets go on: while three threads write to one shard, and while one waits. */

const tell = (message: unknown) => process.send?.(message);
const told = () => new Promise((resolve) => process.once('message', resolve));

const registry = await Registry.open({ shards: 1, alarmedPercentMax: 100 });
const workers = await Promise.all([Thread.start(registry.handle), Thread.start(registry.handle)]);
const mine = registry.register('kind', 'of the main thread', { config: 0 });
const failures: string[] = [];

for (const [n, worker] of workers.entries()) {
  await worker.run(({ registry, kept }, n) => {
    const name = registry.register('kind', `of worker ${n}`, { config: 0 });
    kept.failures = [];
    kept.writing = setInterval(() => {
      try {
        for (let m = 0; m < 500; m++) name.update(m);
      } catch (error) {
        kept.failures.push(String(error));
      }
    }, 0);
  }, n);
}
const writing = setInterval(() => {
  try {
    for (let m = 0; m < 500; m++) mine.update(m);
  } catch (error) {
    failures.push(String(error));
  }
}, 0);
tell('writing');
await told();

clearInterval(writing);
for (const worker of workers) {
  failures.push(
    ...(await worker.run(({ kept }) => {
      clearInterval(kept.writing);
      return kept.failures as string[];
    })),
  );
}
const [{ lockSteals }] = registry.partitionStats();
tell({ failures, lockSteals, names: [...registry.list('kind')].map(({ id }) => id).sort() });
await told();

// Now a living thread holds the lock, stops the process when the main thread waits, and gives it back when it goes on.
const control = new Int32Array(registry.handle.control);
const map = new ControlMap(1, control[Header.threadsMax], control[Header.ownersMax]);
const lockAt = map.shard(0) + Shard.guard + Guard.lock;
const { slot, epoch } = registry.whereis('kind', 'of worker 0')!.owner;
workers[0].send(
  (_, { control, lockAt, token }) => {
    Atomics.store(control, lockAt, token);
    while (Atomics.load(control, lockAt) === token); // until the other sleeps, which is a bit of the word
    const stopped = performance.now();
    process.kill(process.pid, 'SIGSTOP');
    while (performance.now() - stopped < 1_000);
    const resumed = performance.now();
    while (performance.now() - resumed < 100); // some slices of the other's wait
    Atomics.store(control, lockAt, 0);
    Atomics.notify(control, lockAt);
  },
  { control, lockAt, token: lockToken(slot, epoch) },
);
while (Atomics.load(control, lockAt) === 0) await new Promise(setImmediate);
let outcome = 'done';
try {
  mine.update('after the stop');
} catch (error) {
  outcome = String(error);
}
tell({ outcome });
