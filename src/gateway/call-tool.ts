import type { Client, Tool } from '@modelcontextprotocol/client';
import type { UpstreamSpec } from './config.ts';
import { limits } from './limits.ts';
import type { CallRequest, ProgressReport } from './messages.ts';
import { rawResult } from './raw-result.ts';

export interface CallOptions {
  signal: AbortSignal;
  onProgress?: (progress: ProgressReport) => void;
}

/** Calls a tool at its server and returns the result exactly as it came. */
export function callTool(
  client: Client,
  spec: UpstreamSpec,
  request: CallRequest,
  definition: Tool | undefined,
  { signal, onProgress }: CallOptions,
): Promise<unknown> {
  const params = { name: request.tool, ...request.params };
  // The caller's thread holds the time limit and cancels; this one only catches a cancellation that got lost.
  const timeout = spec.callTimeoutMs + limits.housekeepingTimeoutMs;
  const options = { signal, timeout, ...(onProgress === undefined ? {} : { onprogress: onProgress }) };
  if (definition !== undefined && wantsParamHeaders(client, spec, definition)) {
    // Only the SDK's own method writes those headers. It would also check the result, which is for our client to do.
    return client.callTool(params, { ...options, toolDefinition: { ...definition, outputSchema: undefined } });
  }
  return client.request({ method: 'tools/call', params }, rawResult, options);
}

/** Over HTTP, 2026-07-28 lets a tool ask for some of its arguments as headers too (`x-mcp-header` in its schema). */
function wantsParamHeaders(client: Client, spec: UpstreamSpec, definition: Tool): boolean {
  if (spec.transport.type !== 'http' || client.getProtocolEra() !== 'modern') return false;
  return JSON.stringify(definition.inputSchema).includes('"x-mcp-header"');
}
