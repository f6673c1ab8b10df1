import { availableParallelism } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { Registry } from '../engine/index.ts';
import type { UpstreamSpec } from './config.ts';
import { GatewayError } from './errors.ts';
import { isLoopback } from './guards.ts';
import { type GatewayPhase, type HealthReport, health } from './health.ts';
import { limits } from './limits.ts';
import { kinds, type LogLevel, type PlannedUpstream, type UpstreamStatus } from './messages.ts';
import { findPlace, httpUrl, type Place } from './port.ts';
import { Threads } from './threads.ts';

export interface GatewayOptions {
  upstreams: UpstreamSpec[];
  /** Default `127.0.0.1`. */
  host?: string;
  /** Default 8808; 0 takes any free port. */
  port?: number;
  /** Default: as many as there are cores. */
  threads?: number;
  /** Names, beside the usual ones, that clients may use in `Host` and web pages in `Origin`. */
  allowedHosts?: string[];
  onEvent?: (event: GatewayEvent) => void;
  /** Gives up a start that is still under way: `start` then ends what it has started, and rejects. */
  signal?: AbortSignal;
}

export type GatewayEvent =
  | { type: 'log'; level: LogLevel; text: string }
  | { type: 'upstream'; status: UpstreamStatus };

/**
 * An MCP gateway: several threads on one port, in front of several MCP servers, one registry in between.
 *
 * `start` resolves when every thread listens and every upstream has come up or failed once; those that failed are
 * tried again for as long as the gateway runs.
 * @throws {GatewayError} `BAD_USAGE`, `PORT_TAKEN`, `CANNOT_LISTEN`, `THREAD_FAILED`.
 * @example await using gateway = await Gateway.start({ upstreams, port: 0 }); console.log(gateway.url);
 */
export class Gateway {
  static async start(options: GatewayOptions): Promise<Gateway> {
    const { host = '127.0.0.1', port = 8808, threads = availableParallelism() } = options;
    if (!Number.isInteger(threads) || threads < 1 || threads > limits.threadsMax) {
      throw new GatewayError(
        'BAD_USAGE',
        `threads: expected a whole number from 1 to ${limits.threadsMax}, got ${threads}`,
      );
    }
    // Before anything is started: a port that cannot be had is the most common failure.
    const place = await findPlace(host, port);
    if (!isLoopback(place.address)) {
      const text = `other machines reach ${place.address}:${place.port}, and nobody is asked who they are`;
      options.onEvent?.({ type: 'log', level: 'warn', text });
    }
    const registry = await Registry.open({ configBytesMax: limits.toolConfigBytesMax });
    const gateway = new Gateway({ ...options, host, threads }, place, registry);
    try {
      await gateway.#start();
    } catch (error) {
      await gateway.close();
      throw error;
    }
    return gateway;
  }

  /** Where MCP clients connect. */
  readonly url: string;
  readonly healthUrl: string;
  readonly #options: GatewayOptions & { host: string; threads: number };
  readonly #plan: PlannedUpstream[];
  readonly #registry: Registry;
  readonly #threads: Threads;
  readonly #startedAtMs = Date.now();
  readonly #latest = new Map<string, UpstreamStatus>();
  readonly #settled = Promise.withResolvers<void>();
  #closing: Promise<void> | undefined;

  private constructor(options: GatewayOptions & { host: string; threads: number }, place: Place, registry: Registry) {
    const { host, threads, upstreams, allowedHosts = [] } = options;
    const visibleHost = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
    this.url = httpUrl(visibleHost, place.port, '/mcp');
    this.healthUrl = httpUrl(visibleHost, place.port, '/healthz');
    this.#options = options;
    this.#registry = registry;
    this.#plan = upstreams.map(({ name, callTimeoutMs }, index) => ({ name, thread: index % threads, callTimeoutMs }));
    this.#threads = new Threads({
      count: threads,
      data: (thread) => ({
        registry: registry.handle,
        host,
        address: place.address,
        port: place.port,
        reusePort: place.reusePort,
        // Where a port cannot be shared, one thread takes all connections; the others still own upstreams.
        listen: place.reusePort || thread === 0,
        allowedHosts,
        upstreams: upstreams
          .filter((_, index) => this.#plan[index].thread === thread)
          .map((spec) => ({ spec, restarts: this.#restarts(spec.name) })),
        plan: this.#plan,
        threads,
        startedAtMs: this.#startedAtMs,
      }),
      onStatus: (status) => this.#onStatus(status),
      log: (level, text) => options.onEvent?.({ type: 'log', level, text }),
    });
  }

  /** The state of threads and upstreams, as `/healthz` tells it. */
  health(): HealthReport {
    const data = { plan: this.#plan, threads: this.#options.threads, startedAtMs: this.#startedAtMs };
    return health(this.#registry, data, this.#closing !== undefined);
  }

  /** Drains and ends everything: calls in flight finish (within limits), no child process is left. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #start(): Promise<void> {
    this.#setPhase('starting');
    await this.#threads.start();
    // A slow upstream should not keep the others' users waiting for the word that all is ready.
    const patience = new AbortController();
    const signal = AbortSignal.any([patience.signal, this.#options.signal ?? patience.signal]);
    const late = delay(limits.settleMs, undefined, { signal }).catch(() => {});
    await Promise.race([this.#settled.promise, late]);
    patience.abort();
    this.#options.signal?.throwIfAborted();
    this.#setPhase('running');
  }

  async #close(): Promise<void> {
    this.#setPhase('draining');
    await this.#threads.close();
    await this.#registry.close();
  }

  #setPhase(phase: GatewayPhase): void {
    this.#registry.registerOrUpdate(kinds.gateway, 'phase', { config: phase });
  }

  #onStatus(status: UpstreamStatus): void {
    this.#latest.set(status.name, status);
    this.#options.onEvent?.({ type: 'upstream', status });
    const settled = this.#plan.every(({ name }) => (this.#latest.get(name)?.state ?? 'starting') !== 'starting');
    if (settled) this.#settled.resolve();
  }

  /** A thread that is started again starts its upstreams again. */
  #restarts(name: string): number {
    const last = this.#latest.get(name);
    return last === undefined ? 0 : last.restarts + 1;
  }
}
