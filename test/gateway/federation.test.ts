import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Registry } from '../../src/engine/index.ts';
import type { UpstreamSpec } from '../../src/gateway/config.ts';
import { Federation } from '../../src/gateway/federation.ts';
import { limits } from '../../src/gateway/limits.ts';
import { Mesh } from '../../src/gateway/mesh.ts';
import { ToolCatalog } from '../../src/gateway/tool-catalog.ts';

/*
 * Tools in the registry: what an upstream registers, how it follows a changed list, and how all threads list it.
 */
const test = suite('federation');
const inputSchema = { type: 'object' as const };

test('tools of several servers are listed in the order of their names, definitions untouched', async () => {
  await using world = await makeWorld();
  const definition = { name: 'echo', title: 'Echo', inputSchema, annotations: { readOnlyHint: true }, 'x-own': [1] };
  world.catalog('zoo').apply([definition]);
  world.catalog('ant').apply([
    { name: 'b', inputSchema },
    { name: 'a', inputSchema },
  ]);
  assert.equal(world.federation.list(), {
    tools: [
      { name: 'ant__a', inputSchema },
      { name: 'ant__b', inputSchema },
      { ...definition, name: 'zoo__echo' },
    ],
  });
});

test('pages follow each other without gap or repetition, also while tools come and go', async () => {
  await using world = await makeWorld();
  const catalog = world.catalog('many');
  const name = (index: number) => `t${String(index).padStart(5, '0')}`;
  const tools = Array.from({ length: 2 * limits.toolsPerPage + 1 }, (_, index) => ({ name: name(index), inputSchema }));
  catalog.apply(tools);
  const first = world.federation.list();
  assert.is(first.tools.length, limits.toolsPerPage);
  // One that was listed goes, as does one that was not.
  catalog.apply(tools.filter((_, index) => index !== 3 && index !== limits.toolsPerPage + 3));
  const second = world.federation.list(first.nextCursor);
  assert.is(second.tools[0].name, `many__${name(limits.toolsPerPage)}`);
  assert.is(second.tools.length, limits.toolsPerPage);
  assert.is(second.nextCursor, undefined);
  assert.not(second.tools.some((tool) => tool.name === `many__${name(limits.toolsPerPage + 3)}`));
});

test('a full page that is the last has no cursor; an empty gateway has no tools', async () => {
  await using world = await makeWorld();
  assert.equal(world.federation.list(), { tools: [] });
  world
    .catalog('a')
    .apply(Array.from({ length: limits.toolsPerPage }, (_, index) => ({ name: `t${index}`, inputSchema })));
  assert.is(world.federation.list().nextCursor, undefined);
});

test('a cursor that is not ours is refused', async () => {
  await using world = await makeWorld();
  for (const cursor of ['', 'a', 'ä', '====', 'YQ=='])
    assert.throws(() => world.federation.list(cursor), /not one of ours/, cursor);
});

test('a changed list is followed: added, changed and removed, and only what changed is written', async () => {
  await using world = await makeWorld();
  const catalog = world.catalog('s');
  assert.is(
    catalog.apply([
      { name: 'a', inputSchema },
      { name: 'b', inputSchema },
    ]),
    true,
  );
  const before = world.registry.whereis('tool', 's__a')?.version;
  assert.is(
    catalog.apply([
      { name: 'b', inputSchema },
      { name: 'a', inputSchema },
    ]),
    false,
  );
  assert.is(
    catalog.apply([
      { name: 'a', inputSchema },
      { name: 'b', inputSchema, description: 'new' },
      { name: 'c', inputSchema },
    ]),
    true,
  );
  assert.is(world.registry.whereis('tool', 's__a')?.version, before);
  assert.equal(
    world.federation.list().tools.map(({ name, description }) => [name, description]),
    [
      ['s__a', undefined],
      ['s__b', 'new'],
      ['s__c', undefined],
    ],
  );
  assert.is(catalog.apply([{ name: 'c', inputSchema }]), true);
  assert.equal(
    world.federation.list().tools.map(({ name }) => name),
    ['s__c'],
  );
  assert.is(catalog.definition('a'), undefined);
  assert.is(catalog.size, 1);
});

test('a tool that is too large is left out with a warning, also when it grows later', async () => {
  await using world = await makeWorld();
  const catalog = world.catalog('s');
  const large = { name: 'a', inputSchema, description: 'x'.repeat(limits.toolConfigBytesMax) };
  catalog.apply([large, { name: 'b', inputSchema }]);
  assert.equal(
    world.federation.list().tools.map(({ name }) => name),
    ['s__b'],
  );
  catalog.apply([
    { name: 'a', inputSchema },
    { name: 'b', inputSchema },
  ]);
  assert.is(world.federation.list().tools.length, 2);
  catalog.apply([large, { name: 'b', inputSchema }]);
  assert.equal(
    world.federation.list().tools.map(({ name }) => name),
    ['s__b'],
  );
  assert.is(world.warnings.length, 2);
  assert.match(world.warnings[0], /tool "a" is left out: .*262144/);
});

test('when the owner closes, all tools of its server are gone at once', async () => {
  await using world = await makeWorld();
  const owner = world.registry.owner();
  world.catalog('a', owner).apply([
    { name: 'x', inputSchema },
    { name: 'y', inputSchema },
  ]);
  world.catalog('b').apply([{ name: 'x', inputSchema }]);
  owner.close();
  assert.equal(
    world.federation.list().tools.map(({ name }) => name),
    ['b__x'],
  );
});

async function makeWorld() {
  const registry = await Registry.open({ configBytesMax: limits.toolConfigBytesMax });
  const mesh = new Mesh({ self: 0, serve: () => Promise.reject(new Error('nobody')), onToolsChanged: () => {} });
  const federation = new Federation({ registry, mesh, callTimeouts: new Map() });
  const warnings: string[] = [];
  const catalog = (name: string, owner = registry.owner()) => {
    const spec: UpstreamSpec = {
      name,
      slug: name,
      callTimeoutMs: 1_000,
      transport: { type: 'http', url: 'http://x', headers: {} },
    };
    return new ToolCatalog(registry, spec, owner, (text) => warnings.push(text));
  };
  return { registry, federation, catalog, warnings, [Symbol.asyncDispose]: () => registry.close() };
}

test.run();
