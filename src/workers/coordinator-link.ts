import { connect, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { RegistryError } from '../shared/errors.ts';
import { Header } from '../shared/layout.ts';
import { limits } from '../shared/limits.ts';
import type { Table, TableBuffers } from '../shared/table.ts';
import { CoordinatorMessage, coordinatorAddress, FrameType, frame, frameReader } from './coordinator-wire.ts';
import { workerUrl } from './worker-url.ts';

/**
 * A thread's side of the coordinator: the socket whose end tells of the thread's end, and the restart of a coordinator
 * that has ended. Nothing here keeps the process alive, and no registry call waits for it.
 *
 * Any thread may start a coordinator at any time: the one that comes to listen on the registry's address is it, and
 * another finds the address taken and leaves. `Header.coordinatorGeneration` only keeps many threads from starting one
 * at the same time: it is counted up by compareExchange from what it was when the thread connected.
 */
export class CoordinatorLink {
  readonly #table: Table;
  readonly #buffers: TableBuffers;
  #socket: Socket | undefined;
  #worker: Worker | undefined;
  #retry: NodeJS.Timeout | undefined;
  #retryMs: number = limits.coordinatorRetryFirstMs;
  #failingSince = 0;
  /** The coordinator that this thread started last has ended, and nobody has started another. */
  #died = false;
  #closed = false;

  constructor(table: Table, buffers: TableBuffers) {
    this.#table = table;
    this.#buffers = buffers;
    table.onSuspect = () => table.requestLocks();
  }

  /** Starts the first coordinator; resolves when it listens. @throws {RegistryError} `COORDINATOR_FAILED` */
  async start(): Promise<void> {
    try {
      const worker = this.#startNext(0) as Worker;
      worker.ref();
      await new Promise<void>((resolve, reject) => {
        worker.once('message', (message) => message === CoordinatorMessage.listening && resolve());
        worker.once('error', reject);
        worker.once('exit', (code) => reject(new Error(`exit code ${code}`)));
      });
      worker.unref();
    } catch (cause) {
      throw new RegistryError('COORDINATOR_FAILED', `the coordinator thread did not start: ${cause}`, { cause });
    }
    this.connect();
  }

  /** Connects to the coordinator, and again whenever it ends. */
  connect(): void {
    const generation = Atomics.load(this.#table.control, Header.coordinatorGeneration);
    const socket = connect(coordinatorAddress(this.#buffers));
    this.#socket = socket;
    socket.unref();
    socket.write(frame(this.#buffers, FrameType.hello, this.#table.slot, this.#table.epoch));
    let welcomeAt = 0;
    const read = frameReader(this.#buffers);
    socket.on('data', (chunk) => {
      for (const { type } of read(chunk) ?? []) {
        if (type === FrameType.recover) this.#giveBack();
        if (type !== FrameType.welcome) continue;
        welcomeAt = performance.now();
        this.#retryMs = limits.coordinatorRetryFirstMs;
        this.#failingSince = 0;
      }
    });
    socket.on('error', () => {}); // 'close' follows
    socket.on('close', () => this.#lost(generation, welcomeAt));
  }

  /** This is a turn of the event loop of its own, so what this thread still holds it has abandoned. */
  #giveBack(): void {
    if (this.#closed) return;
    try {
      this.#table.recoverLocks(this.#table.slot, this.#table.epoch);
    } catch (error) {
      process.emitWarning(`a lock was given back unrepaired: ${error}`, 'RollcallWarning');
    }
  }

  /** Ends the link; with `stop` the coordinator too, and resolves when it has ended. */
  async close(stop: boolean): Promise<void> {
    // Written at once if the socket takes it.
    if (stop) this.#socket?.write(frame(this.#buffers, FrameType.stop));
    this.#closed = true;
    clearTimeout(this.#retry);
    // At once: this thread may attach and leave many times before it comes to its event loop.
    this.#socket?.destroy();
    if (!stop) return;
    await this.#worker?.terminate();
    // The present one may be another thread's. Who hangs up on it makes it see that the registry is closed.
    const givenUpAt = performance.now() + limits.coordinatorEndMs;
    while ((await this.#knock()) && performance.now() < givenUpAt) await delay(limits.coordinatorKnockMs);
  }

  /** @returns whether a coordinator listened. */
  #knock(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect(coordinatorAddress(this.#buffers));
      let listened = false;
      socket.on('connect', () => {
        listened = true;
        socket.destroy();
      });
      socket.on('error', () => {}); // 'close' follows
      socket.on('close', () => resolve(listened));
    });
  }

  /** The socket has closed: the coordinator that had welcomed us has ended. One that does not let us in may be on its
   *  way, for so long, unless it was ours and has ended. */
  #lost(generation: number, welcomeAt: number): void {
    if (this.#closed || this.#table.closed) return;
    const now = performance.now();
    this.#failingSince ||= now;
    if (welcomeAt === 0 && !this.#died && now - this.#failingSince < limits.coordinatorStartMs) {
      this.#later(this.#nextRetryMs(), () => this.connect());
      return;
    }
    // One that ends as soon as it runs is not started again and again at once.
    let restMs = 0;
    if (welcomeAt !== 0 && now - welcomeAt < limits.coordinatorRestMs) restMs = limits.coordinatorRestMs;
    if (welcomeAt === 0 && this.#died) restMs = this.#nextRetryMs();
    else this.#retryMs = limits.coordinatorRetryFirstMs;
    this.#failingSince = 0;
    this.#later(restMs, () => {
      try {
        this.#startNext(generation);
      } catch (error) {
        process.emitWarning(`no coordinator could be started: ${error}; it is tried again`, 'RollcallWarning');
      }
      this.connect();
    });
  }

  /** Doubles until somebody is welcomed. */
  #nextRetryMs(): number {
    const retryMs = this.#retryMs;
    this.#retryMs = Math.min(retryMs * 2, limits.coordinatorRetryLastMs);
    return retryMs;
  }

  #later(delayMs: number, act: () => void): void {
    this.#retry = setTimeout(() => {
      if (!this.#closed && !this.#table.closed) act();
    }, delayMs).unref();
  }

  /** Starts a coordinator, unless another thread has since the count was `generation`. */
  #startNext(generation: number): Worker | undefined {
    const { control } = this.#table;
    const next = generation + 1;
    this.#died = false;
    if (Atomics.compareExchange(control, Header.coordinatorGeneration, generation, next) !== generation)
      return undefined;
    const worker = new Worker(workerUrl('coordinator'), {
      workerData: this.#buffers,
      name: 'rollcall-coordinator',
      execArgv: [], // what the application preloads is not for this thread
    });
    worker.unref();
    worker.on('error', (error) => {
      if (this.#table.closed) return; // it came too late
      process.emitWarning(`coordinator: ${error}; it is started again`, 'RollcallWarning');
    });
    let superfluous = false;
    worker.on('message', (message) => {
      superfluous = message === CoordinatorMessage.superfluous;
    });
    worker.on('exit', () => {
      this.#died ||= !superfluous && Atomics.load(control, Header.coordinatorGeneration) === next;
    });
    this.#worker = worker;
    return worker;
  }
}
