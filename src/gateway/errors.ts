import { ProtocolError, ProtocolErrorCode, SdkError, SdkErrorCode } from '@modelcontextprotocol/client';

/** What can go wrong in the gateway, as stable codes. They reach MCP clients as `error.data.code`. */
export type GatewayErrorCode =
  | 'BAD_USAGE'
  | 'BAD_CONFIG'
  | 'PORT_TAKEN'
  | 'CANNOT_LISTEN'
  | 'THREAD_FAILED'
  | 'UNKNOWN_TOOL'
  | 'BAD_CURSOR'
  | 'UPSTREAM_DOWN'
  | 'UPSTREAM_FAILED'
  | 'THREAD_DIED'
  | 'CALL_TIMEOUT'
  | 'CALL_CANCELLED'
  | 'TOO_MANY_CALLS'
  | 'DRAINING';

/** A refusal of the gateway itself: `code` is stable, `message` says what was tried and what to do next. */
export class GatewayError extends Error {
  readonly code: GatewayErrorCode;

  constructor(code: GatewayErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'GatewayError';
    this.code = code;
  }
}

/** An error as it travels between threads and to the client: structured clone would drop classes and codes. */
export interface RpcError {
  code: number;
  message: string;
  data?: unknown;
}

const invalidParams: ReadonlySet<GatewayErrorCode> = new Set(['UNKNOWN_TOOL', 'BAD_CURSOR']);

/** Turns anything thrown on the way of a call into a JSON-RPC error; an upstream's own errors pass unchanged. */
export function toRpcError(error: unknown, server?: string): RpcError {
  if (error instanceof ProtocolError) return rpcError(error.code, error.message, error.data);
  if (error instanceof GatewayError) {
    const code = invalidParams.has(error.code) ? ProtocolErrorCode.InvalidParams : ProtocolErrorCode.InternalError;
    return rpcError(code, error.message, { code: error.code, ...(server === undefined ? {} : { server }) });
  }
  return toRpcError(new GatewayError(codeOf(error), `upstream "${server ?? 'unknown'}": ${messageOf(error)}`), server);
}

/** The opposite way, for the SDK's server: it writes `code`, `message` and `data` of what it catches. */
export function fromRpcError(error: RpcError): ProtocolError {
  return new ProtocolError(error.code, error.message, error.data);
}

export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // undici hides the reason ("fetch failed") one level below.
  const cause = error.cause instanceof Error && error.cause.message !== '' ? ` (${error.cause.message})` : '';
  return `${error.message}${cause}`;
}

function codeOf(error: unknown): GatewayErrorCode {
  if (!(error instanceof SdkError)) return 'UPSTREAM_FAILED';
  if (error.code === SdkErrorCode.ConnectionClosed || error.code === SdkErrorCode.NotConnected) return 'UPSTREAM_DOWN';
  return error.code === SdkErrorCode.RequestTimeout ? 'CALL_TIMEOUT' : 'UPSTREAM_FAILED';
}

function rpcError(code: number, message: string, data: unknown): RpcError {
  return data === undefined ? { code, message } : { code, message, data };
}
