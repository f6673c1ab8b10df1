import type { Registry } from '../engine/index.ts';
import { kinds, type ThreadData, type UpstreamStatus } from './messages.ts';
import { version } from './version.ts';

export type GatewayPhase = 'starting' | 'running' | 'draining';

export interface HealthReport {
  status: 'ok' | 'degraded' | 'starting' | 'draining';
  version: string;
  uptimeSeconds: number;
  threads: ThreadHealth[];
  upstreams: UpstreamStatus[];
}

export interface ThreadHealth {
  thread: number;
  state: 'listening' | 'serving' | 'starting';
  threadId?: number;
}

/**
 * The state of the whole gateway, read from the registry, so that any thread can tell it.
 *
 * Threads and upstreams register their state under their thread. What is planned but not registered is on a thread
 * that has died and is being started again.
 */
export function health(
  registry: Registry,
  data: Pick<ThreadData, 'plan' | 'threads' | 'startedAtMs'>,
  draining: boolean,
): HealthReport {
  const threads = Array.from({ length: data.threads }, (_, thread) => threadHealth(registry, thread));
  const upstreams = data.plan.map(({ name, thread }) => upstreamHealth(registry, name, thread));
  const phase = registry.whereis(kinds.gateway, 'phase')?.config as GatewayPhase | undefined;
  const well = threads.every(({ state }) => state !== 'starting') && upstreams.every(({ state }) => state === 'up');
  const uptimeSeconds = Math.round((Date.now() - data.startedAtMs) / 1000);
  return { status: status(draining, phase, well), version, uptimeSeconds, threads, upstreams };
}

function status(draining: boolean, phase: GatewayPhase | undefined, well: boolean): HealthReport['status'] {
  if (draining || phase === 'draining') return 'draining';
  if (well) return 'ok';
  return phase === 'running' ? 'degraded' : 'starting';
}

function threadHealth(registry: Registry, thread: number): ThreadHealth {
  const entry = registry.whereis(kinds.thread, String(thread));
  if (entry === undefined) return { thread, state: 'starting' };
  const { state } = entry.config as unknown as Pick<ThreadHealth, 'state'>;
  return { thread, state, threadId: entry.owner.threadId };
}

function upstreamHealth(registry: Registry, name: string, thread: number): UpstreamStatus {
  const entry = registry.whereis(kinds.upstream, name);
  return (
    (entry?.config as unknown as UpstreamStatus | undefined) ?? {
      name,
      state: 'starting',
      thread,
      tools: 0,
      restarts: 0,
    }
  );
}
