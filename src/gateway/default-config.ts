import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { UpstreamSpec } from './config.ts';
import { entryUrl } from './entry-url.ts';
import { limits } from './limits.ts';

export interface DefaultConfig {
  upstreams: UpstreamSpec[];
  /** What the user should know: where data goes, what could not be found. */
  notes: string[];
}

/**
 * What the gateway serves when it is given no configuration: two well-known servers from npm and a calculator of ours,
 * all as stdio children.
 */
export function defaultConfig(env: Record<string, string | undefined> = process.env): DefaultConfig {
  const notes: string[] = [];
  const upstreams = [stdio('calculator', [fileURLToPath(entryUrl('calculator-server'))])];
  const add = (name: string, packageName: string, args: string[], childEnv: () => Record<string, string>): void => {
    try {
      upstreams.push(stdio(name, [packageBin(packageName), ...args], childEnv()));
    } catch {
      notes.push(`${packageName} is not installed, so "${name}" is left out (npm install ${packageName})`);
    }
  };
  add('everything', '@modelcontextprotocol/server-everything', ['stdio'], () => ({}));
  add('memory', '@modelcontextprotocol/server-memory', [], () => {
    const file = memoryFile(env);
    notes.push(`"memory" keeps its graph in ${file} (set MEMORY_FILE_PATH for another place)`);
    return { MEMORY_FILE_PATH: file };
  });
  return { upstreams, notes };
}

function stdio(name: string, args: string[], env: Record<string, string> = {}): UpstreamSpec {
  const transport = { type: 'stdio', command: process.execPath, args, env } as const;
  return { name, slug: name, callTimeoutMs: limits.callTimeoutMs, transport };
}

function packageBin(packageName: string): string {
  const manifestFile = createRequire(import.meta.url).resolve(`${packageName}/package.json`);
  const { bin } = JSON.parse(readFileSync(manifestFile, 'utf8')) as { bin: string | Record<string, string> };
  const entry = typeof bin === 'string' ? bin : Object.values(bin)[0];
  return join(dirname(manifestFile), entry);
}

/** The server's own default lies inside its package, where the next install would delete it. */
function memoryFile(env: Record<string, string | undefined>): string {
  if (env.MEMORY_FILE_PATH) return resolve(env.MEMORY_FILE_PATH);
  const folder = join(dataFolder(env), 'rollcall');
  try {
    mkdirSync(folder, { recursive: true });
    return join(folder, 'memory.jsonl');
  } catch {
    return join(tmpdir(), 'rollcall-memory.jsonl');
  }
}

function dataFolder(env: Record<string, string | undefined>): string {
  if (process.platform === 'win32' && env.LOCALAPPDATA) return env.LOCALAPPDATA;
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Application Support');
  return env.XDG_DATA_HOME || join(homedir(), '.local', 'share');
}
