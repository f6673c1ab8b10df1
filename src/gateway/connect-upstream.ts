import {
  Client,
  SdkError,
  SdkErrorCode,
  StreamableHTTPClientTransport,
  type Transport,
} from '@modelcontextprotocol/client';
import type { StdioSpec, UpstreamSpec } from './config.ts';
import { GatewayError, messageOf } from './errors.ts';
import { limits } from './limits.ts';
import { type StdioHooks, StdioTransport } from './stdio-transport.ts';
import { version } from './version.ts';

/** An upstream that has answered: a connected client, and how to tell that it has gone. */
export interface UpstreamConnection {
  client: Client;
  /** Undefined for a URL upstream. */
  pid: number | undefined;
  /** Closes the client, and ends the child if there is one. */
  close(): Promise<void>;
  /** Words for the log once it is closed. */
  whyClosed(): string;
}

export interface ConnectHooks extends StdioHooks {
  onClosed(): void;
  onToolsChanged(): void;
}

/**
 * Starts or reaches the upstream and agrees on a protocol with it: 2026-07-28 if it speaks that, 2025-11-25 or older
 * otherwise.
 */
export async function connectUpstream(
  spec: UpstreamSpec,
  hooks: ConnectHooks,
  signal: AbortSignal,
): Promise<UpstreamConnection> {
  if (spec.transport.type === 'stdio') return connectStdio(spec.transport, hooks, signal);
  const transport = new StreamableHTTPClientTransport(new URL(spec.transport.url), {
    requestInit: { headers: spec.transport.headers },
  });
  const client = await connect(transport, hooks, signal, 'auto');
  return {
    client,
    pid: undefined,
    async close() {
      // A session left open costs the upstream memory; one that does not know sessions answers 405, which is fine.
      const ended = AbortSignal.timeout(limits.childExitMs);
      await Promise.race([transport.terminateSession().catch(() => {}), aborted(ended)]);
      await client.close();
    },
    whyClosed: () => 'the connection closed',
  };
}

async function connectStdio(spec: StdioSpec, hooks: ConnectHooks, signal: AbortSignal): Promise<UpstreamConnection> {
  let transport = new StdioTransport(spec, hooks);
  try {
    const client = await connect(transport, hooks, signal, 'auto').catch((error: unknown) => {
      if (signal.aborted || !endedOnProbe(error)) throw error;
      // Some older servers exit when the first request is not `initialize`. Start it again and begin with that.
      transport = new StdioTransport(spec, hooks);
      return connect(transport, hooks, signal, 'legacy');
    });
    return {
      client,
      pid: transport.pid,
      close: () => client.close(),
      whyClosed: () => withLastWords(transport.reason, transport),
    };
  } catch (error) {
    // If the child ended by itself, that says more than what the client made of it.
    const reason = transport.reason === '' ? messageOf(error) : transport.reason;
    await transport.close();
    throw new GatewayError('UPSTREAM_DOWN', withLastWords(reason, transport));
  }
}

async function connect(
  transport: Transport,
  hooks: ConnectHooks,
  signal: AbortSignal,
  mode: 'auto' | 'legacy',
): Promise<Client> {
  const client = new Client(
    { name: 'rollcall', version },
    {
      // Sampling, elicitation and roots are not relayed yet, so they are not promised either.
      capabilities: {},
      versionNegotiation: { mode, probe: { timeoutMs: limits.housekeepingTimeoutMs } },
      inputRequired: { autoFulfill: false },
      listChanged: { tools: { autoRefresh: false, onChanged: () => hooks.onToolsChanged() } },
    },
  );
  // The SDK's probe for the protocol era does not look at the signal; a closed transport ends it.
  const onAbort = (): void => void transport.close().catch(() => {});
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    signal.throwIfAborted();
    await client.connect(transport, { signal, timeout: limits.connectTimeoutMs });
  } catch (error) {
    await client.close().catch(() => {});
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
  client.onclose = () => hooks.onClosed();
  return client;
}

function endedOnProbe(error: unknown): boolean {
  return error instanceof SdkError && error.code === SdkErrorCode.EraNegotiationFailed && /closed/.test(error.message);
}

function withLastWords(reason: string, { stderr }: StdioTransport): string {
  return stderr.length === 0 ? reason : `${reason}; it last said: ${stderr.slice(-3).join(' | ')}`;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
