import { setTimeout as delay } from 'node:timers/promises';
import { MessageChannel, Worker } from 'node:worker_threads';
import { Backoff } from './backoff.ts';
import { Children } from './children.ts';
import { entryUrl } from './entry-url.ts';
import { GatewayError, messageOf } from './errors.ts';
import { limits } from './limits.ts';
import type { FromThread, LogLevel, ThreadData, ToThread, UpstreamStatus } from './messages.ts';
import { listenError } from './port.ts';

export interface ThreadsOptions {
  count: number;
  /** What a thread is started with, asked anew for each start. */
  data(thread: number): Omit<ThreadData, 'thread'>;
  onStatus(status: UpstreamStatus): void;
  log(level: LogLevel, text: string): void;
}

interface Slot {
  thread: number;
  /** Undefined between a crash and the next start. */
  worker: Worker | undefined;
  threadId: number;
  backoff: Backoff;
  startedAtMs: number;
  /** It has listened before, so that a failure to listen now is no failure to start. */
  listened: boolean;
  listening: PromiseWithResolvers<void>;
  idle: PromiseWithResolvers<void>;
  exited: Promise<void>;
}

/** The gateway's threads, seen from the main one: started, wired to each other, started again when they crash. */
export class Threads {
  readonly #options: ThreadsOptions;
  readonly #children = new Children();
  readonly #slots: Slot[];
  #stopping = false;

  constructor(options: ThreadsOptions) {
    this.#options = options;
    this.#slots = Array.from({ length: options.count }, (_, thread) => emptySlot(thread));
  }

  /** Resolves when all of them listen. */
  async start(): Promise<void> {
    for (const slot of this.#slots) this.#start(slot);
    const patience = new AbortController();
    const late = delay(limits.threadStartMs, 'late', { signal: patience.signal }).catch(() => undefined);
    const all = Promise.all(this.#slots.map(({ listening }) => listening.promise));
    const first = await Promise.race([all, late]).finally(() => patience.abort());
    if (first === 'late') {
      throw new GatewayError('THREAD_FAILED', `the threads do not listen after ${limits.threadStartMs} ms; giving up`);
    }
  }

  /** Drains all threads, then ends their upstreams, then the threads. Two steps, because calls cross threads. */
  async close(): Promise<void> {
    this.#stopping = true;
    await this.#tellAll({ type: 'drain' }, (slot) => slot.idle.promise, limits.drainMs + 4 * limits.drainAnnounceMs);
    await this.#tellAll({ type: 'close' }, (slot) => slot.exited, 3 * limits.childExitMs);
    await Promise.all(this.#slots.map(({ worker }) => worker?.terminate()));
    this.#children.close();
  }

  #start(slot: Slot): void {
    const { thread } = slot;
    const data: ThreadData = { thread, ...this.#options.data(thread) };
    const worker = new Worker(entryUrl('gateway.worker'), { workerData: data, name: `gateway ${thread}` });
    slot.worker = worker;
    slot.idle = Promise.withResolvers(); // the thread before may have died, which counts as idle
    slot.threadId = worker.threadId;
    slot.startedAtMs = performance.now();
    slot.exited = new Promise((resolve) => {
      worker.once('exit', () => {
        this.#onExit(slot);
        resolve();
      });
    });
    worker.on('message', (message: FromThread) => this.#receive(slot, message));
    worker.on('error', (error) => this.#options.log('error', `thread ${thread} crashed: ${messageOf(error)}`));
    for (const other of this.#slots) if (other !== slot) this.#wire(slot, other);
  }

  #wire(one: Slot, other: Slot): void {
    if (one.worker === undefined || other.worker === undefined) return;
    const { port1, port2 } = new MessageChannel();
    one.worker.postMessage({ type: 'peer', threadId: other.threadId, port: port1 } satisfies ToThread, [port1]);
    other.worker.postMessage({ type: 'peer', threadId: one.threadId, port: port2 } satisfies ToThread, [port2]);
  }

  #receive(slot: Slot, message: FromThread): void {
    switch (message.type) {
      case 'listening':
        slot.listened = true;
        slot.listening.resolve();
        return;
      case 'listenFailed':
        this.#onListenFailed(slot, message);
        return;
      case 'upstream':
        this.#options.onStatus(message.status);
        return;
      case 'child':
        this.#children.note(slot.thread, message.pid, message.alive);
        return;
      case 'log':
        this.#options.log(message.level, message.text);
        return;
      case 'idle':
        slot.idle.resolve();
    }
  }

  /** At the first start this ends the gateway; later the port may come back, so the thread is started again. */
  #onListenFailed(slot: Slot, { code, message }: { code: string; message: string }): void {
    const { host, port } = this.#options.data(slot.thread);
    const error = listenError(Object.assign(new Error(message), { code }), host, port);
    if (slot.listened) this.#options.log('error', `thread ${slot.thread}: ${error.message}`);
    slot.listening.reject(error);
    void slot.worker?.terminate();
  }

  #onExit(slot: Slot): void {
    const { thread, threadId } = slot;
    slot.worker = undefined;
    for (const { worker } of this.#slots) worker?.postMessage({ type: 'peerGone', threadId } satisfies ToThread);
    this.#children.threadDied(thread);
    slot.idle.resolve();
    slot.listening.reject(new GatewayError('THREAD_FAILED', `thread ${thread} ended before it listened`));
    if (this.#stopping) return;
    if (performance.now() - slot.startedAtMs >= limits.stableMs) slot.backoff.reset();
    const waitMs = Math.round(slot.backoff.next());
    this.#options.log('warn', `thread ${thread} has ended; it is started again in ${waitMs} ms`);
    setTimeout(() => {
      if (!this.#stopping) this.#start(slot);
    }, waitMs);
  }

  async #tellAll(message: ToThread, done: (slot: Slot) => Promise<void>, limitMs: number): Promise<void> {
    const patience = new AbortController();
    const late = delay(limitMs, undefined, { signal: patience.signal }).catch(() => {});
    for (const { worker } of this.#slots) worker?.postMessage(message);
    const living = this.#slots.filter(({ worker }) => worker !== undefined);
    await Promise.race([Promise.all(living.map(done)), late]);
    patience.abort();
  }
}

function emptySlot(thread: number): Slot {
  const slot: Slot = {
    thread,
    worker: undefined,
    threadId: -1,
    backoff: new Backoff({ baseMs: limits.threadBackoffMs, maxMs: limits.threadBackoffMsMax }),
    startedAtMs: 0,
    listened: false,
    listening: Promise.withResolvers(),
    idle: Promise.withResolvers(),
    exited: Promise.resolve(),
  };
  // Only the first start waits for it; a rejection afterwards concerns nobody.
  slot.listening.promise.catch(() => {});
  return slot;
}
