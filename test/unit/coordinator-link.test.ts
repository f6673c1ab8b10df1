import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Registry, type RegistryHandle } from '../../src/engine/index.ts';
import { Header, OwnerState } from '../../src/shared/layout.ts';
import { limits } from '../../src/shared/limits.ts';
import { Table } from '../../src/shared/table.ts';
import { coordinatorAddress, FrameType, frame, frameReader } from '../../src/workers/coordinator-wire.ts';
import { Thread } from '../support/threads.ts';
import { until, untilBlocked } from '../support/waiting.ts';

/* The coordinators that follow the first: who starts them, and who waits for their end. */
const test = suite('coordinator-link');

/** Every coordinator that this thread starts. */
function watchCoordinators(listener: (worker: Worker) => void): Disposable {
  process.on('worker', listener);
  return { [Symbol.dispose]: () => void process.off('worker', listener) };
}

const startsOf = ({ control }: RegistryHandle): number =>
  Atomics.load(new Int32Array(control), Header.coordinatorGeneration);

function listens(handle: RegistryHandle): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(coordinatorAddress(handle));
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
    socket.unref();
  });
}

test('a coordinator that dies before it lets anybody in is replaced when it has ended, not when it is late', async () => {
  const { coordinatorStartMs } = limits;
  const patience = limits as { coordinatorStartMs: number };
  patience.coordinatorStartMs = Number.POSITIVE_INFINITY; // nobody is ever late
  try {
    const coordinators: Worker[] = [];
    using _ = watchCoordinators((worker) => void coordinators.push(worker));
    await using registry = await Registry.open({ shards: 1 });
    {
      using _ = watchCoordinators((worker) => void worker.terminate());
      await coordinators[0].terminate();
      await until('three more have been started', () => startsOf(registry.handle) >= 4);
    }
    while (!(await listens(registry.handle))) await delay(5);
  } finally {
    patience.coordinatorStartMs = coordinatorStartMs;
  }
});

test('the close waits for the present coordinator, also when another thread started it', async () => {
  const coordinators: Worker[] = [];
  using _ = watchCoordinators((worker) => void coordinators.push(worker));
  const registry = await Registry.open({ shards: 1 });
  const [first] = coordinators;
  await using thread = await Thread.start(registry.handle);
  void first.terminate();
  // This thread is blocked, so the other one finds itself alone.
  untilBlocked('the other thread starts the next', () => startsOf(registry.handle) === 2);
  while (!(await listens(registry.handle))) await delay(5);
  await registry.close();
  assert.not.ok(await listens(registry.handle));
  assert.is(startsOf(registry.handle), 2);
  await thread.run(({ registry }) => registry.close());
});

test('a hello that comes late, of the tenancy before, does not take the place of its successor', async () => {
  await using registry = await Registry.open({ shards: 1 });
  const table = new Table(registry.handle);
  const heard = (epoch: number) => {
    const frames: number[] = [];
    const read = frameReader(registry.handle);
    const socket = connect(coordinatorAddress(registry.handle));
    socket.write(frame(registry.handle, FrameType.hello, table.slot, epoch));
    socket.on('data', (chunk) => frames.push(...(read(chunk) ?? []).map(({ type }) => type)));
    return { frames, [Symbol.dispose]: () => void socket.destroy() };
  };
  using present = heard(table.epoch);
  await until('it is welcome', () => present.frames.length === 1);
  using late = heard(table.epoch - OwnerState.step);
  await until('so is the other', () => late.frames.length === 1);
  table.shards[0].enter();
  try {
    table.requestLocks();
    await until('the present one is asked', () => present.frames.includes(FrameType.recover));
    assert.equal(late.frames, [FrameType.welcome]);
  } finally {
    table.shards[0].leave();
    table.detach();
  }
});

test.run();
