import { createServer, type Server, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Header } from '../shared/layout.ts';
import { limits } from '../shared/limits.ts';
import type { Table, TableBuffers } from '../shared/table.ts';
import { coordinatorAddress, FrameType, frame, frameReader } from './coordinator-wire.ts';

/** Connections that have not said hello, at once. Ours say it in the first turn of their thread; when there are more, the
 *  oldest is hung up on. Its thread, if it is one of ours, connects again, and until then the kernel is asked for it. */
const STRANGERS_MAX = 64;

/**
 * Notices that threads end, ends what they owned, frees the locks they held, and sweeps their entries away in slices.
 *
 * All it knows lies in shared memory: when it ends, the next one takes up from there and nothing is lost.
 */
export class Coordinator {
  readonly #table: Table;
  readonly #buffers: TableBuffers;
  readonly #generation: number;
  readonly #server: Server;
  readonly #sockets = new Map<number, Socket>();
  readonly #strangers = new Set<Socket>();
  /** Slots that are being looked at until their thread has ended, or has connected. */
  readonly #suspects = new Set<number>();
  #sweeping = false;
  #sweepAgain = false;
  readonly #stopped: () => void;

  constructor(table: Table, buffers: TableBuffers, generation: number, stopped: () => void) {
    this.#table = table;
    this.#buffers = buffers;
    this.#generation = generation;
    this.#stopped = stopped;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** Listens, then looks for whom the time without a coordinator has ended. */
  async start(): Promise<void> {
    const { control, owners } = this.#table;
    this.#server.maxConnections = owners.threadsMax + STRANGERS_MAX + 1;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(coordinatorAddress(this.#buffers, this.#generation), resolve);
    });
    if (Atomics.load(control, Header.coordinatorGeneration) !== this.#generation) {
      this.#end(); // the threads that waited have started another
      return;
    }
    this.#checkThreads();
    this.#requestSweep();
  }

  #accept(socket: Socket): void {
    this.#strangers.add(socket);
    const [oldest] = this.#strangers;
    if (this.#strangers.size > STRANGERS_MAX) oldest.destroy();
    let tenant: { slot: number; epoch: number } | undefined;
    const read = frameReader(this.#buffers);
    socket.on('error', () => {}); // 'close' follows
    socket.on('data', (chunk) => {
      const frames = read(chunk);
      if (frames === undefined) {
        socket.destroy();
        return;
      }
      for (const { type, argument } of frames) {
        if (tenant !== undefined) this.#handle(type, argument);
        else if (type === FrameType.hello && argument < this.#table.owners.threadsMax) {
          tenant = { slot: argument, epoch: this.#table.owners.epoch(argument) };
          this.#strangers.delete(socket);
          this.#sockets.set(argument, socket);
          socket.write(frame(this.#buffers, FrameType.welcome, this.#generation));
        }
      }
    });
    socket.on('close', () => {
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

  #handle(type: number, argument: number): void {
    if (type === FrameType.sweep) this.#requestSweep();
    else if (type === FrameType.suspect) {
      this.#sockets.get(argument)?.write(frame(this.#buffers, FrameType.recover, 0));
    } else if (type === FrameType.stop) this.#stop();
  }

  #suspect(slot: number, epoch: number): void {
    if (this.#suspects.has(slot)) return;
    this.#suspects.add(slot);
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
    this.#suspects.delete(slot);
    if (!gone && this.#sockets.has(slot)) return;
    if (!gone) this.#table.bury(slot, epoch);
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

  /** Frees what the dead left, until there is nothing new. Each slice holds one lock for some 10 µs. */
  async #sweep(): Promise<void> {
    while (this.#sweepAgain && !this.#table.closed) {
      this.#sweepAgain = false;
      const started = performance.now();
      const { ownerTable, shards, owners } = this.#table;
      ownerTable.freeBrokenClaims();
      const dead = ownerTable.dead();
      for (const [slot, epoch] of dead) {
        if (slot < owners.threadsMax) this.#table.recoverLocks(slot, epoch - 1);
      }
      if (dead.length > 0) {
        for (const shard of shards) {
          for (let from = shard.sweep(1); from !== 0; from = shard.sweep(from)) await nextTurn();
        }
      }
      for (const [slot, epoch] of dead) ownerTable.reclaim(slot, epoch);
      const rest = (performance.now() - started) * limits.sweepRestFactor;
      await new Promise((resolve) => setTimeout(resolve, rest));
    }
    this.#sweeping = false;
  }

  #stop(): void {
    if (this.#table.closed) this.#end();
  }

  #end(): void {
    this.#server.close();
    for (const socket of this.#sockets.values()) socket.destroy();
    this.#stopped();
  }
}
