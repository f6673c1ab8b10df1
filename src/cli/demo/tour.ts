import { AlreadyRegisteredError, Registry } from '../../engine/index.ts';
import { comparison } from './comparison.ts';
import { failover } from './failover.ts';
import type { Report } from './report.ts';
import { type Capability, capabilitiesOf, configOf, type ServerId, serverIds, serversOf } from './servers.ts';
import { DemoThread } from './thread.ts';

export const threadNames = ['server-1', 'server-2', 'server-3', 'standby', 'client-1', 'client-2'] as const;
export type ThreadName = (typeof threadNames)[number];

/** What the steps share. */
export interface Tour {
  readonly report: Report;
  readonly registry: Registry;
  readonly threads: Readonly<Record<ThreadName, DemoThread>>;
  /** What the main thread would know without a registry: threads by server, asked for by messages. */
  readonly map: Map<string, number>;
  /** Woken when the main thread may go on. */
  readonly done: Int32Array;
}

const groups: readonly (readonly [group: string, capability: Capability | undefined])[] = [
  ['mcp_all_servers', undefined],
  ['mcp_tool_servers', 'tools'],
  ['mcp_resource_servers', 'resources'],
  ['mcp_prompt_servers', 'prompts'],
];

/** The whole tour. Leaves no thread behind, however it ends. */
export async function takeTour(report: Report): Promise<void> {
  await using registry = await Registry.open();
  await using stack = new AsyncDisposableStack();
  const map = new Map<string, number>();
  const done = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const start = async (name: ThreadName) => {
    return [name, stack.use(await DemoThread.start(registry, name, map, done))] as const;
  };
  const started = await Promise.all(threadNames.map(start));
  const threads = Object.fromEntries(started) as Record<ThreadName, DemoThread>;
  const tour: Tour = { report, registry, threads, map, done };
  for (const step of [servers, lookups, automaticGroups, bindings, messages, failover, comparison]) await step(tour);
}

async function servers({ report, registry, threads, map }: Tour): Promise<void> {
  report.step('Six MCP servers, registered by three threads');
  const rows: string[][] = [];
  for (const [name, ids] of Object.entries(serversOf) as [keyof typeof serversOf, readonly ServerId[]][]) {
    await threads[name].ask('serve', ids);
    for (const id of ids) {
      map.set(id, threads[name].id);
      rows.push([id, capabilitiesOf[id].join(', '), `${name} (thread ${threads[name].id})`]);
    }
  }
  report.table(['server', 'capabilities', 'served by'], rows);
  report.check('each is owned by the thread that serves it', ownersOf(registry), Object.fromEntries(map));

  const taken = registry.tryRegister('server', 'calculator');
  const refusal = taken.ok ? 'none' : taken.error;
  if (refusal instanceof AlreadyRegisteredError) report.say(`a second calculator? ${refusal.message}`);
  const refusedFor = refusal instanceof AlreadyRegisteredError ? refusal.owner.threadId : refusal;
  report.check('a second calculator is refused, and the first one named', refusedFor, threads['server-1'].id);
}

async function lookups({ report, threads, map }: Tour): Promise<void> {
  report.step('Lookups from other threads, by shared memory: nobody is asked');
  const expected = serverIds.map((id) => ({ id, threadId: map.get(id) }));
  for (const client of ['client-1', 'client-2'] as const) {
    const found = await threads[client].ask('lookUp', serverIds);
    report.check(`${client} (thread ${threads[client].id}) finds all six, with their owners`, found, expected);
    await threads[client].ask('copy'); // for later
  }
  report.check('a name that nobody has is not found', await threads['client-1'].ask('lookUp', ['billing']), []);
}

async function automaticGroups({ report, registry, threads }: Tour): Promise<void> {
  report.step('Groups by capability, which nobody has to join');
  const client = threads['client-1'];
  for (const [group, capability] of groups) {
    const members = await client.ask('members', group);
    const expected = serverIds.filter((id) => capability === undefined || capabilitiesOf[id].includes(capability));
    report.check(`${group.padEnd(20)} ${members.join(', ')}`, members, expected.toSorted());
  }
  registry.update('server', 'weather', configOf(['tools', 'resources']));
  const members = await client.ask('members', 'mcp_resource_servers');
  report.check('weather is given resources: it is a member at once', members.includes('weather'), true);
}

async function bindings({ report, registry, threads }: Tour): Promise<void> {
  report.step('Transports, bound to servers');
  registry.register('transport', 'stdio-1');
  registry.bindings.bind('stdio-1', 'calculator');
  registry.register('transport', 'http-8080', { config: { server_id: 'calculator' } });
  const client = threads['client-2'];
  const servers = await client.ask('bindings', ['stdio-1', 'http-8080']);
  report.check('stdio-1 is bound by bind, http-8080 by its config', servers, ['calculator', 'calculator']);
  const transports = await client.ask('transportsOf', 'calculator');
  report.check(`the other way round: calculator has ${transports.join(', ')}`, transports, ['http-8080', 'stdio-1']);
}

async function messages({ report, threads }: Tour): Promise<void> {
  report.step('Messages and calls, from any thread to whoever has a name');
  const client = threads['client-1'];
  const message = { note: 'hello' };
  const answer = await client.ask('route', { id: 'documents', message });
  report.check('a message routed to documents arrives, and is answered', answer, { server: 'documents', got: message });
  const sum = await client.ask('call', { id: 'calculator', request: { add: [5, 3] } });
  report.check('a call: calculator adds 5 and 3', sum, 8);
  const told = await client.ask('broadcast', { group: 'mcp_tool_servers', message });
  const expected = ['assistant', 'calculator', 'database', 'weather'];
  report.check(`a broadcast to mcp_tool_servers: ${told.join(', ')}`, told, expected);
}

/** Who owns each server, as this thread sees it. */
const ownersOf = (registry: Registry): Record<string, number> =>
  Object.fromEntries(serverIds.map((id) => [id, registry.whereis('server', id)?.owner.threadId ?? Number.NaN]));
