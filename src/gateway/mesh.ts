import type { MessagePort } from 'node:worker_threads';
import { fromRpcError, GatewayError, toRpcError } from './errors.ts';
import { limits } from './limits.ts';
import type { CallRequest, MeshMessage, ProgressReport } from './messages.ts';

export interface MeshOptions {
  /** `threadId` of the thread this mesh stands on. */
  self: number;
  /** Carries out a call for an upstream of this thread. */
  serve(request: CallRequest, options: ServeOptions): Promise<unknown>;
  /** Some other thread's tools changed; the registry already shows it. */
  onToolsChanged(): void;
  pendingCallsMax?: number;
}

export interface ServeOptions {
  signal: AbortSignal;
  onProgress?: (progress: ProgressReport) => void;
}

export interface SendOptions {
  signal: AbortSignal;
  timeoutMs: number;
  onProgress?: (progress: ProgressReport) => void;
}

interface Peer {
  port: MessagePort;
  /** Calls sent there and not answered yet. */
  pending: Map<number, Pending>;
  /** Calls taken from there and not answered yet. */
  serving: Map<number, AbortController>;
}

interface Pending {
  resolve(result: unknown): void;
  reject(error: Error): void;
  onProgress: ((progress: ProgressReport) => void) | undefined;
}

/**
 * The wires between gateway threads: one MessagePort per pair, over which a call goes to the thread that owns its
 * upstream, and its result comes back.
 *
 * Every call sent settles exactly once: by its answer, its time limit, its caller's cancellation, or the other
 * thread's death, which closes the port. What comes later finds no pending call and is dropped.
 */
export class Mesh {
  readonly #options: MeshOptions;
  readonly #peers = new Map<number, Peer>();
  readonly #pendingMax: number;
  #pending = 0;
  #lastId = 0;

  constructor(options: MeshOptions) {
    this.#options = options;
    this.#pendingMax = options.pendingCallsMax ?? limits.pendingCallsMax;
  }

  /** Adds the wire to another thread. */
  attach(threadId: number, port: MessagePort): void {
    const peer: Peer = { port, pending: new Map(), serving: new Map() };
    this.#peers.set(threadId, peer);
    port.on('message', (message: MeshMessage) => this.#receive(peer, message));
    port.once('close', () => this.#lose(threadId, peer));
  }

  /** Takes away the wire to a thread that has ended. A port that was still on its way to it tells nobody. */
  detach(threadId: number): void {
    const peer = this.#peers.get(threadId);
    if (peer === undefined) return;
    peer.port.close();
    this.#lose(threadId, peer);
  }

  /** Calls this thread has on the way, wherever they are served. */
  get pending(): number {
    return this.#pending;
  }

  /**
   * Sends a call to the thread that owns its upstream, which may be this one.
   * @throws {GatewayError} `TOO_MANY_CALLS`, `THREAD_DIED`, `CALL_TIMEOUT`, `CALL_CANCELLED`; and what the owner throws.
   */
  async call(threadId: number, request: CallRequest, options: SendOptions): Promise<unknown> {
    if (this.#pending >= this.#pendingMax) {
      const text = `${this.#pending} calls are on the way in this thread, and no more are taken; try again in a moment`;
      throw new GatewayError('TOO_MANY_CALLS', text);
    }
    if (options.signal.aborted) throw cancelled(request);
    const call = new TimedCall(request, options);
    this.#pending += 1;
    try {
      return await (threadId === this.#options.self ? this.#callHere(call) : this.#callThere(threadId, call));
    } finally {
      this.#pending -= 1;
      call.end();
    }
  }

  /** Tells every other thread that the tools in the registry changed. */
  announceToolsChanged(): void {
    for (const { port } of this.#peers.values()) port.postMessage({ type: 'toolsChanged' } satisfies MeshMessage);
  }

  close(): void {
    for (const { port } of this.#peers.values()) port.close();
  }

  #callHere(call: TimedCall): Promise<unknown> {
    const { signal, options } = call;
    const served = this.#options.serve(call.request, { signal, onProgress: options.onProgress });
    return Promise.race([served, call.ended]);
  }

  #callThere(threadId: number, call: TimedCall): Promise<unknown> {
    const peer = this.#peers.get(threadId);
    if (peer === undefined) throw threadDied(call.request.server);
    const id = ++this.#lastId;
    const answered = new Promise<unknown>((resolve, reject) => {
      const { onProgress } = call.options;
      peer.pending.set(id, { resolve, reject, onProgress });
      peer.port.postMessage({ type: 'call', id, request: call.request } satisfies MeshMessage);
    });
    call.signal.addEventListener('abort', () => {
      if (peer.pending.delete(id)) peer.port.postMessage({ type: 'cancel', id } satisfies MeshMessage);
    });
    return Promise.race([answered, call.ended]).finally(() => peer.pending.delete(id));
  }

  #receive(peer: Peer, message: MeshMessage): void {
    switch (message.type) {
      case 'call':
        void this.#serve(peer, message.id, message.request);
        return;
      case 'cancel':
        peer.serving.get(message.id)?.abort();
        return;
      case 'progress':
        peer.pending.get(message.id)?.onProgress?.(message.progress);
        return;
      case 'result':
        peer.pending.get(message.id)?.resolve(message.result);
        return;
      case 'failed':
        peer.pending.get(message.id)?.reject(fromRpcError(message.error));
        return;
      case 'toolsChanged':
        this.#options.onToolsChanged();
    }
  }

  async #serve(peer: Peer, id: number, request: CallRequest): Promise<void> {
    const cancelled = new AbortController();
    peer.serving.set(id, cancelled);
    const send = (message: MeshMessage): void => peer.port.postMessage(message);
    const onProgress = (progress: ProgressReport): void => send({ type: 'progress', id, progress });
    const options = { signal: cancelled.signal, ...(request.wantsProgress ? { onProgress } : {}) };
    try {
      send({ type: 'result', id, result: await this.#options.serve(request, options) });
    } catch (error) {
      send({ type: 'failed', id, error: toRpcError(error, request.server) });
    } finally {
      peer.serving.delete(id);
    }
  }

  /** The thread at the other end has died, or left. */
  #lose(threadId: number, peer: Peer): void {
    if (this.#peers.get(threadId) === peer) this.#peers.delete(threadId);
    // The name in the error is the thread's: the callers know which server they asked.
    for (const { reject } of peer.pending.values()) reject(threadDied());
    for (const cancelled of peer.serving.values()) cancelled.abort();
  }
}

/** A call with its time limit and its caller's cancellation, which both end it. */
class TimedCall {
  readonly request: CallRequest;
  readonly options: SendOptions;
  /** Rejects when the time is over or the caller cancels; never resolves. */
  readonly ended: Promise<never>;
  readonly #cancel = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #onAbort: () => void;

  constructor(request: CallRequest, options: SendOptions) {
    this.request = request;
    this.options = options;
    const { promise, reject } = Promise.withResolvers<never>();
    this.ended = promise;
    // Nobody may be waiting any more when it rejects.
    promise.catch(() => {});
    const endWith = (error: GatewayError): void => {
      reject(error);
      this.#cancel.abort(error);
    };
    this.#timer = setTimeout(() => {
      const text = `${request.server}: "${request.tool}" did not answer within ${options.timeoutMs} ms and was cancelled`;
      endWith(new GatewayError('CALL_TIMEOUT', text));
    }, options.timeoutMs);
    this.#onAbort = () => endWith(cancelled(request));
    options.signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Aborted when the call should stop wherever it is served. */
  get signal(): AbortSignal {
    return this.#cancel.signal;
  }

  end(): void {
    clearTimeout(this.#timer);
    this.options.signal.removeEventListener('abort', this.#onAbort);
  }
}

function cancelled({ server, tool }: CallRequest): GatewayError {
  return new GatewayError('CALL_CANCELLED', `${server}: the call of "${tool}" was cancelled`);
}

function threadDied(server?: string): GatewayError {
  const what = server === undefined ? 'the thread that served this call' : `the thread that owns "${server}"`;
  return new GatewayError('THREAD_DIED', `${what} has ended; it is started again: list the tools and try again`);
}
