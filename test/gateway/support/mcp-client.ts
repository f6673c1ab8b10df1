import { request as httpRequest } from 'node:http';
import { Client, type FetchLike, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

export type Era = 'legacy' | 'modern';
export const eras: Era[] = ['legacy', 'modern'];

export interface ConnectedClient extends AsyncDisposable {
  client: Client;
  /** The serving thread of each answer so far, by the header that names it. */
  threads: number[];
}

/** The official client, in the era asked for, with a TCP connection of its own for every request. */
export async function connectClient(url: string | undefined, era: Era): Promise<ConnectedClient> {
  const threads: number[] = [];
  const mode = era === 'modern' ? { pin: '2026-07-28' } : 'legacy';
  const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } });
  const fetch = freshConnectionFetch((response) => threads.push(Number(response.headers.get('x-rollcall-thread'))));
  await client.connect(new StreamableHTTPClientTransport(new URL(url ?? ''), { fetch }));
  return { client, threads, [Symbol.asyncDispose]: () => client.close() };
}

/** `fetch` without a connection pool: the kernel chooses a thread anew for each request. */
export function freshConnectionFetch(onResponse: (response: Response) => void): FetchLike {
  return (url, init) =>
    new Promise((resolve, reject) => {
      const headers = Object.fromEntries(new Headers(init?.headers));
      const { method = 'GET', body, signal } = init ?? {};
      const request = httpRequest(url, { method, headers, agent: false, signal: signal ?? undefined }, (message) => {
        const stream = new ReadableStream({
          start(controller) {
            message.on('data', (chunk: Uint8Array) => controller.enqueue(new Uint8Array(chunk)));
            message.on('end', () => controller.close());
            message.on('error', (error) => controller.error(error));
          },
          cancel: () => void message.destroy(),
        });
        const { statusCode: status = 0 } = message;
        const empty = status === 204 || status === 304;
        const response = new Response(empty ? null : stream, {
          status,
          headers: message.headers as Record<string, string>,
        });
        onResponse(response);
        resolve(response);
      });
      request.on('error', reject);
      request.end(body as string | undefined);
    });
}

/** The text of a tool's first content block. */
export function textOf(result: unknown): string {
  const { content } = result as { content?: { text?: string }[] };
  return content?.[0]?.text ?? '';
}

interface RawMessage {
  result?: Record<string, unknown> & { _meta?: Record<string, unknown> };
  error?: { code: number; message: string; data?: unknown };
  params?: unknown;
}

/** One tool call as bare HTTP, with a progress token: every JSON-RPC message of the answer, in the order it came. */
export async function callRaw(url: string | undefined, era: Era, name: string, input: unknown): Promise<RawMessage[]> {
  const envelope = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
    'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '1' },
  };
  const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': name };
  const _meta = { progressToken: 'p', ...(era === 'modern' ? envelope : {}) };
  const response = await fetch(url ?? '', {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...(era === 'modern' ? headers : {}),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: input, _meta } }),
  });
  const text = await response.text();
  const data = text.split('\n').filter((line) => line.startsWith('data: '));
  return data.length === 0 ? [JSON.parse(text)] : data.map((line) => JSON.parse(line.slice('data: '.length)));
}
