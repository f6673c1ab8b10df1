import { once } from 'node:events';
import { lstatSync, readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { RegistryError } from '../shared/errors.ts';
import { limits } from '../shared/limits.ts';
import type { Figures } from './figures.ts';
import {
  type InspectionAnswer,
  type InspectionRequest,
  inspectionFolder,
  isPrivate,
  linesOf,
  type NamedEntry,
  type NameList,
} from './inspection-wire.ts';
import { checkKnown } from './options.ts';

/** Which process to look into; without any of these the only one of this user that listens. */
export interface InspectorOptions {
  /** Where it listens: the `path` of its `insight.serve`. */
  readonly path?: string | undefined;
  /** Its process id, when it listens where `insight.serve()` does by default. */
  readonly pid?: number | undefined;
}

/**
 * Looks into a registry of another process, over the local socket that `registry.insight.serve` opened there.
 * @example
 * await using inspector = await Inspector.connect({ pid });
 * const { names, shards } = await inspector.figures();
 */
export class Inspector implements AsyncDisposable {
  /** Where it is connected to. */
  readonly path: string;
  readonly #socket: Socket;
  readonly #lines: AsyncGenerator<string, void, void>;
  /** Requests are answered in their order: each waits for the one before. */
  #last: Promise<unknown> = Promise.resolve();

  /** @throws {RegistryError} `INSPECTION_FAILED` when nobody listens there, this user may not connect, or several processes
   *    listen; `INVALID_OPTION` */
  static async connect(options: InspectorOptions = {}): Promise<Inspector> {
    checkOptions(options);
    const { path, pid } = options;
    if (path !== undefined) return Inspector.#connectTo(path);
    const listening: Inspector[] = [];
    for (const found of socketsOf(pid)) {
      const inspector = await Inspector.#connectTo(found).catch(() => undefined); // its process was killed
      if (inspector !== undefined) listening.push(inspector);
    }
    if (listening.length === 1) return listening[0];
    const paths = listening.map((inspector) => inspector.path);
    await Promise.all(listening.map((inspector) => inspector.close()));
    const where = `${inspectionFolder()}${pid === undefined ? '' : ` for process ${pid}`}`;
    if (paths.length === 0) {
      const what = 'in the process: await registry.insight.serve()';
      throw new RegistryError('INSPECTION_FAILED', `nobody listens in ${where}; ${what}, or say its path`);
    }
    throw new RegistryError('INSPECTION_FAILED', `several listen in ${where}, say which: ${paths.join(' ')}`);
  }

  static async #connectTo(path: string): Promise<Inspector> {
    const socket = connect(path);
    try {
      await once(socket, 'connect');
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const why = code === 'ENOENT' || code === 'ECONNREFUSED' ? 'nobody listens there' : message;
      throw new RegistryError('INSPECTION_FAILED', `cannot connect to ${path}: ${why}`);
    }
    return new Inspector(path, socket);
  }

  private constructor(path: string, socket: Socket) {
    this.path = path;
    this.#socket = socket;
    socket.on('error', () => {}); // told by the end of what is read
    this.#lines = linesOf(socket, limits.inspectionAnswerBytesMax);
  }

  /** The registry in numbers. @throws {RegistryError} `INSPECTION_FAILED`, and what `insight.figures` throws there */
  figures(): Promise<Figures> {
    return this.#ask<Figures>({ ask: 'figures' });
  }

  /** Names of a kind, up to `limit` of them (1 to 10,000, by default 1,000).
   *  @throws {RegistryError} `INSPECTION_FAILED`, and what `list` throws there */
  names(kind: string, { limit = 1_000 }: { readonly limit?: number } = {}): Promise<NameList> {
    return this.#ask<NameList>({ ask: 'names', kind, limit });
  }

  /** A name with its config. @throws {RegistryError} `INSPECTION_FAILED`, and what `whereis` throws there */
  async entry(kind: string, id: string): Promise<NamedEntry | undefined> {
    return (await this.#ask<NamedEntry | null>({ ask: 'entry', kind, id })) ?? undefined;
  }

  /** Hangs up. */
  async close(): Promise<void> {
    this.#socket.destroy();
    if (!this.#socket.closed) await once(this.#socket, 'close');
  }

  /** For `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #ask<Answer>(request: InspectionRequest): Promise<Answer> {
    const line = checkedLine(request);
    const answer = this.#last.then(() => this.#answerTo(line));
    this.#last = answer.catch(() => {});
    return (await answer) as Answer;
  }

  async #answerTo(request: string): Promise<unknown> {
    const timeout = setTimeout(() => this.#socket.destroy(new Error('timeout')), limits.inspectionAnswerMs);
    let line: string | undefined;
    let late = false;
    try {
      this.#socket.write(`${request}\n`);
      line = (await this.#lines.next()).value ?? undefined;
    } catch (error) {
      late = (error as Error).message === 'timeout';
    } finally {
      clearTimeout(timeout);
    }
    if (line === undefined) {
      const why = late ? `no answer in ${limits.inspectionAnswerMs} ms: its thread is busy` : 'it hung up';
      throw new RegistryError('INSPECTION_FAILED', `${this.path}: ${why}`);
    }
    return this.#unpack(line);
  }

  #unpack(line: string): unknown {
    try {
      const answer: InspectionAnswer = JSON.parse(line);
      if ('answer' in answer) return answer.answer;
      const { code, message } = answer.error;
      if (typeof message === 'string') throw new RegistryError(code, message);
    } catch (error) {
      if (error instanceof RegistryError) throw error;
    }
    throw new RegistryError('INSPECTION_FAILED', `${this.path}: what listens there is no registry`);
  }
}

/** A request as it is sent: one that the other side would hang up on is not. */
function checkedLine(request: InspectionRequest): string {
  for (const [what, value] of Object.entries(request)) {
    if (typeof value === 'string' || typeof value === 'number') continue;
    throw new RegistryError('INVALID_OPTION', `${what} is ${inspect(value)}: text, or a number`);
  }
  const line = JSON.stringify(request);
  if (Buffer.byteLength(line) <= limits.inspectionRequestBytesMax) return line;
  throw new RegistryError('INVALID_NAME', `the request takes more than ${limits.inspectionRequestBytesMax} bytes`);
}

/** Sockets for which no path was given, of all processes of this user or of one. */
function socketsOf(pid: number | undefined): string[] {
  const isWanted = (name: string): boolean =>
    /^\d+-[0-9a-f]+\.sock$/.test(name) && (pid === undefined || name.startsWith(`${pid}-`));
  const folder = inspectionFolder();
  const stats = lstatSync(folder, { throwIfNoEntry: false });
  if (stats === undefined || !isPrivate(stats)) return []; // in a folder of strangers strangers may listen
  return readdirSync(folder)
    .filter(isWanted)
    .map((name) => join(folder, name));
}

function checkOptions(options: InspectorOptions): void {
  checkKnown(options, ['path', 'pid']);
  const { path, pid } = options;
  if (path !== undefined && (typeof path !== 'string' || path === '')) {
    throw new RegistryError('INVALID_OPTION', `path is ${inspect(path)}: where the process listens`);
  }
  if (pid !== undefined && !(Number.isSafeInteger(pid) && pid > 0)) {
    throw new RegistryError('INVALID_OPTION', `pid is ${inspect(pid)}: a process id`);
  }
  if (path === undefined || pid === undefined) return;
  throw new RegistryError('INVALID_OPTION', 'path and pid: give one of them');
}
