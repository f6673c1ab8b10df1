import type { IncomingMessage } from 'node:http';
import { isTooDeep } from './nesting.ts';

export type Body =
  | { kind: 'json'; value: unknown }
  | { kind: 'notJson'; why: string }
  | { kind: 'tooDeep' }
  | { kind: 'tooLarge' }
  /** The client has left in the middle of it. */
  | { kind: 'gone' };

/** Reads a JSON body of at most `bytesMax` bytes; what passes that is not kept. */
export async function readBody(request: IncomingMessage, bytesMax: number): Promise<Body> {
  if (Number(request.headers['content-length']) > bytesMax) return { kind: 'tooLarge' };
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const outcome = await new Promise<'end' | 'tooLarge' | 'gone'>((resolve) => {
    request.on('data', (chunk: Uint8Array) => {
      bytes += chunk.length;
      if (bytes <= bytesMax) chunks.push(chunk);
      else resolve('tooLarge');
    });
    request.once('end', () => resolve('end'));
    request.once('error', () => resolve('gone'));
    request.once('close', () => resolve('gone'));
  });
  return outcome === 'end' ? parse(chunks) : { kind: outcome };
}

/** Reads the rest of a body that is not wanted, up to `bytesMax`; false if it is longer, or its client has gone. */
export function discardBody(request: IncomingMessage, bytesMax: number): Promise<boolean> {
  let bytes = 0;
  return new Promise((resolve) => {
    request.on('data', (chunk: Uint8Array) => {
      bytes += chunk.length;
      if (bytes > bytesMax) resolve(false);
    });
    request.once('end', () => resolve(true));
    request.once('close', () => resolve(request.complete));
  });
}

function parse(chunks: Uint8Array[]): Body {
  try {
    // JSON is UTF-8: what is not is refused rather than repaired.
    const decoder = new TextDecoder('utf-8', { fatal: true });
    const text = chunks.map((chunk) => decoder.decode(chunk, { stream: true })).join('') + decoder.decode();
    const value: unknown = JSON.parse(text);
    return isTooDeep(value) ? { kind: 'tooDeep' } : { kind: 'json', value };
  } catch (error) {
    return { kind: 'notJson', why: error instanceof SyntaxError ? error.message : 'it is not UTF-8' };
  }
}
