import {
  type JSONRPCRequest,
  type ListToolsResult,
  type McpRequestContext,
  ProtocolError,
  ProtocolErrorCode,
  type Result,
  Server,
  type ServerContext,
  type Tool,
} from '@modelcontextprotocol/server';
import type { Entry, Registry } from '../engine/index.ts';
import { fromRpcError, GatewayError, toRpcError } from './errors.ts';
import { limits } from './limits.ts';
import type { Mesh } from './mesh.ts';
import { kinds, type ProgressReport } from './messages.ts';
import { slugOf } from './naming.ts';
import { toolConfig } from './tool-catalog.ts';
import { version } from './version.ts';

export interface FederationOptions {
  registry: Registry;
  mesh: Mesh;
  /** Per server, in milliseconds. */
  callTimeouts: ReadonlyMap<string, number>;
}

/**
 * All upstreams as one MCP server, the same from every thread: lists come straight from the registry, and a call asks
 * it once who owns the tool.
 */
export class Federation {
  readonly #options: FederationOptions;

  constructor(options: FederationOptions) {
    this.#options = options;
  }

  /** One SDK server for one request, as its HTTP handler wants it. */
  server({ era }: Pick<McpRequestContext, 'era'>): Server {
    // Only the 2026 protocol has a way to be told of changes without a session.
    const tools = era === 'modern' ? { listChanged: true } : {};
    const server = new Server({ name: 'rollcall', version }, { capabilities: { tools } });
    server.setRequestHandler('tools/list', (request) => this.list(request.params?.cursor));
    // Not `setRequestHandler`: for this method the SDK checks the result and drops what it does not know.
    server.fallbackRequestHandler = ({ method, params }, context) => {
      if (method !== 'tools/call') throw new ProtocolError(ProtocolErrorCode.MethodNotFound, 'Method not found');
      return this.#call(params, context);
    };
    return server;
  }

  /**
   * One page of the tools of all servers, in the order of their names, which is the same at every thread. The cursor
   * holds the last name of the page before, so it works at any thread and outlives changes.
   */
  list(cursor?: string): ListToolsResult {
    const after = cursor === undefined ? '' : decodeCursor(cursor);
    const entries = [...this.#options.registry.list(kinds.tool)].filter(({ id }) => id > after).sort(byId);
    const page = entries.slice(0, limits.toolsPerPage);
    const tools = page.map(exposed);
    return entries.length <= page.length ? { tools } : { tools, nextCursor: encodeCursor(page[page.length - 1].id) };
  }

  async #call(params: JSONRPCRequest['params'], context: ServerContext): Promise<Result> {
    const call = checkedCall(params);
    try {
      return (await this.#carry(call, context)) as Result;
    } catch (error) {
      throw fromRpcError(toRpcError(error, slugOf(call.name)));
    }
  }

  #carry(params: ToolCall, { mcpReq }: ServerContext): Promise<unknown> {
    const entry = this.#options.registry.whereis(kinds.tool, params.name);
    if (entry === undefined) throw unknownTool(params.name);
    const { server, tool } = toolConfig(entry);
    const { progressToken, ...meta } = params._meta ?? {};
    const request = {
      server,
      tool,
      slot: entry.owner.slot,
      epoch: entry.owner.epoch,
      params: {
        ...(params.arguments === undefined ? {} : { arguments: params.arguments }),
        ...(Object.keys(meta).length === 0 ? {} : { _meta: meta }),
      },
      wantsProgress: progressToken !== undefined,
    };
    const onProgress = (progress: ProgressReport): void => {
      if (progressToken === undefined) return;
      const notification = { method: 'notifications/progress', params: { ...progress, progressToken } } as const;
      // A client that has gone does not want its progress either.
      mcpReq.notify(notification).catch(() => {});
    };
    const timeoutMs = this.#options.callTimeouts.get(server) ?? limits.callTimeoutMs;
    return this.#options.mesh.call(entry.owner.threadId, request, { signal: mcpReq.signal, timeoutMs, onProgress });
  }
}

interface ToolCall {
  name: string;
  arguments?: Record<string, unknown>;
  _meta?: { progressToken?: string | number; [key: string]: unknown };
}

function checkedCall(params: JSONRPCRequest['params']): ToolCall {
  const { name, arguments: input } = params ?? {};
  const right = typeof name === 'string' && (input === undefined || (typeof input === 'object' && input !== null));
  if (right && !Array.isArray(input)) return params as unknown as ToolCall;
  const text = 'Invalid tools/call: "name" must be a string, and "arguments", if given, an object';
  throw new ProtocolError(ProtocolErrorCode.InvalidParams, text);
}

function exposed(entry: Entry): Tool {
  return { ...toolConfig(entry).definition, name: entry.id };
}

function byId(a: Entry, b: Entry): number {
  return a.id < b.id ? -1 : 1;
}

function unknownTool(name: string): GatewayError {
  const server = slugOf(name);
  const text = `unknown tool "${name.slice(0, 128)}"`;
  if (server === undefined)
    return new GatewayError('UNKNOWN_TOOL', `${text}: names look like <server>__<tool>; list the tools`);
  return new GatewayError('UNKNOWN_TOOL', `${text}: "${server}" has no such tool, or is down just now; list the tools`);
}

function encodeCursor(lastId: string): string {
  return Buffer.from(lastId).toString('base64url');
}

function decodeCursor(cursor: string): string {
  const id = Buffer.from(cursor, 'base64url').toString();
  if (id === '' || encodeCursor(id) !== cursor)
    throw fromRpcError(toRpcError(new GatewayError('BAD_CURSOR', 'this cursor is not one of ours')));
  return id;
}
