import { createServer, type Server, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { isBusy, isCorrupt } from '../shared/errors.ts';
import { limits } from '../shared/limits.ts';
import { Table, type TableBuffers } from '../shared/table.ts';
import { ContentionWatch } from './contention-watch.ts';
import { coordinatorAddress, FrameType, frame, frameReader } from './coordinator-wire.ts';
import { sweepExpired } from './expiry-sweep.ts';

/**
 * Notices that threads end, ends what they owned, frees the locks they held, and sweeps their entries away in slices.
 *
 * All it knows lies in shared memory: when it ends, the next one takes up from there and nothing is lost.
 */
export class Coordinator {
  readonly #table: Table;
  readonly #buffers: TableBuffers;
  readonly #sockets = new Map<number, Socket>();
  readonly #strangers = new Set<Socket>();
  /** Tenancies (slot and epoch) that are being looked at until their thread has ended, or has connected. */
  readonly #suspects = new Set<string>();
  #sweeping = false;
  #sweepAgain = false;
  #corrupt = false;

  /** Resolves with a coordinator once it is the one that listens; undefined when another does. */
  static async start(buffers: TableBuffers): Promise<Coordinator | undefined> {
    const server = createServer();
    const listening = await new Promise<boolean>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'EADDRINUSE') resolve(false);
        else reject(error);
      });
      server.listen(coordinatorAddress(buffers), () => resolve(true));
    });
    // Only now does it take the coordinator's row: the address was free, so who had the row runs no more.
    return listening ? new Coordinator(new Table(buffers, 'coordinator'), buffers, server) : undefined;
  }

  private constructor(table: Table, buffers: TableBuffers, server: Server) {
    this.#table = table;
    this.#buffers = buffers;
    server.maxConnections = table.owners.threadsMax + limits.strangersMax + 1;
    server.on('connection', (socket) => this.#accept(socket));
    table.lockWaitMs = limits.lockWaitCoordinatorMs;
    table.onSuspect = (slot) => this.#askBack(slot);
    this.#survive(() => table.recoverFromPredecessor());
    this.#checkThreads();
    void this.#hearRequests();
    void new ContentionWatch(table, (slot) => this.#askBack(slot)).run();
    void sweepExpired(table, (error) => this.#tellCorrupt(error));
  }

  /** Threads ask in shared memory, as they may not come to their event loop to say it over a socket. */
  async #hearRequests(): Promise<void> {
    for (let locks = 0; ; ) {
      const seen = this.#table.requests();
      if (seen.locks !== locks) for (const slot of this.#table.lockHolders()) this.#askBack(slot);
      locks = seen.locks;
      this.#requestSweep();
      await this.#table.requested(seen.all);
    }
  }

  /** What is corrupt is told once and left alone: that threads end is to be noticed all the same. */
  #survive(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#tellCorrupt(error);
    }
  }

  #tellCorrupt(error: unknown): void {
    if (!isCorrupt(error)) throw error;
    if (!this.#corrupt) process.emitWarning(`coordinator: ${error}`, 'RollcallWarning');
    this.#corrupt = true;
  }

  #accept(socket: Socket): void {
    this.#strangers.add(socket);
    const [oldest] = this.#strangers;
    if (this.#strangers.size > limits.strangersMax) oldest.destroy();
    let tenant: { slot: number; epoch: number } | undefined;
    const read = frameReader(this.#buffers);
    socket.on('error', () => {}); // 'close' follows
    socket.on('data', (chunk) => {
      const frames = read(chunk);
      if (frames === undefined) {
        socket.destroy();
        return;
      }
      for (const { type, slot, epoch } of frames) {
        if (type === FrameType.stop && tenant !== undefined && this.#table.closed) this.#end();
        else if (
          tenant === undefined &&
          type === FrameType.hello &&
          slot >= 0 &&
          slot < this.#table.owners.threadsMax
        ) {
          tenant = { slot, epoch };
          this.#strangers.delete(socket);
          // A hello may come late, when its attachment has ended and the slot has its next tenant.
          if (this.#table.owners.epoch(slot) === epoch) this.#sockets.set(slot, socket);
          socket.write(frame(this.#buffers, FrameType.welcome));
        }
      }
    });
    socket.on('close', () => {
      if (this.#table.closed) this.#end();
      if (tenant === undefined) {
        // A thread may end before its first turn, with its hello unsent: look for whom the kernel has ended.
        this.#strangers.delete(socket);
        this.#checkThreads();
        return;
      }
      if (this.#sockets.get(tenant.slot) === socket) this.#sockets.delete(tenant.slot);
      this.#suspect(tenant.slot, tenant.epoch);
    });
  }

  /** Asks a living thread for a lock it may have abandoned. Written at once, as this thread may be the one that waits. */
  #askBack(slot: number): void {
    this.#sockets.get(slot)?.write(frame(this.#buffers, FrameType.recover));
  }

  #suspect(slot: number, epoch: number): void {
    const tenancy = `${slot} ${epoch}`;
    if (this.#suspects.has(tenancy)) return;
    this.#suspects.add(tenancy);
    this.#checkEnded(slot, epoch, limits.deathCheckFirstMs);
  }

  /** A thread without a socket. The kernel says whether it has ended: one on its way out takes a moment, and one that
   *  lost its socket otherwise lives on and connects again. */
  #checkEnded(slot: number, epoch: number, delayMs: number): void {
    const { owners } = this.#table;
    const gone = owners.epoch(slot) !== epoch || !owners.isAlive(epoch); // it had detached, or was buried
    if (!gone && !this.#sockets.has(slot) && owners.hasKernelThread(slot) && !owners.threadEnded(slot)) {
      const again = Math.min(delayMs * 2, limits.deathCheckLastMs);
      setTimeout(() => this.#checkEnded(slot, epoch, again), delayMs);
      return;
    }
    this.#suspects.delete(`${slot} ${epoch}`);
    if (!gone && this.#sockets.has(slot)) return;
    if (!gone) this.#survive(() => this.#table.bury(slot, epoch));
    this.#requestSweep();
  }

  /** Looks at every attached thread without a socket. */
  #checkThreads(): void {
    const { owners } = this.#table;
    for (let slot = 0; slot < owners.threadsMax; slot++) {
      const epoch = owners.epoch(slot);
      if (!owners.isAlive(epoch) || slot === this.#table.slot || this.#sockets.has(slot)) continue;
      if (owners.hasKernelThread(slot)) this.#suspect(slot, epoch);
    }
  }

  #requestSweep(): void {
    this.#sweepAgain = true;
    if (this.#sweeping) return;
    this.#sweeping = true;
    setTimeout(() => void this.#sweep(), limits.sweepDelayMs);
  }

  /** Frees what the dead left, until there is nothing new. */
  async #sweep(): Promise<void> {
    while (this.#sweepAgain && !this.#table.closed) {
      this.#sweepAgain = false;
      const started = performance.now();
      try {
        for (const _ of this.#table.sweepDead()) await nextTurn();
      } catch (error) {
        // Somebody is stopped inside a shard: others may need this thread meanwhile.
        if (isBusy(error)) this.#sweepAgain = true;
        else this.#tellCorrupt(error);
      }
      const rest = (performance.now() - started) * limits.sweepRestFactor;
      await new Promise((resolve) => setTimeout(resolve, rest));
    }
    this.#sweeping = false;
  }

  #end(): void {
    process.exit();
  }
}
