import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Registry } from '../../src/engine/index.ts';
import { Thread } from '../support/threads.ts';

const test = suite('automatic groups');

const registry = await Registry.open();
test.after(() => registry.close());
test.after.each(() => {
  for (const kind of ['server', 'transport']) {
    for (const { id } of [...registry.list(kind)]) registry.unregister(kind, id);
  }
});

const idsOf = (group: string): string[] =>
  registry.groups
    .members(group)
    .map(({ id = '' }) => id)
    .toSorted();
const serverGroups = (): string[][] =>
  ['mcp_all_servers', 'mcp_tool_servers', 'mcp_resource_servers', 'mcp_prompt_servers'].map(idsOf);
const withCapabilities = (...names: string[]): object => ({
  capabilities: Object.fromEntries(names.map((name) => [name, {}])),
});

test('nothing is in them before anything is registered', async () => {
  await using fresh = await Registry.open();
  assert.equal(fresh.groups.members('mcp_all_servers'), []);
  assert.equal(fresh.groups.members('mcp_all_transports'), []);
  assert.equal(fresh.groups.list(), []);
});

test('a server is in the groups of its capabilities, through registration, update and unregistration', () => {
  const server = registry.register('server', 'a', { config: withCapabilities('tools', 'prompts') });
  assert.equal(serverGroups(), [['a'], ['a'], [], ['a']]);
  registry.register('server', 'b', { config: withCapabilities('resources') });
  assert.equal(serverGroups(), [['a', 'b'], ['a'], ['b'], ['a']]);
  server.update(withCapabilities('resources'));
  assert.equal(serverGroups(), [['a', 'b'], [], ['a', 'b'], []]);
  server.update(undefined);
  assert.equal(serverGroups(), [['a', 'b'], [], ['b'], []]);
  server.unregister();
  assert.equal(serverGroups(), [['b'], [], ['b'], []]);
  assert.equal(registry.groups.list(), ['mcp_all_servers', 'mcp_resource_servers']);
});

test('every transport is in the group of transports, and no server is', () => {
  registry.register('transport', 'tcp', { config: withCapabilities('tools') });
  registry.register('server', 'a');
  assert.equal(idsOf('mcp_all_transports'), ['tcp']);
  assert.equal(idsOf('mcp_tool_servers'), []);
});

test('a capability is a key with a value, whatever else the config is', () => {
  const configs: [object | string | null | number[], boolean][] = [
    [{ capabilities: { tools: {} } }, true],
    [{ capabilities: { tools: { listChanged: true } } }, true],
    [{ capabilities: { tools: true } }, true],
    [{ capabilities: { tools: false } }, false],
    [{ capabilities: { tools: null } }, false],
    [{ capabilities: {} }, false],
    [{ capabilities: 'tools' }, false],
    [{ capabilities: null }, false],
    [{ tools: {} }, false],
    ['tools', false],
    [null, false],
    [[1], false],
  ];
  for (const [config, isMember] of configs) {
    registry.registerOrUpdate('server', 'a', { config });
    assert.equal(idsOf('mcp_tool_servers'), isMember ? ['a'] : [], JSON.stringify(config));
  }
});

test('members say who serves the name; one array until that changes', () => {
  const owner = registry.owner();
  registry.register('server', 'a', { owner, config: withCapabilities('tools') });
  const members = registry.groups.members('mcp_tool_servers');
  assert.ok(Object.isFrozen(members) && Object.isFrozen(members[0]));
  assert.equal(members[0], { owner: registry.whereis('server', 'a')?.owner, kind: 'server', id: 'a' });
  registry.register('server', 'b');
  registry.update('server', 'a', withCapabilities('tools', 'prompts'));
  assert.is(registry.groups.members('mcp_tool_servers'), members);
  owner.close();
  assert.equal(idsOf('mcp_tool_servers'), []);
  assert.equal(idsOf('mcp_all_servers'), ['b']);
});

test('the servers of a thread go with it, and a successor comes in', async () => {
  await using thread = await Thread.start(registry.handle);
  await thread.run(({ registry }) => {
    registry.register('server', 'a', { config: { capabilities: { tools: {} } } });
    registry.register('server', 'b', { config: { capabilities: { tools: {} } } });
  });
  assert.equal(idsOf('mcp_tool_servers'), ['a', 'b']);
  assert.equal(registry.groups.localMembers('mcp_tool_servers'), []);
  await thread.end();
  assert.equal(idsOf('mcp_tool_servers'), []);
  registry.register('server', 'a', { config: withCapabilities('tools') });
  assert.equal(idsOf('mcp_tool_servers'), ['a']);
  assert.is(registry.groups.localMembers('mcp_tool_servers').length, 1);
});

test.run();
