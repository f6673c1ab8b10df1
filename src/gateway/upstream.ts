import { setTimeout as delay } from 'node:timers/promises';
import { type Client, ProtocolError, type Tool } from '@modelcontextprotocol/client';
import type { JsonValue, Owner, Registry } from '../engine/index.ts';
import { Backoff } from './backoff.ts';
import { type CallOptions, callTool } from './call-tool.ts';
import type { UpstreamSpec } from './config.ts';
import { connectUpstream, type UpstreamConnection } from './connect-upstream.ts';
import { GatewayError, messageOf } from './errors.ts';
import { limits } from './limits.ts';
import { listTools } from './list-tools.ts';
import {
  type AssignedUpstream,
  type CallRequest,
  kinds,
  type LogLevel,
  type UpstreamState,
  type UpstreamStatus,
} from './messages.ts';
import { Prober } from './prober.ts';
import { ToolCatalog } from './tool-catalog.ts';

export interface UpstreamHooks {
  onStatus(status: UpstreamStatus): void;
  onChild(pid: number, alive: boolean): void;
  /** The registry already shows the change. */
  onToolsChanged(): void;
  log(level: LogLevel, text: string): void;
}

/** One life of an upstream: from a connection that answered to its loss. */
interface Life {
  connection: UpstreamConnection;
  owner: Owner;
  catalog: ToolCatalog;
  prober: Prober | undefined;
  refreshing: boolean;
}

/**
 * One MCP server behind the gateway, on the thread that owns it: connected, registered, watched, started again.
 *
 *   starting ──▶ up ──▶ backoff ──▶ starting …        any ──▶ stopped
 *        └───────────────▲
 *
 * Each life has its own registry owner. When the connection is lost, closing that owner makes the server and all its
 * tools vanish from every thread at once; nothing has to be unregistered one by one.
 */
export class Upstream {
  readonly #spec: UpstreamSpec;
  readonly #thread: number;
  readonly #registry: Registry;
  readonly #hooks: UpstreamHooks;
  readonly #stop = new AbortController();
  readonly #backoff = new Backoff({ baseMs: limits.restartBackoffMs, maxMs: limits.restartBackoffMsMax });
  #life: Life | undefined;
  /** The server said that its tools changed since we last began to list them, which may be before it is up. */
  #stale = false;
  #restarts: number;
  #lastError: string | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor({ spec, restarts }: AssignedUpstream, thread: number, registry: Registry, hooks: UpstreamHooks) {
    this.#spec = spec;
    this.#restarts = restarts;
    this.#thread = thread;
    this.#registry = registry;
    this.#hooks = hooks;
  }

  get name(): string {
    return this.#spec.name;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Ends it for good; resolves when the child, if any, is gone. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    this.#report('stopped');
  }

  /**
   * Carries a call to the server.
   * @throws {GatewayError} `UPSTREAM_DOWN` if the connection the caller found in the registry is no longer this one.
   */
  async call(request: CallRequest, options: CallOptions): Promise<unknown> {
    const life = this.#life;
    const { slot, epoch } = request;
    if (life === undefined || !life.owner.alive || life.owner.slot !== slot || life.owner.epoch !== epoch) {
      throw new GatewayError(
        'UPSTREAM_DOWN',
        `server "${this.name}" has just gone or started anew; list the tools and try again`,
      );
    }
    try {
      const definition = life.catalog.definition(request.tool);
      return await callTool(life.connection.client, this.#spec, request, definition, options);
    } catch (error) {
      // An error the server itself answered with is a sign of life.
      if (!(error instanceof ProtocolError) && !options.signal.aborted) life.prober?.hurry();
      throw error;
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      this.#report('starting');
      const upMs = await this.#live(signal);
      if (signal.aborted) return;
      if (upMs >= limits.stableMs) this.#backoff.reset();
      const waitMs = Math.round(this.#backoff.next());
      this.#hooks.log('warn', `${this.name}: ${this.#lastError ?? 'lost'}; next start in ${waitMs} ms`);
      this.#report('backoff');
      await delay(waitMs, undefined, { signal }).catch(() => {});
      this.#restarts += 1;
    }
  }

  /** Connects, serves until the connection is lost, cleans up. Returns how long it was up; never throws. */
  async #live(signal: AbortSignal): Promise<number> {
    const lost = new AbortController();
    let owner: Owner | undefined;
    let connection: UpstreamConnection | undefined;
    let upSinceMs: number | undefined;
    try {
      connection = await connectUpstream(
        this.#spec,
        {
          onChild: (pid, alive) => this.#hooks.onChild(pid, alive),
          onToolsChanged: () => {
            this.#stale = true;
            void this.#refresh();
          },
          onClosed: () => {
            // First of all: from here on nobody finds these tools.
            owner?.close();
            lost.abort();
          },
        },
        signal,
      );
      const tools = await this.#list(connection.client);
      lost.signal.throwIfAborted();
      owner = this.#registry.owner();
      const catalog = new ToolCatalog(this.#registry, this.#spec, owner, (text) => this.#warn(text));
      const prober = this.#spec.transport.type === 'http' ? new Prober(connection.client) : undefined;
      this.#life = { connection, owner, catalog, prober, refreshing: false };
      catalog.apply(tools);
      this.#register(this.#life);
      upSinceMs = performance.now();
      this.#lastError = undefined;
      this.#report('up');
      this.#hooks.onToolsChanged();
      void this.#refresh();
      await untilLost(prober, AbortSignal.any([lost.signal, signal]));
    } catch (error) {
      this.#lastError = messageOf(error);
    }
    owner?.close();
    this.#life = undefined;
    const closedItself = lost.signal.aborted;
    await connection?.close().catch(() => {});
    if (closedItself && connection) this.#lastError = connection.whyClosed();
    if (owner !== undefined) this.#hooks.onToolsChanged();
    return upSinceMs === undefined ? 0 : performance.now() - upSinceMs;
  }

  #register({ connection, owner, catalog }: Life): void {
    const { client } = connection;
    const config = {
      capabilities: client.getServerCapabilities() ?? {},
      serverInfo: client.getServerVersion() ?? { name: this.name },
      protocolVersion: client.getNegotiatedProtocolVersion() ?? 'unknown',
      tools: catalog.size,
    };
    this.#registry.registerOrUpdate(kinds.server, this.name, { config: config as unknown as JsonValue, owner });
  }

  #list(client: Client): Promise<Tool[]> {
    this.#stale = false;
    return listTools(client, this.#stop.signal, (what) => this.#warn(`skipped ${what}`));
  }

  /** Lists the tools again if they changed. Several such notices in a row are answered by at most one more listing. */
  async #refresh(): Promise<void> {
    const life = this.#life;
    if (life === undefined || life.refreshing) return;
    life.refreshing = true;
    try {
      while (this.#stale && this.#life === life) {
        const tools = await this.#list(life.connection.client);
        if (this.#life !== life || !life.catalog.apply(tools)) continue;
        this.#register(life);
        this.#report('up');
        this.#hooks.onToolsChanged();
      }
    } catch (error) {
      if (this.#life === life) this.#warn(`its tools changed, but listing them failed: ${messageOf(error)}`);
    } finally {
      life.refreshing = false;
    }
  }

  #report(state: UpstreamState): void {
    const { connection, catalog } = this.#life ?? {};
    const status: UpstreamStatus = {
      name: this.name,
      state,
      thread: this.#thread,
      tools: catalog?.size ?? 0,
      restarts: this.#restarts,
      era: connection?.client.getProtocolEra(),
      protocolVersion: connection?.client.getNegotiatedProtocolVersion(),
      pid: connection?.pid,
      lastError: this.#lastError,
    };
    this.#hooks.onStatus(status);
  }

  #warn(text: string): void {
    this.#hooks.log('warn', `${this.name}: ${text}`);
  }
}

/** Resolves when stopped or disconnected; throws when a URL upstream stops answering. */
async function untilLost(prober: Prober | undefined, ended: AbortSignal): Promise<void> {
  if (prober !== undefined) return prober.watch(ended);
  if (ended.aborted) return;
  await new Promise((resolve) => ended.addEventListener('abort', resolve, { once: true }));
}
