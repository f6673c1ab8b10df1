import { once } from 'node:events';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Registry, type RegistryHandle } from '../../src/engine/index.ts';
import { Control, ControlMap, Guard, Header, OwnerRow, Shard } from '../../src/shared/layout.ts';
import { defaults } from '../../src/shared/limits.ts';
import { lockToken } from '../../src/shared/lock.ts';
import { allocateTable } from '../../src/shared/table.ts';
import { codeOf, refusal } from '../support/errors.ts';
import { Thread } from '../support/threads.ts';

/* What becomes of a registry whose memory is corrupt in one place. test/property/corruption.test.ts looks for places. */
const test = suite('corruption');

function wordsOf({ control: buffer }: RegistryHandle): { control: Int32Array; map: ControlMap } {
  const control = new Int32Array(buffer);
  return {
    control,
    map: new ControlMap(control[Header.shards], control[Header.threadsMax], control[Header.ownersMax]),
  };
}

/** Leaves the lock of shard 0 as if that thread had died in an operation that there is none of. */
function leaveHalfDone(handle: RegistryHandle, { slot, epoch }: { slot: number; epoch: number }): void {
  const { control, map } = wordsOf(handle);
  control[map.shard(0) + Shard.guard + Guard.op] = 77;
  control[map.shard(0) + Shard.guard + Guard.lock] = lockToken(slot, epoch);
}

/** A name in shard 0, and one that is not. */
function namesByShard(registry: Registry): [zero: string, other: string] {
  const found: string[] = [];
  for (let n = 0; found[0] === undefined || found[1] === undefined; n++) {
    const before = registry.partitionStats()[0].entries;
    registry.register('kind', `${n}`, { config: n });
    found[registry.partitionStats()[0].entries === before ? 1 : 0] = `${n}`;
  }
  return [found[0], found[1]];
}

test('what could not be repaired stays refused, in that shard, for everybody, and nobody waits', async () => {
  await using registry = await Registry.open({ shards: 2 });
  const [zero, other] = namesByShard(registry);
  leaveHalfDone(registry.handle, registry.whereis('kind', zero)!.owner);
  for (let n = 0; n < 3; n++) {
    assert.is(
      codeOf(() => registry.update('kind', zero, n)),
      'CORRUPT',
    );
    assert.match(refusal(() => registry.unregister('kind', zero)).message, 'open a new one');
  }
  await using attached = Registry.attach(registry.handle);
  assert.is(
    codeOf(() => attached.update('kind', zero, 1)),
    'CORRUPT',
  );
  assert.is(registry.whereis('kind', zero)?.config, Number(zero));
  registry.update('kind', other, 'works');
  assert.is(attached.whereis('kind', other)?.config, 'works');
});

test('an attachment that cannot repair its lock leaves all the same, and its names with it', async () => {
  await using registry = await Registry.open({ shards: 2 });
  const attached = Registry.attach(registry.handle);
  const [zero, other] = namesByShard(attached);
  leaveHalfDone(registry.handle, attached.whereis('kind', zero)!.owner);
  await attached.close();
  assert.not.ok(registry.has('kind', other));
  assert.is(
    codeOf(() => registry.register('kind', zero)),
    'CORRUPT',
  );
  registry.register('kind', other);
});

test('the exit of a worker whose lock cannot be repaired is a warning, not an uncaught error', async () => {
  // Without a coordinator, which would be there first.
  await using registry = Registry.attach(allocateTable({ ...defaults, shards: 1 }));
  const thread = await Thread.start(registry.handle);
  await thread.run(({ registry }) => void registry.register('kind', 'x'));
  leaveHalfDone(registry.handle, registry.whereis('kind', 'x')!.owner);
  const warned = once(process, 'warning');
  await thread.end();
  const [{ name, message }] = await warned;
  assert.is(name, 'RollcallWarning');
  assert.match(message, 'corrupt');
  assert.not.ok(registry.has('kind', 'x'));
});

test('a lock word that names no thread is nobody’s', async () => {
  await using registry = await Registry.open({ shards: 1, threadsMax: 4 });
  using owner = registry.owner();
  registry.register('kind', 'x', { owner });
  const { control, map } = wordsOf(registry.handle);
  // As it happens the number of a row that lives: an owner's.
  for (const word of [lockToken(owner.slot, owner.epoch), lockToken(4_000, 5), 1, -2]) {
    control[map.shard(0) + Shard.guard + Guard.lock] = word;
    registry.update('kind', 'x', word);
    assert.is(registry.whereis('kind', 'x')?.config, word);
  }
});

test('an owner in a thread that there is none of is corrupt, not dead', async () => {
  await using registry = await Registry.open({ shards: 1 });
  using owner = registry.owner();
  registry.register('kind', 'x', { owner });
  const { control, map } = wordsOf(registry.handle);
  const thread = map.owners + owner.slot * OwnerRow.words + OwnerRow.thread;
  const before = control[thread];
  for (const wrong of [-1, control[Header.threadsMax], 0x7fffffff]) {
    control[thread] = wrong;
    for (const call of [
      () => registry.has('kind', 'x'),
      () => registry.count(),
      () => [...registry.list('kind')],
      () => registry.update('kind', 'x', 1),
      () => registry.register('kind', 'x'),
    ]) {
      assert.is(codeOf(call), 'CORRUPT', `${call} with thread ${wrong}`);
    }
  }
  control[thread] = before;
  assert.ok(registry.has('kind', 'x'));
});

test('a row in use is not given to another owner', async () => {
  await using registry = await Registry.open({ shards: 1 });
  using owner = registry.owner();
  const { control, map } = wordsOf(registry.handle);
  control[map.control + Control.ownerFree] = owner.slot;
  assert.is(
    codeOf(() => registry.owner()),
    'CORRUPT',
  );
  assert.ok(owner.alive);
});

test.run();
