// One thread of a team: see team.ts.
import { parentPort, workerData } from 'node:worker_threads';
import { encodeConfig, Registry } from '../../src/engine/index.ts';
import { kind, nameOf, privateMap, randomNumbers, sampleConfig } from './fixtures.ts';
import { activeIn, Control, operations, Result, type TeamData } from './team.ts';

/** Operations between two looks at the clock. */
const PASS = 1_000;

const data = workerData as TeamData;
const control = new Int32Array(data.control);
const results = new Float64Array(data.results);
const registry = Registry.attach(data.handle);
const encoded = encodeConfig(sampleConfig);
const shapes = data.shapes.map((numbers) => Array.from(numbers, nameOf));
const maps = shapes.map((names) => privateMap([...new Set(names)]));
const own = Array.from({ length: PASS }, (_, n) => `thread-${String(data.thread).padStart(4, '0')}-${n}`);
/** Which operations of a mix are updates, by how many of a hundred. */
const marks = (percent: number): boolean[] => {
  const random = randomNumbers(data.thread * 100 + percent);
  return Array.from({ length: PASS }, () => random(100) < percent);
};
const mix1 = marks(1);
const mix10 = marks(10);

/** One pass of each operation from a place of its own, each its own function for the sake of the compiler. */
const passes = {
  map(ids: readonly string[], from: number, shape: number): number {
    const map = maps[shape];
    let sum = 0;
    for (let n = 0; n < PASS; n++) sum += map.get(ids[(from + n) % ids.length])!.version & 1;
    return sum;
  },
  read(ids: readonly string[], from: number): number {
    let sum = 0;
    for (let n = 0; n < PASS; n++) sum += registry.whereis(kind, ids[(from + n) % ids.length])!.version & 1;
    return sum;
  },
  mix1(ids: readonly string[], from: number): number {
    let sum = 0;
    for (let n = 0; n < PASS; n++) {
      const id = ids[(from + n) % ids.length];
      sum += (mix1[n] ? registry.update(kind, id, encoded) : registry.whereis(kind, id)!.version) & 1;
    }
    return sum;
  },
  mix10(ids: readonly string[], from: number): number {
    let sum = 0;
    for (let n = 0; n < PASS; n++) {
      const id = ids[(from + n) % ids.length];
      sum += (mix10[n] ? registry.update(kind, id, encoded) : registry.whereis(kind, id)!.version) & 1;
    }
    return sum;
  },
  update(ids: readonly string[], from: number): number {
    let sum = 0;
    for (let n = 0; n < PASS; n++) sum += registry.update(kind, ids[(from + n) % ids.length], encoded) & 1;
    return sum;
  },
  cycle(): number {
    let sum = 0;
    for (let n = 0; n < PASS; n++) {
      sum += registry.register(kind, own[n], { config: encoded }).record & 1;
      sum += registry.unregister(kind, own[n]) ? 1 : 0;
    }
    return sum;
  },
};

/** Threads begin at different places, so that they do not walk in step. */
const starts = shapes.map((names) => Math.floor((data.thread * 0.618 * names.length) % names.length));

function work(): void {
  const pass = passes[operations[control[Control.operation]]];
  const shape = control[Control.shape];
  const ids = shapes[shape];
  const startedMs = performance.now();
  let elapsedMs = 0;
  let done = 0;
  let checksum = 0;
  while (elapsedMs < control[Control.roundMs] || done < control[Control.operationsMin]) {
    checksum += pass(ids, starts[shape], shape);
    starts[shape] = (starts[shape] + PASS) % ids.length;
    done += PASS;
    elapsedMs = performance.now() - startedMs;
  }
  const at = data.thread * Result.words;
  results[at + Result.operations] = done;
  results[at + Result.startedMs] = performance.timeOrigin + startedMs;
  results[at + Result.endedMs] = performance.timeOrigin + startedMs + elapsedMs;
  results[at + Result.checksum] = checksum;
  Atomics.add(control, Control.done, 1);
  Atomics.notify(control, Control.done);
}

parentPort!.postMessage('ready');
for (let seen = 0; ; ) {
  Atomics.wait(control, Control.round, seen);
  seen = Atomics.load(control, Control.round);
  if (data.thread < activeIn(seen)) work();
}
