import { connect, type Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { RegistryError } from '../shared/errors.ts';
import { COORDINATOR_SLOT, Header } from '../shared/layout.ts';
import { limits } from '../shared/limits.ts';
import type { Table, TableBuffers } from '../shared/table.ts';
import { coordinatorAddress, FrameType, frame, frameReader } from './coordinator-wire.ts';
import { workerUrl } from './worker-url.ts';

/** What a coordinator is started with. */
export interface CoordinatorData {
  readonly handle: TableBuffers;
  readonly generation: number;
}

const RETRY_FIRST_MS = 5;
const RETRY_LAST_MS = 500;

/**
 * A thread's side of the coordinator: the socket whose end tells of the thread's end, and the restart of a coordinator
 * that has ended. Nothing here keeps the process alive, and no registry call waits for it.
 *
 * `Header.coordinatorGeneration` counts coordinators. Whoever loses his socket and moves the count from the generation
 * he was connected to starts the next one; the others see the count and connect to it.
 */
export class CoordinatorLink {
  readonly #table: Table;
  readonly #buffers: TableBuffers;
  #socket: Socket | undefined;
  #worker: Worker | undefined;
  #retry: NodeJS.Timeout | undefined;
  #retryMs = RETRY_FIRST_MS;
  #failingSince = 0;
  #closed = false;

  constructor(table: Table, buffers: TableBuffers) {
    this.#table = table;
    this.#buffers = buffers;
    table.onSuspect = (slot) => this.#send(FrameType.suspect, slot);
  }

  /** Starts the first coordinator; resolves when it listens. @throws {RegistryError} `COORDINATOR_FAILED` */
  async start(): Promise<void> {
    try {
      const worker = this.#startNext(0);
      worker?.ref();
      await new Promise<void>((resolve, reject) => {
        worker?.once('message', () => resolve());
        worker?.once('error', reject);
        worker?.once('exit', (code) => reject(new Error(`exit code ${code}`)));
      });
      worker?.unref();
    } catch (cause) {
      throw new RegistryError('COORDINATOR_FAILED', `the coordinator thread did not start: ${cause}`, { cause });
    }
    this.connect();
  }

  /** Connects to the coordinator of the day, and again whenever that one ends.
   *  @param welcomeAt when it last welcomed us, if it has not ended for certain since */
  connect(welcomeAt = 0): void {
    const { control } = this.#table;
    const generation = Atomics.load(control, Header.coordinatorGeneration);
    const socket = connect(coordinatorAddress(this.#buffers, generation));
    this.#socket = socket;
    socket.unref();
    socket.write(frame(this.#buffers, FrameType.hello, this.#table.slot));
    const read = frameReader(this.#buffers);
    socket.on('data', (chunk) => {
      for (const { type } of read(chunk) ?? []) {
        if (type === FrameType.welcome) {
          welcomeAt = performance.now();
          this.#retryMs = RETRY_FIRST_MS;
          this.#failingSince = 0;
        }
        // This is a turn of the event loop of its own, so what this thread still holds it has abandoned.
        if (type === FrameType.recover && !this.#closed) this.#table.recoverLocks(this.#table.slot, this.#table.epoch);
      }
    });
    socket.on('error', () => {}); // 'close' follows
    socket.on('close', () => this.#lost(generation, welcomeAt));
  }

  requestSweep(): void {
    this.#send(FrameType.sweep, 0);
  }

  /** Ends the link; with `stop` the coordinator too, and resolves when it has ended. */
  async close(stop: boolean): Promise<void> {
    // At once, if it can be: this thread may not come to its event loop, where the socket ends, for long.
    this.#send(stop ? FrameType.stop : FrameType.sweep, 0);
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#socket?.end();
    this.#socket?.unref();
    if (stop) await this.#worker?.terminate();
  }

  /** Writes at once if the socket takes it: a thread that waits for a lock has no event loop to write later. */
  #send(type: number, argument: number): void {
    this.#socket?.write(frame(this.#buffers, type, argument));
  }

  /** The socket has closed. A coordinator that had welcomed us and does not run has ended, and so has one that has not
   *  let anybody in for long; any other only hung up on us. */
  #lost(generation: number, welcomeAt: number): void {
    if (this.#closed || this.#table.closed) return;
    const now = performance.now();
    this.#failingSince ||= now;
    const { owners } = this.#table;
    const runs = owners.hasKernelThread(COORDINATOR_SLOT) && !owners.threadEnded(COORDINATOR_SLOT);
    if (!runs && (welcomeAt !== 0 || now - this.#failingSince > limits.coordinatorStartMs)) {
      // One that ends as soon as it runs is not started again and again at once.
      const restMs = welcomeAt !== 0 && now - welcomeAt < limits.coordinatorRestMs ? limits.coordinatorRestMs : 0;
      this.#failingSince = 0;
      this.#retryMs = RETRY_FIRST_MS;
      this.#later(restMs, () => {
        this.#startNext(generation);
        this.connect();
      });
      return;
    }
    // (On its way out its thread may still be there for a moment: it is asked for again at the next failure.)
    this.#later(this.#retryMs, () => this.connect(welcomeAt));
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_LAST_MS);
  }

  #later(delayMs: number, act: () => void): void {
    this.#retry = setTimeout(() => {
      if (!this.#closed && !this.#table.closed) act();
    }, delayMs).unref();
  }

  /** Starts the coordinator after `generation`, unless another thread has. */
  #startNext(generation: number): Worker | undefined {
    const { control } = this.#table;
    const next = generation + 1;
    if (Atomics.compareExchange(control, Header.coordinatorGeneration, generation, next) !== generation)
      return undefined;
    const workerData: CoordinatorData = { handle: this.#buffers, generation: next };
    const worker = new Worker(workerUrl('coordinator'), {
      workerData,
      name: 'rollcall-coordinator',
      execArgv: [], // what the application preloads is not for this thread
    });
    worker.unref();
    worker.on('error', (error) => process.emitWarning(`coordinator: ${error}; it is started again`, 'RollcallWarning'));
    this.#worker = worker;
    return worker;
  }
}
