import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { isJsonContentType, type McpHttpHandler, ProtocolErrorCode } from '@modelcontextprotocol/server';
import type { Guard } from './guards.ts';
import type { HealthReport } from './health.ts';
import { discardBody, readBody } from './http-body.ts';
import { limits } from './limits.ts';
import { tooDeep } from './nesting.ts';

export interface HttpFrontOptions {
  thread: number;
  guard: Guard;
  mcp: McpHttpHandler;
  health(draining: boolean): HealthReport;
  onError(error: Error): void;
}

export interface ListenAt {
  address: string;
  port: number;
  reusePort: boolean;
}

/** The HTTP side of one thread: `POST /mcp`, `GET /healthz`, and refusals in clear JSON. */
export class HttpFront {
  readonly #options: HttpFrontOptions;
  readonly #server: Server;
  readonly #serveMcp: ReturnType<typeof toNodeHandler>;
  readonly #sockets = new Set<Socket>();
  /** Requests whose answer is not complete, without the subscriptions, which only end when we end them. */
  readonly #exchanges = new Set<ServerResponse>();
  readonly #waiting = new Set<() => void>();
  #draining = false;
  /** The listener is closed; and then, nothing is served any more. */
  #closing = false;
  #closed = false;

  constructor(options: HttpFrontOptions) {
    this.#options = options;
    this.#serveMcp = toNodeHandler({ fetch: withoutConnection(options.mcp) }, { onerror: options.onError });
    this.#server = createServer({
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      keepAliveTimeout: limits.keepAliveTimeoutMs,
    });
    this.#server.on('request', (request, response) => this.#onRequest(request, response));
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) =>
      this.#onClientError(error, socket as Socket),
    );
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => {
        this.#sockets.delete(socket);
        this.#wake();
      });
    });
  }

  listen({ address, port, reusePort }: ListenAt): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host: address, port, reusePort }, () => {
        this.#server.off('error', reject);
        this.#server.on('error', this.#options.onError);
        resolve();
      });
    });
  }

  /**
   * Stops taking requests, and lets those that are in finish.
   *
   * First every answer says `Connection: close`, so that clients leave by themselves: a connection that waits in the
   * accept queue of a listener that closes would be reset.
   */
  async drain(): Promise<void> {
    this.#draining = true;
    for (const response of this.#exchanges) announceClose(response);
    await this.#until(() => this.#sockets.size === 0, limits.drainAnnounceMs);
    this.#closing = true;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await this.#until(() => this.#exchanges.size === 0, limits.drainMs);
    // Ends the subscriptions with their last message, and aborts what is late.
    this.#closed = true;
    await this.#options.mcp.close();
    await this.#until(() => this.#sockets.size === 0, limits.drainAnnounceMs);
    this.#server.closeAllConnections();
    await closed;
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    // Known to everybody who wants to see how connections spread.
    response.setHeader('x-rollcall-thread', this.#options.thread);
    if (this.#draining) announceClose(response);
    if (request.headers['mcp-method'] !== 'subscriptions/listen') this.#exchanges.add(response);
    response.once('close', () => {
      this.#exchanges.delete(response);
      // Not before everybody had time to hear of it: a client may be about to use a connection that rests.
      if (this.#closing) this.#server.closeIdleConnections();
      this.#wake();
    });
    this.#route(request, response).catch((error: Error) => {
      this.#options.onError(error);
      if (response.headersSent) response.destroy();
      else refuse(response, 500, ProtocolErrorCode.InternalError, 'Internal error');
    });
  }

  async #route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const refused = this.#options.guard(request.headers);
    if (refused !== undefined) return refuse(response, 403, httpErrorCode, `Forbidden: ${refused}`);
    const path = request.url?.split('?', 1)[0];
    if (path === '/mcp') return this.#mcp(request, response);
    if (path === '/healthz') return this.#health(request, response);
    const text = 'Not found. MCP is spoken at POST /mcp, health is told at GET /healthz';
    return refuse(response, 404, httpErrorCode, text);
  }

  async #mcp(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== 'POST') return refuseMethod(response, 'POST');
    if (this.#closed) return refuse(response, 503, httpErrorCode, 'The gateway is stopping: try again');
    const contentType = request.headers['content-type'];
    if (!isJsonContentType(contentType)) {
      const text = `Unsupported media type: expected application/json, got ${contentType ?? 'none'}`;
      return refuse(response, 415, httpErrorCode, text);
    }
    const body = await readBody(request, limits.bodyBytesMax);
    switch (body.kind) {
      case 'gone':
        return;
      case 'tooLarge': {
        // An answer now would close the connection under a client that still sends, and it would never read it.
        if (!(await discardBody(request, limits.bodyDiscardBytesMax))) response.setHeader('connection', 'close');
        const text = `Payload too large: a body may have ${limits.bodyBytesMax} bytes (bodyBytesMax)`;
        return refuse(response, 413, httpErrorCode, text);
      }
      case 'notJson':
        return refuse(response, 400, ProtocolErrorCode.ParseError, `Parse error: the body is not JSON: ${body.why}`);
      case 'tooDeep':
        return refuse(response, 400, ProtocolErrorCode.InvalidRequest, `Invalid request: ${tooDeep} (nestingMax)`);
      case 'json':
        return this.#serveMcp(request, response, body.value);
    }
  }

  #health(request: IncomingMessage, response: ServerResponse): void {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      refuseMethod(response, 'GET, HEAD');
      return;
    }
    const report = this.#options.health(this.#draining);
    const serving = report.status !== 'draining' && report.upstreams.some(({ state }) => state === 'up');
    send(response, serving ? 200 : 503, report, { 'cache-control': 'no-store' });
  }

  /** What the HTTP parser itself refuses: there is no request and no response yet, only a socket. */
  #onClientError(error: NodeJS.ErrnoException, socket: Socket): void {
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    const status = parserStatus[error.code ?? ''] ?? '400 Bad Request';
    const body = JSON.stringify(rpcError(httpErrorCode, `${status}: ${error.code}`));
    const headers = `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close`;
    socket.end(`HTTP/1.1 ${status}\r\nx-rollcall-thread: ${this.#options.thread}\r\n${headers}\r\n\r\n${body}`);
  }

  /** Waits until `done` holds, but at most `ms`. */
  async #until(done: () => boolean, ms: number): Promise<void> {
    const late = new AbortController();
    const timer = delay(ms, undefined, { signal: late.signal }).catch(() => {});
    let over = false;
    void timer.then(() => {
      over = true;
    });
    while (!done() && !over) {
      const woken = new Promise<void>((resolve) => this.#waiting.add(resolve));
      await Promise.race([woken, timer]);
    }
    late.abort();
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

/** Whether the connection stays is for Node to say, which knows what the client asked, and for us while draining. */
function withoutConnection({ fetch }: McpHttpHandler): McpHttpHandler['fetch'] {
  return async (request, options) => {
    const response = await fetch(request, options);
    response.headers.delete('connection');
    return response;
  };
}

/** For refusals that HTTP explains and JSON-RPC has no code for; the same as the official SDK's. */
const httpErrorCode = -32_000;

const parserStatus: Record<string, string> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

function announceClose(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader('connection', 'close');
}

function rpcError(code: number, message: string): unknown {
  return { jsonrpc: '2.0', id: null, error: { code, message } };
}

function refuse(response: ServerResponse, status: number, code: number, message: string): void {
  send(response, status, rpcError(code, message));
}

function refuseMethod(response: ServerResponse, allow: string): void {
  response.setHeader('allow', allow);
  refuse(response, 405, httpErrorCode, `Method not allowed: use ${allow}`);
}

function send(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(response.req.method === 'HEAD' ? undefined : `${JSON.stringify(body)}\n`);
}
