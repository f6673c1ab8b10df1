import type { Owner, Registry } from '../../engine/index.ts';

export type ServerId = 'calculator' | 'weather' | 'documents' | 'database' | 'templates' | 'assistant';
export type Capability = 'tools' | 'resources' | 'prompts';

/** The MCP servers of the tour, and what they can do. */
export const capabilitiesOf: Readonly<Record<ServerId, readonly Capability[]>> = {
  calculator: ['tools'],
  weather: ['tools'],
  documents: ['resources'],
  database: ['tools', 'resources'],
  templates: ['prompts'],
  assistant: ['tools', 'resources', 'prompts'],
};
export const serverIds = Object.keys(capabilitiesOf) as ServerId[];

/** Those that serve in each thread. */
export const serversOf = {
  'server-1': ['calculator', 'weather'],
  'server-2': ['documents', 'database'],
  'server-3': ['templates', 'assistant'],
} as const satisfies Readonly<Record<string, readonly ServerId[]>>;

/** As MCP says it: what a server can do has an object, which may be empty. */
export const configOf = (capabilities: readonly Capability[]): { capabilities: Record<string, object> } => ({
  capabilities: Object.fromEntries(capabilities.map((capability) => [capability, {}])),
});

/** What a server answers to a message. */
export interface Answer {
  readonly server: string;
  readonly got: unknown;
}

interface Sum {
  readonly add: readonly [number, number];
}

/** Has `owner` answer messages and calls, as the server of that name; the name itself is for the caller to register. */
export function startServer({ messages }: Registry, server: ServerId, owner: Owner): void {
  messages.receive((got, { from }) => messages.routeTo(from, { server, got } satisfies Answer), { owner });
  messages.serve(({ add: [a, b] }: Sum) => a + b, { owner });
}
