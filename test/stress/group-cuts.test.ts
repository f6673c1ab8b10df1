// @timeout 180
// Calls about groups that a `vm` time-out cuts off in this thread, which lives on: whatever a view had learnt by half is learnt
// anew, and who watches hears of the last state.
import { createContext, Script } from 'node:vm';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type GroupMember, Registry } from '../../src/engine/index.ts';
import { auditOnceSwept } from '../support/bookkeeping.ts';
import { until } from '../support/waiting.ts';

const test = suite('group cuts');
const CUTS = 300;

const keys = (members: readonly GroupMember[]): string[] =>
  members.map(({ owner, id }) => `${owner.slot}.${owner.epoch} ${id}`).toSorted();

test('a view that is cut off while it catches up is right the next time', async () => {
  await using registry = await Registry.open({ shards: 1 });
  const writer = Registry.attach(registry.handle);
  const owners = Array.from({ length: 40 }, () => writer.owner());
  for (const [n, owner] of owners.entries()) writer.register('server', `${n}`, { owner });
  const script = new Script(`for (let n = 0; ; n++) {
    const owner = owners[n % owners.length];
    writer.groups.leave('g', { owner });
    registry.groups.members('g');
    registry.groups.members('mcp_all_servers');
    writer.groups.join('g', { owner });
    writer.groups.join('g', { owner, kind: 'server', id: String(n % owners.length) });
    registry.groups.members('g');
    writer.update('server', String(n % owners.length), n);
  }`);
  const context = createContext({ registry, writer, owners });
  let last: readonly GroupMember[] = [];
  const following = (async () => {
    for await (const members of registry.groups.watch('g')) last = members;
  })();
  for (let cuts = 0; cuts < CUTS; cuts++) {
    try {
      script.runInContext(context, { timeout: 1 });
    } catch (error) {
      if ((error as { code?: string }).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
    }
    const fresh = Registry.attach(registry.handle);
    assert.equal(keys(registry.groups.members('g')), keys(fresh.groups.members('g')));
    assert.equal(keys(registry.groups.members('mcp_all_servers')), keys(fresh.groups.members('mcp_all_servers')));
    await fresh.close();
  }
  writer.groups.join('g');
  await until('the last state is told', () => keys(last).join() === keys(registry.groups.members('g')).join());
  await writer.close();
  await until('the end of all is told', () => last.length === 0);
  await auditOnceSwept(registry.handle);
  await registry.close();
  await following;
});

test.run();
