import type { Tool } from '@modelcontextprotocol/client';
import {
  type Entry,
  type JsonValue,
  type Owner,
  type Registration,
  type Registry,
  RegistryError,
} from '../engine/index.ts';
import type { UpstreamSpec } from './config.ts';
import { kinds } from './messages.ts';
import { exposedName } from './naming.ts';

/** What the registry keeps about a tool: enough for any thread to list it, and to find who serves it. */
export interface ToolConfig {
  server: string;
  /** Its name at its server. */
  tool: string;
  /** Its definition as the server gave it, name included. */
  definition: Tool;
}

export function toolConfig(entry: Entry): ToolConfig {
  return entry.config as unknown as ToolConfig;
}

interface Held {
  registration: Registration;
  definition: Tool;
  json: string;
}

/** The tools of one upstream connection, kept in the registry under that connection's owner. */
export class ToolCatalog {
  readonly #registry: Registry;
  readonly #spec: UpstreamSpec;
  readonly #owner: Owner;
  readonly #warn: (text: string) => void;
  readonly #held = new Map<string, Held>();

  constructor(registry: Registry, spec: UpstreamSpec, owner: Owner, warn: (text: string) => void) {
    this.#registry = registry;
    this.#spec = spec;
    this.#owner = owner;
    this.#warn = warn;
  }

  get size(): number {
    return this.#held.size;
  }

  /** The tool as the server last described it. */
  definition(tool: string): Tool | undefined {
    return this.#held.get(tool)?.definition;
  }

  /** Makes the registry hold exactly these tools; what did not change is not touched. True if anything changed. */
  apply(tools: Tool[]): boolean {
    const wanted = new Map(tools.map((tool) => [tool.name, tool]));
    let changed = false;
    for (const [name, { registration }] of this.#held) {
      if (wanted.has(name)) continue;
      registration.unregister();
      this.#held.delete(name);
      changed = true;
    }
    for (const [name, definition] of wanted) changed = this.#put(name, definition) || changed;
    return changed;
  }

  #put(name: string, definition: Tool): boolean {
    const json = JSON.stringify(definition);
    const held = this.#held.get(name);
    if (held?.json === json) return false;
    const config = { server: this.#spec.name, tool: name, definition: definition as unknown as JsonValue };
    try {
      if (held === undefined) {
        const id = exposedName(this.#spec.slug, name);
        const registration = this.#registry.register(kinds.tool, id, { config, owner: this.#owner });
        this.#held.set(name, { registration, definition, json });
      } else {
        held.registration.update(config);
        this.#held.set(name, { ...held, definition, json });
      }
      return true;
    } catch (error) {
      if (!(error instanceof RegistryError) || !skippable.has(error.code)) throw error;
      this.#warn(`tool "${name}" is left out: ${error.message}`);
      // An update that was refused would leave the old definition, which no longer holds.
      held?.registration.unregister();
      return this.#held.delete(name);
    }
  }
}

/** One tool that cannot be registered is that tool's misfortune, not its server's. */
const skippable: ReadonlySet<string> = new Set([
  'CONFIG_TOO_LARGE',
  'INVALID_CONFIG',
  'ALREADY_REGISTERED',
  'TABLE_FULL',
]);
