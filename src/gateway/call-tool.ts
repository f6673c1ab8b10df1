import { type Client, ProtocolError, type Tool } from '@modelcontextprotocol/client';
import type { UpstreamSpec } from './config.ts';
import { GatewayError } from './errors.ts';
import { limits } from './limits.ts';
import type { CallRequest, ProgressReport } from './messages.ts';
import { isTooDeep, tooDeep } from './nesting.ts';
import { rawResult } from './raw-result.ts';

export interface CallOptions {
  signal: AbortSignal;
  onProgress?: (progress: ProgressReport) => void;
}

/**
 * Calls a tool at its server and returns the result exactly as it came.
 * @throws {GatewayError} `UPSTREAM_FAILED` when the answer is nested too deep to be passed on.
 */
export async function callTool(
  client: Client,
  spec: UpstreamSpec,
  request: CallRequest,
  definition: Tool | undefined,
  options: CallOptions,
): Promise<unknown> {
  let result: unknown;
  try {
    result = await send(client, spec, request, definition, options);
  } catch (error) {
    if (error instanceof ProtocolError) refuseTooDeep(request, error.data);
    throw error;
  }
  refuseTooDeep(request, result);
  return result;
}

function send(
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

function refuseTooDeep({ server, tool }: CallRequest, answer: unknown): void {
  if (!isTooDeep(answer)) return;
  throw new GatewayError('UPSTREAM_FAILED', `${server}: the answer of "${tool}" cannot be passed on: ${tooDeep}`);
}

/** Over HTTP, 2026-07-28 lets a tool ask for some of its arguments as headers too (`x-mcp-header` in its schema). */
function wantsParamHeaders(client: Client, spec: UpstreamSpec, definition: Tool): boolean {
  if (spec.transport.type !== 'http' || client.getProtocolEra() !== 'modern') return false;
  return JSON.stringify(definition.inputSchema).includes('"x-mcp-header"');
}
