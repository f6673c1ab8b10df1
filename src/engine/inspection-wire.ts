import { lstatSync, mkdirSync, type Stats } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { RegistryError, type RegistryErrorCode } from '../shared/errors.ts';
import type { OwnerInfo } from './entry.ts';

/*
 * How inspectors and an inspected process speak: lines of JSON over a local socket, a request, then its answer.
 * ```
 * { "ask": "figures" }                              { "answer": Figures }
 * { "ask": "names", "kind": …, "limit": … }         { "answer": NameList }
 * { "ask": "entry", "kind": …, "id": … }            { "answer": NamedEntry | null }
 * anything else, or what fails                      { "error": { "code": …, "message": … } }
 * ```
 */
export type InspectionRequest =
  | { readonly ask: 'figures' }
  | { readonly ask: 'names'; readonly kind: string; readonly limit: number }
  | { readonly ask: 'entry'; readonly kind: string; readonly id: string };

export type InspectionAnswer =
  | { readonly answer: unknown }
  | { readonly error: { readonly code: RegistryErrorCode; readonly message: string } };

/** Names of a kind, and who has them. */
export interface NameList {
  readonly names: readonly { readonly id: string; readonly owner: OwnerInfo }[];
  /** How many more there were. */
  readonly more: number;
}

/** One name with its config. */
export interface NamedEntry {
  readonly kind: string;
  readonly id: string;
  readonly owner: OwnerInfo;
  readonly config?: unknown;
}

/** Cuts a stream into lines. @throws {Error} when one has more than so many bytes */
export async function* linesOf(stream: AsyncIterable<Buffer>, bytesMax: number): AsyncGenerator<string, void, void> {
  const decoder = new StringDecoder('utf8');
  let parts: string[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    let from = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
      if (bytes + end - from > bytesMax) throw new Error(`a line of more than ${bytesMax} bytes`);
      yield parts.join('') + decoder.end(chunk.subarray(from, end)); // no character goes on in the next line
      parts = [];
      bytes = 0;
      from = end + 1;
    }
    bytes += chunk.length - from;
    if (bytes > bytesMax) throw new Error(`a line of more than ${bytesMax} bytes`);
    parts.push(decoder.write(chunk.subarray(from)));
  }
}

/** Where sockets lie for which no path is given: a folder of this user alone. */
export const inspectionFolder = (): string => join(tmpdir(), `rollcall-${process.getuid?.() ?? 'inspection'}`);

/** The socket of a registry for which no path is given: `pid-identity.sock`. */
export function defaultSocket(identity: string): string {
  const name = `${process.pid}-${identity}`;
  return process.platform === 'win32'
    ? `\\\\.\\pipe\\rollcall-inspection-${name}`
    : join(inspectionFolder(), `${name}.sock`);
}

/** Makes that folder, or checks the one that there is: in a folder for all, others may have made it.
 *  @throws {RegistryError} `INSPECTION_FAILED` */
export function makeInspectionFolder(): void {
  const folder = inspectionFolder();
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (isPrivate(lstatSync(folder))) return;
  throw new RegistryError(
    'INSPECTION_FAILED',
    `${folder} is not a folder of this user alone: remove it, or give a path`,
  );
}

export const isPrivate = (stats: Stats): boolean =>
  stats.isDirectory() && stats.uid === process.getuid?.() && (stats.mode & 0o077) === 0;
