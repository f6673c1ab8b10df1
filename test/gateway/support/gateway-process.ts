import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { HealthReport } from '../../../src/gateway/index.ts';
import { temporaryFiles } from '../../support/fixtures.ts';

const root = path.join(import.meta.dirname, '..', '..', '..');

export interface GatewayProcessOptions {
  /** An mcp.json; without it the default servers are started. */
  config?: unknown;
  args?: string[];
  env?: Record<string, string>;
}

/** A real `rollcall gateway` in a process of its own, as a user starts it. */
export class GatewayProcess {
  /** Resolves once it says that it serves. */
  static async start(options: GatewayProcessOptions = {}): Promise<GatewayProcess> {
    const gateway = new GatewayProcess(options);
    try {
      await until('the gateway says where it serves', () => gateway.#ended !== undefined || gateway.url !== undefined);
      if (gateway.url === undefined) throw new Error(`the gateway ended instead of serving\n${gateway.output}`);
      return gateway;
    } catch (error) {
      await gateway[Symbol.asyncDispose]();
      throw error;
    }
  }

  readonly child: ChildProcess;
  readonly dir: string;
  stdout = '';
  stderr = '';
  readonly #files: ReturnType<typeof temporaryFiles>;
  readonly #exit: Promise<unknown[]>;
  #ended: { code: number | null; signal: string | null } | undefined;

  constructor({ config, args = ['--port', '0', '--threads', '2'], env = {} }: GatewayProcessOptions) {
    this.#files = temporaryFiles({});
    this.dir = this.#files.dir;
    const configArgs = config === undefined ? [] : ['--config', this.#write('mcp.json', JSON.stringify(config))];
    this.child = spawn(process.execPath, [path.join(root, 'src/cli/main.ts'), 'gateway', ...args, ...configArgs], {
      cwd: this.dir,
      env: { ...process.env, MEMORY_FILE_PATH: path.join(this.dir, 'memory.jsonl'), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout?.on('data', (chunk) => {
      this.stdout += chunk;
    });
    this.child.stderr?.on('data', (chunk) => {
      this.stderr += chunk;
    });
    // 'close', not 'exit': all it said has been read by then.
    this.#exit = once(this.child, 'close').then(([code, signal]) => {
      this.#ended = { code, signal };
      return [code, signal];
    });
  }

  /** Undefined until it has said all it says at start. */
  get url(): string | undefined {
    if (!this.stdout.includes('Ctrl-C stops.')) return undefined;
    return /^Serving .* at (\S+)$/m.exec(this.stdout)?.[1];
  }

  get output(): string {
    return `--- stdout\n${this.stdout}--- stderr\n${this.stderr}`;
  }

  get port(): number {
    return Number(new URL(this.url ?? '').port);
  }

  async health(): Promise<HealthReport> {
    const response = await fetch(new URL('/healthz', this.url));
    return (await response.json()) as HealthReport;
  }

  async upstream(name: string): Promise<HealthReport['upstreams'][number]> {
    const found = (await this.health()).upstreams.find((upstream) => upstream.name === name);
    if (found === undefined) throw new Error(`no upstream "${name}"`);
    return found;
  }

  /** Pids of all stdio children it knows. */
  async pids(): Promise<number[]> {
    return (await this.health()).upstreams.flatMap(({ pid }) => pid ?? []);
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  async exited(): Promise<{ code: number | null; signal: string | null }> {
    await until('the gateway exits', () => this.#ended !== undefined, 30_000).catch((error: Error) => {
      throw new Error(`${error.message}\n${this.output}`);
    });
    return this.#ended as { code: number | null; signal: string | null };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // SIGTERM first, so that it takes its children along.
    this.child.kill('SIGTERM');
    const killer = setTimeout(() => this.child.kill('SIGKILL'), 20_000);
    await this.#exit;
    clearTimeout(killer);
    this.#files[Symbol.dispose]();
  }

  #write(name: string, text: string): string {
    const file = path.join(this.dir, name);
    writeFileSync(file, text);
    return file;
  }
}

/** Waits for a condition, never for a duration; the limit is there to fail, and generous. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  limitMs = 60_000,
): Promise<void> {
  const end = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`waited ${limitMs} ms in vain until ${what}`);
    await delay(20);
  }
}

/** True while a process runs; a zombie that nobody can reap any more does not. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    // No /proc here, or gone meanwhile.
    return process.platform !== 'linux';
  }
}

/** The configuration of a fixture server as a stdio child. */
export function fixture(name: string, ...args: string[]): { command: string; args: string[] } {
  return { command: process.execPath, args: [path.join(import.meta.dirname, '..', 'fixtures', `${name}.ts`), ...args] };
}
