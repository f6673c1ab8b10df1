import { once } from 'node:events';
import { chmodSync, linkSync, lstatSync, mkdtempSync, rmSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { inspect } from 'node:util';
import { RegistryError } from '../shared/errors.ts';
import { Header } from '../shared/layout.ts';
import { limits } from '../shared/limits.ts';
import {
  defaultSocket,
  type InspectionAnswer,
  type InspectionRequest,
  linesOf,
  makeInspectionFolder,
  type NamedEntry,
  type NameList,
} from './inspection-wire.ts';
import { checkKnown } from './options.ts';
import type { Registry } from './registry.ts';

/** Where to listen for inspectors. */
export interface ServeOptions {
  /** A path of the file system, of at most 103 bytes, its folder 85; or on Windows the name of a pipe. By default one of
   *  its own in a folder of this user, where `rollcall inspect` and `rollcall top` look. */
  readonly path?: string | undefined;
}

/** What servers do when their thread ends: one listener for all of them, as Node warns of more than ten. */
const exits = new Set<() => void>();

function onExit(): void {
  for (const exit of exits) exit();
}

/**
 * A local socket on which a registry tells of itself. One answer at a time, and a rest after each: whoever
 * asks, and however often, it takes a fifth of a core at most.
 */
export class InspectionServer implements AsyncDisposable {
  /** Where it listens. */
  readonly path: string;
  readonly #registry: Registry;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** The socket's file, as it was made here: what is removed at the end. */
  readonly #inode: number | undefined;
  readonly #onExit = (): void => this.#unlink();
  /** Resolves when the last answer has been given, and its rest is over. */
  #rested: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;

  /** @internal Made by `registry.insight.serve`. */
  static async listen(registry: Registry, options: ServeOptions): Promise<InspectionServer> {
    const path = checkedPath(registry, options);
    const server = createServer();
    server.maxConnections = limits.inspectorsMax;
    server.unref();
    try {
      if (process.platform === 'win32') await listening(server, path);
      else await listenPrivately(server, path);
    } catch (error) {
      server.close();
      if (error instanceof RegistryError) throw error;
      throw new RegistryError('INSPECTION_FAILED', `cannot listen on ${path}: ${(error as Error).message}`);
    }
    return new InspectionServer(registry, server, path);
  }

  private constructor(registry: Registry, server: Server, path: string) {
    this.#registry = registry;
    this.#server = server;
    this.path = path;
    this.#inode = lstatSync(path, { throwIfNoEntry: false })?.ino;
    server.on('error', () => {}); // who could not be accepted tries again
    server.on('connection', (socket) => void this.#converse(socket));
    if (exits.size === 0) process.once('exit', onExit);
    exits.add(this.#onExit);
  }

  /** Hangs up on everybody and removes the socket. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** For `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    exits.delete(this.#onExit);
    if (exits.size === 0) process.off('exit', onExit);
    this.#unlink();
    for (const socket of this.#sockets) socket.destroy();
    const closed = once(this.#server, 'close');
    this.#server.close();
    await closed;
  }

  /** If it is still ours: another may have taken its place. */
  #unlink(): void {
    if (process.platform === 'win32') return;
    if (lstatSync(this.path, { throwIfNoEntry: false })?.ino === this.#inode) rmSync(this.path, { force: true });
  }

  /** Reads no further request of a connection before its last answer is on its way. */
  async #converse(socket: Socket): Promise<void> {
    this.#sockets.add(socket);
    socket.unref();
    socket.setTimeout(limits.inspectionIdleMs, () => socket.destroy());
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    try {
      for await (const line of linesOf(socket, limits.inspectionRequestBytesMax)) {
        const answer = await this.#inTurn(() => (socket.destroyed ? '' : JSON.stringify(this.#answerTo(line))));
        if (socket.destroyed) break; // what it sent before is not answered
        if (!socket.write(`${answer}\n`)) await Promise.race([once(socket, 'drain'), closed]);
      }
      socket.end();
    } catch {
      socket.destroy(); // it hung up, or sends what is no request
    }
    await closed;
    this.#sockets.delete(socket);
  }

  async #inTurn(work: () => string): Promise<string> {
    const before = this.#rested;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#rested = promise;
    await before;
    const started = performance.now();
    try {
      return work();
    } finally {
      setTimeout(resolve, (performance.now() - started) * limits.inspectionRestFactor).unref();
    }
  }

  #answerTo(line: string): InspectionAnswer {
    try {
      return { answer: answer(this.#registry, parseRequest(line)) };
    } catch (error) {
      const code = error instanceof RegistryError ? error.code : 'INSPECTION_FAILED';
      return { error: { code, message: (error as Error).message } };
    }
  }
}

function answer(registry: Registry, request: InspectionRequest): unknown {
  switch (request.ask) {
    case 'figures':
      return registry.insight.figures();
    case 'names':
      return namesOf(registry, request.kind, request.limit);
    case 'entry':
      return entryOf(registry, request.kind, request.id);
  }
}

function namesOf(registry: Registry, kind: string, limit: number): NameList {
  const names: NameList['names'][number][] = [];
  for (const { id, owner } of registry.list(kind)) {
    if (names.length === limit) break; // the other shards need not be read
    names.push({ id, owner });
  }
  return { names, more: names.length < limit ? 0 : Math.max(0, registry.count(kind) - limit) };
}

function entryOf(registry: Registry, kind: string, id: string): NamedEntry | null {
  const entry = registry.whereis(kind, id);
  return entry === undefined ? null : { kind, id, owner: entry.owner, config: entry.config };
}

/** @throws {RegistryError} `INVALID_OPTION` */
function parseRequest(line: string): InspectionRequest {
  const { ask, kind, id, limit } = parseObject(line);
  if (ask === 'figures') return { ask };
  if (ask === 'names' && typeof kind === 'string' && Number.isInteger(limit)) {
    if (limit >= 1 && limit <= limits.inspectionNamesMax) return { ask, kind, limit };
    throw new RegistryError('INVALID_OPTION', `limit is ${limit}: from 1 to ${limits.inspectionNamesMax}`);
  }
  if (ask === 'entry' && typeof kind === 'string' && typeof id === 'string') return { ask, kind, id };
  throw new RegistryError('INVALID_OPTION', `no such request: ${inspect(line)}`);
}

// biome-ignore lint/suspicious/noExplicitAny: what a stranger sent is looked at before it is believed
function parseObject(line: string): Record<string, any> {
  try {
    return Object(JSON.parse(line));
  } catch {
    throw new RegistryError('INVALID_OPTION', `no such request: ${inspect(line)}`);
  }
}

function checkedPath({ handle }: Registry, options: ServeOptions): string {
  checkKnown(options, ['path']);
  const { path } = options;
  if (path === undefined) {
    if (process.platform !== 'win32') makeInspectionFolder();
    return defaultSocket(Buffer.from(handle.control, Header.identity * 4, 4).toString('hex'));
  }
  // A name without a file has no owner either: anybody could connect.
  if (typeof path !== 'string' || path === '' || path.includes('\0')) {
    throw new RegistryError('INVALID_OPTION', `path is ${inspect(path)}: that of a file to be made`);
  }
  if (process.platform === 'win32') return path;
  const whole = resolve(path);
  const bytes = Math.max(Buffer.byteLength(whole), Buffer.byteLength(`${temporaryFolder(whole)}XXXXXX/s`));
  if (bytes <= limits.socketPathBytesMax) return whole;
  throw new RegistryError(
    'INVALID_OPTION',
    `path is ${inspect(path)}: with its folder it needs ${bytes} bytes; sockets have ${limits.socketPathBytesMax}`,
  );
}

async function listening(server: Server, path: string): Promise<void> {
  const listens = once(server, 'listening'); // rejects on 'error'
  server.listen(path);
  await listens;
}

/**
 * A socket that only its owner can connect to, at every moment: it is made in a folder that nobody else enters, and comes to
 * its path when its mode is right. `link` refuses a path that is there.
 */
async function listenPrivately(server: Server, path: string): Promise<void> {
  const folder = mkdtempSync(temporaryFolder(path));
  try {
    const made = join(folder, 's');
    await listening(server, made);
    chmodSync(made, 0o600);
    try {
      linkSync(made, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      await removeAbandoned(path);
      linkSync(made, path);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const temporaryFolder = (path: string): string => join(dirname(path), '.rollcall-');

/** A process that was killed leaves its socket. @throws {RegistryError} `INSPECTION_FAILED` when it is anything else */
async function removeAbandoned(path: string): Promise<void> {
  if (!lstatSync(path).isSocket()) throw new RegistryError('INSPECTION_FAILED', `${path} is there, and no socket`);
  const socket = connect(path);
  const code = await new Promise<string | undefined>((resolve) => {
    socket.once('connect', () => resolve(undefined));
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code));
  });
  socket.destroy();
  if (code !== 'ECONNREFUSED') throw new RegistryError('INSPECTION_FAILED', `${path}: somebody listens there already`);
  unlinkSync(path);
}
