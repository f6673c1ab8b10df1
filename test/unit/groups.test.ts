import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type GroupMember, Registry } from '../../src/engine/index.ts';
import { limits } from '../../src/shared/limits.ts';
import { NameKey } from '../../src/shared/name-key.ts';
import { auditOnceSwept, total } from '../support/bookkeeping.ts';
import { codeOf } from '../support/errors.ts';
import { Thread } from '../support/threads.ts';
import { until } from '../support/waiting.ts';

const test = suite('groups');

const throwsCode = (call: () => unknown, code: string): void => assert.is(codeOf(call), code);
const ownersOf = (members: readonly GroupMember[]): string[] =>
  members.map(({ owner }) => `${owner.slot}.${owner.epoch}`).toSorted();
const key = ({ slot, epoch }: { slot: number; epoch: number }): string => `${slot}.${epoch}`;

test('who joins is a member until it leaves; the last one takes the group along', async () => {
  await using registry = await Registry.open();
  const { groups } = registry;
  const [one, other] = [registry.owner(), registry.owner()];
  assert.equal(groups.members('g'), []);
  const membership = groups.join('g', { owner: one });
  groups.join('g', { owner: other });
  assert.equal(ownersOf(groups.members('g')), [key(one), key(other)].toSorted());
  assert.equal(groups.list(), ['g']);
  assert.ok(membership.active);
  assert.ok(membership.leave());
  assert.not(membership.leave());
  assert.not(membership.active);
  assert.equal(ownersOf(groups.members('g')), [key(other)]);
  assert.ok(groups.leave('g', { owner: other }));
  assert.not(groups.leave('g', { owner: other }));
  assert.equal(groups.members('g'), []);
  assert.equal(groups.list(), []);
  await auditOnceSwept(registry.handle);
});

test('to join twice is to join once', async () => {
  await using registry = await Registry.open();
  const first = registry.groups.join('g');
  const again = registry.groups.join('g');
  assert.is(registry.groups.members('g').length, 1);
  assert.ok(first.active && again.active, 'both are the one membership');
  assert.ok(registry.groups.leave('g'));
  assert.not(first.active || again.active);
});

test('members are one frozen array until one comes or goes, whatever else changes', async () => {
  await using registry = await Registry.open({ shards: 1 });
  registry.groups.join('g');
  const members = registry.groups.members('g');
  assert.ok(Object.isFrozen(members) && Object.isFrozen(members[0]));
  registry.register('server', 'a', { config: 1 });
  registry.update('server', 'a', 2);
  registry.groups.join('another');
  registry.groups.join('g');
  assert.is(registry.groups.members('g'), members);
  registry.groups.join('g', { owner: registry.owner() });
  assert.is(registry.groups.members('g').length, 2);
});

test('that a group has no members is known until one comes, of so many groups', async () => {
  await using registry = await Registry.open();
  const reads = (act: () => unknown): number => {
    const { encode } = NameKey.prototype;
    let count = 0;
    NameKey.prototype.encode = function (kind, name) {
      count++;
      encode.call(this, kind, name);
    };
    try {
      act();
    } finally {
      NameKey.prototype.encode = encode;
    }
    return count;
  };
  const ask = () => registry.groups.members('nobody');
  assert.equal(ask(), []);
  assert.is(reads(ask), 0);
  registry.groups.join('nobody');
  assert.is(ask().length, 1);
  registry.groups.leave('nobody');
  assert.equal(ask(), []);
  assert.is(reads(ask), 0);
  for (let n = 0; n < limits.emptyGroupsKnownMax; n++) registry.groups.members(`another ${n}`);
  assert.is(reads(ask), 1, 'it was forgotten for others');
});

test('a member that dies is none; its thread takes it along', async () => {
  await using registry = await Registry.open();
  const { groups } = registry;
  await using thread = await Thread.start(registry.handle);
  const remote = await thread.run(({ registry, kept }) => {
    kept.session = registry.owner();
    registry.groups.join('g', { owner: kept.session });
    registry.groups.join('g');
    return { threadId: registry.groups.localMembers('g')[0].owner.threadId, all: registry.groups.members('g').length };
  });
  assert.is(remote.all, 2);
  const mine = registry.owner();
  groups.join('g', { owner: mine });
  assert.is(groups.members('g').length, 3);
  assert.equal(ownersOf(groups.localMembers('g')), [key(mine)]);
  assert.is(groups.members('g').filter(({ owner }) => owner.threadId === remote.threadId).length, 2);
  await thread.run(({ kept }) => kept.session.close());
  assert.is(groups.members('g').length, 2);
  await thread.end();
  assert.equal(ownersOf(groups.members('g')), [key(mine)]);
  mine.close();
  assert.equal(groups.members('g'), []);
  assert.equal(groups.list(), []);
  await auditOnceSwept(registry.handle);
  await until('memberships of the dead are swept', () => total(registry.partitionStats()).entries === 0);
});

test('every Unicode text of at most 192 bytes names a group; names are told apart', async () => {
  await using registry = await Registry.open();
  const { groups } = registry;
  const names = ['a', 'a/b', '/', '1.1/a', '\0', ' ', '群組', '🦜🦜', 'é', 'e\u0301', 'x'.repeat(192), '界'.repeat(64)];
  for (const name of names) groups.join(name);
  for (const name of names) assert.is(groups.members(name).length, 1, JSON.stringify(name));
  assert.equal(groups.list().toSorted(), names.toSorted());
  for (const name of ['', 'x'.repeat(193), '界'.repeat(65), '\ud800', 7 as unknown as string]) {
    throwsCode(() => groups.join(name), 'INVALID_NAME');
    throwsCode(() => groups.leave(name), 'INVALID_NAME');
    throwsCode(() => groups.members(name), 'INVALID_NAME');
  }
});

test('memberships are no names of the registry', async () => {
  await using registry = await Registry.open();
  registry.register('server', 'a');
  registry.groups.join('g');
  assert.is(registry.count(), 1);
  assert.is(registry.count('group'), 0);
  assert.equal([...registry.list('group')], []);
  assert.is(registry.whereis('group', 'g'), undefined);
});

test('a name that an owner has is a member while it is registered as it was when it joined', async () => {
  await using registry = await Registry.open();
  const { groups } = registry;
  const owner = registry.owner();
  const [kind, id] = ['tool', 'a'];
  throwsCode(() => groups.join('g', { owner, kind, id }), 'NOT_FOUND');
  registry.register(kind, id);
  throwsCode(() => groups.join('g', { owner, kind, id }), 'NOT_FOUND');
  const membership = groups.join('g', { kind, id });
  const [member] = groups.members('g');
  assert.equal([member.kind, member.id], [kind, id]);
  registry.update(kind, id, 'another config');
  assert.equal(groups.members('g'), [member]);
  registry.unregister(kind, id);
  assert.equal(groups.members('g'), []);
  registry.register(kind, id);
  assert.equal(groups.members('g'), [], 'a successor of the same name has to join itself');
  assert.not(groups.leave('g', { kind, id }));
  groups.join('g', { kind, id });
  assert.is(groups.members('g').length, 1);
  assert.ok(groups.leave('g', { kind, id }));
  assert.not(membership.leave(), 'the next join has freed it');
  assert.equal(groups.list(), []);
});

test('members by name lie in shards that have grown since this thread looked at them', async () => {
  await using registry = await Registry.open({ shards: 2 });
  assert.equal(registry.groups.members('g'), []);
  const writer = Registry.attach(registry.handle);
  for (let n = 0; n < 300; n++) {
    writer.register('server', `${n}`);
    writer.groups.join('g', { kind: 'server', id: `${n}` });
  }
  assert.is(registry.groups.members('g').length, 300);
  await writer.close();
});

test('what cannot be is refused, and changes nothing', async () => {
  await using registry = await Registry.open();
  await using another = await Registry.open();
  const { groups } = registry;
  const closed = registry.owner();
  closed.close();
  throwsCode(() => groups.join('g', { owner: closed }), 'OWNER_DEAD');
  throwsCode(() => groups.join('g', { owner: another.owner() }), 'INVALID_OPTION');
  throwsCode(() => groups.join('g', { kind: 'server' }), 'INVALID_OPTION');
  throwsCode(() => groups.join('g', { name: 'x' } as object), 'INVALID_OPTION');
  throwsCode(() => groups.join('mcp_all_servers'), 'INVALID_NAME');
  throwsCode(() => groups.leave('mcp_all_servers'), 'INVALID_NAME');
  assert.equal(groups.list(), []);
  await another.close();
  throwsCode(() => another.groups.members('g'), 'CLOSED');
  throwsCode(() => another.groups.list(), 'CLOSED');
  throwsCode(() => another.groups.join('g'), 'CLOSED');
});

test('a thread that did not ask for longer than the log reaches back knows all the same', async () => {
  await using registry = await Registry.open({ shards: 1 });
  const { groups } = registry;
  const owners = Array.from({ length: limits.changesLogged * 2 }, () => registry.owner());
  for (const n of [1, limits.changesLogged - 1, limits.changesLogged, limits.changesLogged + 1]) {
    assert.is(groups.members('g').length, 0);
    for (const owner of owners.slice(0, n)) groups.join('g', { owner });
    assert.is(groups.members('g').length, n);
    for (const owner of owners.slice(0, n)) groups.leave('g', { owner });
  }
  assert.is(groups.members('g').length, 0);
});

test('a full shard refuses a member, and keeps those there are', async () => {
  await using registry = await Registry.open({ shards: 1, entriesPerShardMax: 10 });
  const owners = Array.from({ length: 10 }, () => registry.owner());
  for (const owner of owners) registry.groups.join('g', { owner });
  throwsCode(() => registry.groups.join('g'), 'TABLE_FULL');
  assert.is(registry.groups.members('g').length, 10);
  owners[3].close();
  registry.groups.join('g');
  assert.is(registry.groups.members('g').length, 10);
});

test('a group of 100,000 members', async () => {
  await using registry = await Registry.open({ ownersMax: 100_000 });
  const { groups } = registry;
  const owners = Array.from({ length: 100_000 }, () => registry.owner());
  for (const owner of owners) groups.join('crowd', { owner });
  assert.is(new Set(ownersOf(groups.members('crowd'))).size, 100_000);
  await using thread = await Thread.start(registry.handle);
  assert.is(await thread.run(({ registry }) => registry.groups.members('crowd').length), 100_000);
  owners[0].close();
  assert.is(groups.members('crowd').length, 99_999);
  assert.is(await thread.run(({ registry }) => registry.groups.members('crowd').length), 99_999);
});

test('memberships of names that come and go are freed while their owner lives', async () => {
  await using registry = await Registry.open({ shards: 1, entriesPerShardMax: 20 });
  const { groups } = registry;
  for (const id of ['stays', 'leaves']) registry.register('server', id);
  groups.join('g', { kind: 'server', id: 'stays' });
  for (let n = 0; n < 100; n++) {
    groups.join('g', { kind: 'server', id: 'leaves' });
    groups.leave('g', { kind: 'server', id: 'leaves' });
    for (const id of [`s${n}`, 'same']) {
      registry.register('server', id);
      groups.join('g', { kind: 'server', id });
      registry.unregister('server', id);
    }
  }
  assert.equal(
    groups.members('g').map(({ id }) => id),
    ['stays'],
  );
  await auditOnceSwept(registry.handle);
});

test('a member whose name readers would take for damage is refused', async () => {
  await using registry = await Registry.open({ configBytesMax: 64 });
  const { groups } = registry;
  const id = 'n'.repeat(60);
  registry.register('server', id);
  throwsCode(() => groups.join('g', { kind: 'server', id }), 'CONFIG_TOO_LARGE');
  assert.equal(groups.members('g'), []);
  groups.join('g');
  assert.is(groups.members('g').length, 1);
});

test.run();
