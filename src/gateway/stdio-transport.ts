import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { JSONRPCMessage, Transport } from '@modelcontextprotocol/client';
import { getDefaultEnvironment } from '@modelcontextprotocol/client/stdio';
import { repairAnswer } from './answers.ts';
import type { StdioSpec } from './config.ts';
import { limits } from './limits.ts';
import { endGroup, killGroup } from './process-group.ts';
import { printable } from './text.ts';

export interface StdioHooks {
  /** Tells the main thread which children exist, so that none outlives a crashed thread. */
  onChild(pid: number, alive: boolean): void;
}

/**
 * An MCP server as a child process that speaks over stdin and stdout.
 *
 * Not the SDK's transport, for two reasons: the child leads its own process group, so that Ctrl-C in a terminal
 * reaches only the gateway, which can then drain, and so that wrappers such as `npx` leave no grandchild behind;
 * and it closes when the child exits, also when a grandchild still holds its stdout.
 */
export class StdioTransport implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;
  /** The last lines of the child's stderr, for the report of a failure. */
  readonly stderr: string[] = [];
  /** Why the transport closed, in words. */
  reason = '';
  readonly #spec: StdioSpec;
  readonly #hooks: StdioHooks;
  #child: ChildProcessByStdio<Writable, Readable, Readable> | undefined;
  #exited: Promise<void> = Promise.resolve();
  #groupEnded: Promise<void> = Promise.resolve();
  #received: Promise<void> = Promise.resolve();
  /** Resolves when it has closed for its user, which is a little after the child's exit. */
  readonly #gone = Promise.withResolvers<void>();
  #closed = false;
  /** Messages written that the pipe has not taken yet. */
  #queued = 0;
  /** Why we ended the child, if we did so because of what it does. */
  #whyGivenUp: string | undefined;

  constructor(spec: StdioSpec, hooks: StdioHooks) {
    this.#spec = spec;
    this.#hooks = hooks;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  start(): Promise<void> {
    const { command, args, env, cwd } = this.#spec;
    const child = spawn(command, args, {
      env: { ...getDefaultEnvironment(), ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: process.platform !== 'win32',
      windowsHide: true,
      ...(cwd === undefined ? {} : { cwd }),
    });
    this.#child = child;
    const { pid } = child;
    if (pid !== undefined) this.#hooks.onChild(pid, true);
    this.#exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        // What the child started itself must not outlive it.
        if (pid !== undefined) {
          this.#groupEnded = endGroup(pid, limits.childExitMs).then(() => this.#hooks.onChild(pid, false));
        }
        resolve();
        // Its last words may still be in the pipes, which a grandchild that ignores SIGTERM could hold open for ever.
        const reason = signal === null ? `exited with code ${code}` : `was ended by ${signal}`;
        const late = setTimeout(() => this.#lost(reason), limits.pipeDrainMs);
        child.once('close', () => {
          clearTimeout(late);
          this.#lost(reason);
        });
      });
    });
    splitLines(
      child.stdout,
      limits.messageBytesMax,
      (line) => this.#receive(line),
      () => this.#giveUp(`a message passed ${limits.messageBytesMax} bytes`),
    );
    splitLines(
      child.stderr,
      limits.stderrLineCharsMax,
      (line) => this.#keep(line),
      () => {},
    );
    // A write to a child that has just died: the exit tells it better.
    child.stdin.on('error', () => {});
    return new Promise((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (error) => {
        this.#lost(error.message);
        reject(error);
      });
    });
  }

  send(message: JSONRPCMessage): Promise<void> {
    const stdin = this.#child?.stdin;
    if (stdin === undefined || this.#closed || !stdin.writable) return Promise.reject(new Error('the child is gone'));
    if (stdin.writableLength > limits.queuedBytesMax || this.#queued > limits.queuedMessagesMax) {
      this.#giveUp(`it does not read: ${this.#queued} messages with ${stdin.writableLength} bytes wait for it`);
      return Promise.reject(new Error(this.#whyGivenUp));
    }
    return new Promise((resolve, reject) => {
      const line = `${JSON.stringify(message)}\n`;
      this.#queued += 1;
      stdin.write(line, (error) => {
        this.#queued -= 1;
        if (error) reject(error);
        else resolve();
      });
    });
  }

  /** Closes stdin, which tells a well-behaved server to leave, and insists step by step. */
  async close(): Promise<void> {
    const child = this.#child;
    if (child?.pid === undefined) return this.#lost('was never started');
    child.stdin.end();
    if (!(await this.#exitsWithin(limits.childExitMs))) {
      killGroup(child.pid, 'SIGTERM');
      if (!(await this.#exitsWithin(limits.childExitMs))) killGroup(child.pid, 'SIGKILL');
      await this.#exited;
    }
    await this.#groupEnded;
    await this.#gone.promise;
    child.stdout.destroy();
    child.stderr.destroy();
  }

  #giveUp(why: string): void {
    if (this.#whyGivenUp !== undefined) return;
    this.#whyGivenUp = why;
    this.onerror?.(new Error(why));
    void this.close();
  }

  async #exitsWithin(ms: number): Promise<boolean> {
    const abort = new AbortController();
    const late = delay(ms, false, { signal: abort.signal }).catch(() => false);
    const left = await Promise.race([this.#exited.then(() => true), late]);
    abort.abort();
    return left;
  }

  #receive(line: string): void {
    // To answer what floods us would be the very work we end it for.
    if (this.#whyGivenUp !== undefined) return;
    let message: JSONRPCMessage;
    try {
      message = JSON.parse(line);
    } catch {
      // Servers do print banners to stdout. They are no messages, and no reason to give up.
      this.#keep(line.slice(0, limits.stderrLineCharsMax));
      return;
    }
    // One microtask each: the SDK handles a notification one microtask late, but a response at once, so that progress
    // which arrived in one chunk with its result would come after it, and be dropped.
    this.#received = this.#received
      .then(() => this.onmessage?.(repairAnswer(message)))
      .catch((error: Error) => this.onerror?.(error));
  }

  #keep(line: string): void {
    const text = printable(line).trimEnd();
    if (text === '') return;
    this.stderr.push(text);
    if (this.stderr.length > limits.stderrLinesMax) this.stderr.shift();
  }

  #lost(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.reason = this.#whyGivenUp ?? reason;
    this.#gone.resolve();
    this.onclose?.();
  }
}

/** Calls back once per line; a line longer than `bytesMax` goes to `onTooLong` and is dropped. */
function splitLines(stream: Readable, bytesMax: number, onLine: (line: string) => void, onTooLong: () => void): void {
  let parts: Uint8Array[] = [];
  let bytes = 0;
  let dropping = false;
  stream.on('error', () => {});
  stream.on('data', (chunk: Uint8Array) => {
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      if (!dropping) onLine(Buffer.concat([...parts, chunk.subarray(start, end)]).toString('utf8'));
      parts = [];
      bytes = 0;
      dropping = false;
      start = end + 1;
    }
    if (start === chunk.length) return;
    bytes += chunk.length - start;
    if (bytes <= bytesMax) {
      parts.push(chunk.subarray(start));
    } else if (!dropping) {
      parts = [];
      dropping = true;
      onTooLong();
    }
  });
}
