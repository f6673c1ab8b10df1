import { serverIds, serversOf } from './servers.ts';
import { TIMEOUT_MS } from './thread.ts';
import type { Tour } from './tour.ts';

/** A thread is killed. Who asks for what it served finds nobody, then the one that has taken over. */
export async function failover({ report, registry, threads, map }: Tour): Promise<void> {
  report.step('Failover: the thread of calculator and weather is killed');
  const [dying, standby, client] = [threads['server-1'], threads.standby, threads['client-1']];
  await standby.ask('standBy', 'calculator');
  report.say(`standby (thread ${standby.id}) waits for calculator; a watch on calculator tells:`);
  const watched = watchOwners({ registry, report }, standby.id);
  await watched.first;
  const monitor = registry.monitor({ kind: 'server', id: 'calculator' }, { tag: 'calculator' });

  const startedMs = performance.now();
  await dying.kill();
  const owner = await client.ask('awaitName', 'calculator');
  const sum = await client.ask('call', { id: 'calculator', request: { add: [5, 3] } });
  const tookMs = performance.now() - startedMs;

  report.check('the watch ends with the new owner', (await watched.owners).at(-1), standby.id);
  report.check('a client that waits for the name has it, too', owner, standby.id);
  report.check(`and calls it: 5 + 3 again, ${tookMs.toFixed(1)} ms after the kill began`, sum, 8);
  const { tag, reason } = await monitor.down;
  report.check(`a monitor told the reason: ${reason}`, { tag, reason }, { tag: 'calculator', reason: 'thread exit' });
  const tools = await client.ask('members', 'mcp_tool_servers');
  report.check('groups know: weather has left', tools, ['assistant', 'calculator', 'database']);
  const bound = await client.ask('bindings', ['stdio-1', 'http-8080']);
  report.check('bindings know: stdio-1 has none, http-8080 names whoever it is', bound, [undefined, 'calculator']);
  const copied = await client.ask('lookUpInCopy', 'calculator');
  report.check(`a Map that was copied does not: it still says thread ${dying.id}`, copied, map.get('calculator'));

  const waiting = client.ask('awaitName', 'weather');
  await standby.ask('serve', ['weather']);
  report.check('weather registers anew in another thread, and who waited for it finds it', await waiting, standby.id);
  for (const id of serversOf['server-1']) map.set(id, standby.id);
  const found = await client.ask('lookUp', serverIds);
  report.check('all six are there again', new Map(found.map(({ id, threadId }) => [id, threadId])), map);
}

/** Watches calculator until `last` owns it. */
function watchOwners({ registry, report }: Pick<Tour, 'registry' | 'report'>, last: number) {
  const first = Promise.withResolvers<void>();
  const owners = (async () => {
    const seen: (number | undefined)[] = [];
    for await (const entry of registry.watch('server', 'calculator', { signal: AbortSignal.timeout(TIMEOUT_MS) })) {
      const owner = entry?.owner.threadId;
      seen.push(owner);
      report.say(`  calculator: ${owner === undefined ? 'nobody' : `thread ${owner}`}`);
      first.resolve();
      if (owner === last) break;
    }
    return seen;
  })();
  return { first: first.promise, owners };
}
