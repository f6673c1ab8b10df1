import type { MessagePort } from 'node:worker_threads';
import type { RegistryHandle } from '../engine/index.ts';
import type { UpstreamSpec } from './config.ts';
import type { RpcError } from './errors.ts';

// Everything that travels between the threads of a gateway, in one file. All of it is plain data.

/** What a gateway thread is started with. */
export interface ThreadData {
  /** 0 to threads - 1; a thread that is started again keeps its number. */
  thread: number;
  registry: RegistryHandle;
  host: string;
  address: string;
  port: number;
  /** False on systems that cannot share a port, for all threads but the first. */
  listen: boolean;
  reusePort: boolean;
  allowedHosts: string[];
  upstreams: AssignedUpstream[];
  /** Which thread owns which upstream, in configured order: so that any thread can tell what is missing. */
  plan: PlannedUpstream[];
  threads: number;
  startedAtMs: number;
}

export interface PlannedUpstream {
  name: string;
  thread: number;
  callTimeoutMs: number;
}

export interface AssignedUpstream {
  spec: UpstreamSpec;
  /** How often it was started again before this thread was. */
  restarts: number;
}

export type ToThread =
  | { type: 'peer'; threadId: number; port: MessagePort }
  | { type: 'peerGone'; threadId: number }
  /** Stop accepting, finish what is in flight, then say idle. */
  | { type: 'drain' }
  /** End the upstreams and leave. */
  | { type: 'close' };

export type FromThread =
  | { type: 'listening' }
  | { type: 'listenFailed'; code: string; message: string }
  | { type: 'upstream'; status: UpstreamStatus }
  | { type: 'child'; pid: number; alive: boolean }
  | { type: 'log'; level: LogLevel; text: string }
  | { type: 'idle' };

export type LogLevel = 'info' | 'warn' | 'error';

export type UpstreamState = 'starting' | 'up' | 'backoff' | 'stopped';

/** What everyone may know about an upstream: `/healthz` shows it, the registry carries it. */
export interface UpstreamStatus {
  name: string;
  state: UpstreamState;
  thread: number;
  tools: number;
  restarts: number;
  era?: string;
  protocolVersion?: string;
  pid?: number;
  lastError?: string;
}

/** A tool call on its way to the thread that owns the upstream. */
export interface CallRequest {
  server: string;
  /** The tool's name at its server. */
  tool: string;
  /** The owner the caller found in the registry: the owning thread refuses a call meant for an earlier connection. */
  slot: number;
  epoch: number;
  params: { arguments?: Record<string, unknown>; _meta?: Record<string, unknown> };
  wantsProgress: boolean;
}

/** Between two gateway threads. Ids count per sender and direction. */
export type MeshMessage =
  | { type: 'call'; id: number; request: CallRequest }
  | { type: 'cancel'; id: number }
  | { type: 'progress'; id: number; progress: ProgressReport }
  | { type: 'result'; id: number; result: unknown }
  | { type: 'failed'; id: number; error: RpcError }
  | { type: 'toolsChanged' };

export interface ProgressReport {
  progress: number;
  total?: number;
  message?: string;
}

/** Kinds under which the gateway registers itself. */
export const kinds = {
  /** An upstream that is up, owned by its connection. */
  server: 'server',
  /** A tool under its exposed name, owned by its upstream's connection. */
  tool: 'tool',
  /** The state of an upstream, up or not, owned by its thread. */
  upstream: 'gateway-upstream',
  /** A thread that listens, owned by itself. */
  thread: 'gateway-thread',
  /** The whole, owned by the main thread. */
  gateway: 'gateway',
} as const;
