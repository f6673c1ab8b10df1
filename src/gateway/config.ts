import { isAbsolute, resolve } from 'node:path';
import { expandVariables } from './config-expand.ts';
import { GatewayError } from './errors.ts';
import { limits } from './limits.ts';
import { serverSlug } from './naming.ts';

/** One upstream as configured, checked and expanded: plain data, it travels to its thread. */
export interface UpstreamSpec {
  /** The name in the configuration. */
  name: string;
  /** The first part of the names of its tools. */
  slug: string;
  callTimeoutMs: number;
  transport: StdioSpec | HttpSpec;
}

export interface StdioSpec {
  type: 'stdio';
  command: string;
  args: string[];
  env: Record<string, string>;
  cwd?: string;
}

export interface HttpSpec {
  type: 'http';
  url: string;
  headers: Record<string, string>;
}

export interface ConfigSource {
  /** For messages, and the folder that a relative `cwd` starts from. */
  file: string;
  env: Record<string, string | undefined>;
}

/**
 * Reads an mcp.json: `{ "mcpServers": { name: { command, args?, env?, cwd? } | { url, headers? } } }`.
 *
 * Unknown keys are left alone, because such files are shared with other programs. `disabled: true` leaves a server out.
 * `${VAR}` and `${VAR:-default}` are replaced in every string that is used. One key is ours: `callTimeoutMs`.
 * @throws {GatewayError} `BAD_CONFIG`, naming every wrong value by its path and what was expected there.
 */
export function parseConfig(text: string, source: ConfigSource): UpstreamSpec[] {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw new GatewayError('BAD_CONFIG', `${source.file}: not valid JSON: ${(error as Error).message}`);
  }
  const reader = new Reader(source);
  const specs = reader.servers(document);
  if (reader.problems.length > 0) {
    throw new GatewayError('BAD_CONFIG', reader.problems.map((problem) => `${source.file}: ${problem}`).join('\n'));
  }
  return specs;
}

class Reader {
  readonly problems: string[] = [];
  readonly #source: ConfigSource;

  constructor(source: ConfigSource) {
    this.#source = source;
  }

  servers(document: unknown): UpstreamSpec[] {
    const root = this.#object(document, 'the document');
    if (root === undefined) return [];
    const servers = this.#object(root.mcpServers, 'mcpServers');
    if (servers === undefined) return [];
    const specs = Object.entries(servers).flatMap(([name, value]) => this.#server(name, value) ?? []);
    if (specs.length === 0 && this.problems.length === 0)
      this.#problem('mcpServers', 'at least one enabled server', 'none');
    if (specs.length > limits.upstreamsMax) {
      this.#problem('mcpServers', `at most ${limits.upstreamsMax} servers`, `${specs.length}`);
    }
    this.#uniqueSlugs(specs);
    return specs;
  }

  #server(name: string, value: unknown): UpstreamSpec | undefined {
    const path = `mcpServers.${name}`;
    const bytes = Buffer.byteLength(name);
    if (bytes === 0 || bytes > limits.serverNameBytesMax || !name.isWellFormed()) {
      this.#problem(
        path,
        `a name of 1 to ${limits.serverNameBytesMax} UTF-8 bytes of well-formed Unicode`,
        `${bytes} bytes`,
      );
      return undefined;
    }
    const server = this.#object(value, path);
    if (server === undefined || server.disabled === true) return undefined;
    const before = this.problems.length;
    const transport = this.#transport(server, path);
    const callTimeoutMs = this.#callTimeout(server.callTimeoutMs, `${path}.callTimeoutMs`);
    if (transport === undefined || this.problems.length > before) return undefined;
    return { name, slug: serverSlug(name), callTimeoutMs, transport };
  }

  #transport(server: Fields, path: string): StdioSpec | HttpSpec | undefined {
    if (server.command !== undefined && server.url !== undefined) {
      this.#problem(path, 'either "command" or "url"', 'both');
      return undefined;
    }
    if (server.type === 'sse') {
      this.#problem(`${path}.type`, '"stdio" or "http" (the HTTP+SSE transport of 2024 is not spoken here)', '"sse"');
      return undefined;
    }
    if (server.url !== undefined) return this.#http(server, path);
    if (server.command !== undefined) return this.#stdio(server, path);
    this.#problem(path, '"command" (a program to start) or "url" (a server to reach)', 'neither');
    return undefined;
  }

  #stdio(server: Fields, path: string): StdioSpec {
    const before = this.problems.length;
    const command = this.#string(server.command, `${path}.command`);
    if (command === '' && this.problems.length === before)
      this.#problem(`${path}.command`, 'a program', 'an empty string');
    const spec: StdioSpec = {
      type: 'stdio',
      command,
      args: this.#strings(server.args, `${path}.args`),
      env: this.#record(server.env, `${path}.env`),
    };
    if (server.cwd === undefined) return spec;
    const cwd = this.#string(server.cwd, `${path}.cwd`);
    return { ...spec, cwd: isAbsolute(cwd) ? cwd : resolve(this.#source.file, '..', cwd) };
  }

  #http(server: Fields, path: string): HttpSpec {
    const before = this.problems.length;
    const url = this.#string(server.url, `${path}.url`);
    const protocol = URL.parse(url)?.protocol;
    if (protocol !== 'http:' && protocol !== 'https:' && this.problems.length === before)
      this.#problem(`${path}.url`, 'an http or https URL', describe(url));
    const headers = this.#record(server.headers, `${path}.headers`);
    for (const [name, value] of Object.entries(headers)) {
      try {
        new Headers([[name, value]]);
      } catch {
        this.#problem(`${path}.headers.${name}`, 'a legal HTTP header', 'one that is not');
      }
    }
    return { type: 'http', url, headers };
  }

  #callTimeout(value: unknown, path: string): number {
    if (value === undefined) return limits.callTimeoutMs;
    if (Number.isInteger(value) && (value as number) > 0 && (value as number) <= limits.callTimeoutMsMax) {
      return value as number;
    }
    this.#problem(path, `whole milliseconds from 1 to ${limits.callTimeoutMsMax}`, describe(value));
    return limits.callTimeoutMs;
  }

  #uniqueSlugs(specs: UpstreamSpec[]): void {
    const seen = new Map<string, string>();
    for (const { name, slug } of specs) {
      const other = seen.get(slug);
      if (other !== undefined)
        this.#problem(`mcpServers.${name}`, `another name: its tools would be named like those of "${other}"`, slug);
      seen.set(slug, name);
    }
  }

  #object(value: unknown, path: string): Fields | undefined {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
    this.#problem(path, 'an object', describe(value));
    return undefined;
  }

  #string(value: unknown, path: string): string {
    if (typeof value !== 'string') {
      this.#problem(path, 'a string', describe(value));
      return '';
    }
    const expanded = expandVariables(value, this.#source.env);
    for (const name of expanded.missing) {
      this.#problem(path, `the environment variable ${name}, or a default: \${${name}:-default}`, 'none set');
    }
    return expanded.text;
  }

  #strings(value: unknown, path: string): string[] {
    if (value === undefined) return [];
    if (Array.isArray(value)) return value.map((item, index) => this.#string(item, `${path}[${index}]`));
    this.#problem(path, 'an array of strings', describe(value));
    return [];
  }

  #record(value: unknown, path: string): Record<string, string> {
    if (value === undefined) return {};
    const entries = Object.entries(this.#object(value, path) ?? {});
    return Object.fromEntries(entries.map(([key, item]) => [key, this.#string(item, `${path}.${key}`)]));
  }

  #problem(path: string, expected: string, got: string): void {
    this.problems.push(`${path}: expected ${expected}, got ${got}`);
  }
}

type Fields = Record<string, unknown>;

function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object') return 'an object';
  // Values may be secrets: numbers and booleans are shown, strings are not.
  return typeof value === 'string' ? 'a string' : `the ${typeof value} ${value}`;
}
