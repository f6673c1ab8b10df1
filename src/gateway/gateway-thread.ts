import { setTimeout as delay } from 'node:timers/promises';
import { type MessagePort, threadId } from 'node:worker_threads';
import { createMcpHandler, InMemoryServerEventBus } from '@modelcontextprotocol/server';
import { type JsonValue, Registry } from '../engine/index.ts';
import { GatewayError, messageOf } from './errors.ts';
import { Federation } from './federation.ts';
import { createGuard } from './guards.ts';
import { health } from './health.ts';
import { HttpFront } from './http-front.ts';
import { limits } from './limits.ts';
import { Mesh, type ServeOptions } from './mesh.ts';
import {
  type CallRequest,
  type FromThread,
  kinds,
  type ThreadData,
  type ToThread,
  type UpstreamStatus,
} from './messages.ts';
import { Upstream } from './upstream.ts';

/** One thread of the gateway: its share of the connections, and the upstreams it owns. */
export class GatewayThread {
  readonly #data: ThreadData;
  readonly #main: MessagePort;
  readonly #registry: Registry;
  readonly #mesh: Mesh;
  readonly #bus = new InMemoryServerEventBus();
  readonly #front: HttpFront;
  readonly #upstreams: Map<string, Upstream>;

  constructor(data: ThreadData, main: MessagePort) {
    this.#data = data;
    this.#main = main;
    this.#registry = Registry.attach(data.registry);
    this.#mesh = new Mesh({
      self: threadId,
      serve: (request, options) => this.#serve(request, options),
      onToolsChanged: () => this.#bus.publish({ kind: 'tools_list_changed' }),
    });
    const callTimeouts = new Map(data.plan.map(({ name, callTimeoutMs }) => [name, callTimeoutMs]));
    const federation = new Federation({ registry: this.#registry, mesh: this.#mesh, callTimeouts });
    this.#front = new HttpFront({
      thread: data.thread,
      guard: createGuard(data),
      mcp: createMcpHandler((context) => federation.server(context), {
        legacy: 'stateless',
        bus: this.#bus,
        maxRequestBodySize: limits.bodyBytesMax,
      }),
      health: (draining) => health(this.#registry, data, draining),
      onError: (error) =>
        this.#post({ type: 'log', level: 'error', text: `thread ${data.thread}: ${messageOf(error)}` }),
    });
    this.#upstreams = new Map(data.upstreams.map((assigned) => [assigned.spec.name, this.#upstream(assigned)]));
  }

  async start(): Promise<void> {
    this.#main.on('message', (message: ToThread) => this.#receive(message));
    await this.#predecessorGone();
    if (this.#data.listen) {
      try {
        await this.#front.listen(this.#data);
      } catch (error) {
        const { code = 'UNKNOWN', message } = error as NodeJS.ErrnoException;
        this.#post({ type: 'listenFailed', code, message });
        return;
      }
    }
    const state = this.#data.listen ? 'listening' : 'serving';
    this.#registry.register(kinds.thread, String(this.#data.thread), { config: { state } });
    this.#post({ type: 'listening' });
    for (const upstream of this.#upstreams.values()) upstream.start();
  }

  /** After a crash the names of the thread before us are ours again as soon as its death has been noticed. */
  async #predecessorGone(): Promise<void> {
    while (this.#registry.has(kinds.thread, String(this.#data.thread))) await delay(limits.pollMs);
  }

  #receive(message: ToThread): void {
    switch (message.type) {
      case 'peer':
        this.#mesh.attach(message.threadId, message.port);
        return;
      case 'peerGone':
        this.#mesh.detach(message.threadId);
        return;
      case 'drain':
        void this.#front.drain().then(() => this.#post({ type: 'idle' }));
        return;
      case 'close':
        void this.#close();
    }
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#upstreams.values()].map((upstream) => upstream.stop()));
    this.#mesh.close();
    await this.#registry.close();
    // With its ports closed nothing keeps the thread alive, and the main thread sees it exit.
    this.#main.close();
  }

  /** A call for one of this thread's upstreams, from whichever thread. */
  #serve(request: CallRequest, options: ServeOptions): Promise<unknown> {
    const upstream = this.#upstreams.get(request.server);
    if (upstream === undefined)
      throw new GatewayError('UPSTREAM_DOWN', `server "${request.server}" is not on this thread`);
    return upstream.call(request, options);
  }

  #upstream(assigned: ThreadData['upstreams'][number]): Upstream {
    return new Upstream(assigned, this.#data.thread, this.#registry, {
      onStatus: (status) => this.#onStatus(status),
      onChild: (pid, alive) => this.#post({ type: 'child', pid, alive }),
      onToolsChanged: () => {
        this.#bus.publish({ kind: 'tools_list_changed' });
        this.#mesh.announceToolsChanged();
      },
      log: (level, text) => this.#post({ type: 'log', level, text }),
    });
  }

  #onStatus(status: UpstreamStatus): void {
    const defined = Object.fromEntries(Object.entries(status).filter(([, value]) => value !== undefined));
    this.#registry.registerOrUpdate(kinds.upstream, status.name, { config: defined as JsonValue });
    this.#post({ type: 'upstream', status });
  }

  #post(message: FromThread): void {
    this.#main.postMessage(message);
  }
}
