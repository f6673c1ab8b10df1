import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Registry } from '../../src/engine/index.ts';
import { ControlMap, Header, OwnerRow, ownerEpochMax, Record, Shard, Version } from '../../src/shared/layout.ts';
import { ShardMemory } from '../../src/shared/shard-memory.ts';
import { BareThread, bareTable } from '../support/bare-thread.ts';
import { audit, auditEmpty } from '../support/bookkeeping.ts';
import { codeOf } from '../support/errors.ts';
import { withWatchedAtomics } from '../support/watched-words.ts';

/* Counters that start over, or would, after years of use: here they are set near their end. */
const test = suite('wraps');

function memoryOf({ handle }: Registry): { memory: ShardMemory; map: ControlMap } {
  const control = new Int32Array(handle.control);
  const map = new ControlMap(control[Header.shards], control[Header.threadsMax], control[Header.ownersMax]);
  return { memory: new ShardMemory(control, map.shard(0), handle.shards[0]), map };
}

/** Makes a name's record look as if it had seen so many commits. */
function ageRecord(registry: Registry, id: number, sequence: number): void {
  const { memory } = memoryOf(registry);
  const at = memory.recordAt(id) + Record.version;
  const flags = memory.records[at] & (Version.live | Version.set);
  memory.records[at] = (sequence << Version.sequenceShift) | flags;
}

test('a version that starts over makes every cached lookup of its shard stale', async () => {
  await using registry = await Registry.open({ shards: 1 });
  registry.register('kind', 'x', { config: 'first' });
  const ref = registry.ref('kind', 'x');
  assert.is(ref.current()?.config, 'first');
  ageRecord(registry, 1, Version.sequenceMax);
  const last = registry.ref('kind', 'x');
  const lastEntry = last.current();
  registry.update('kind', 'x', 'after the wrap'); // sequence 1 again, as at the registration
  registry.update('kind', 'x', 'later');
  ageRecord(registry, 1, 1);
  assert.is(registry.whereis('kind', 'x')?.config, 'later');
  assert.is(last.current()?.config, 'later');
  assert.is(ref.current()?.config, 'later');
  assert.is(lastEntry?.config, 'first');
  const { memory } = memoryOf(registry);
  assert.is(memory.control[memory.at + Shard.wraps], 1);
});

test('every change of a name works across the wrap', async () => {
  for (let before = 0; before < 6; before++) {
    await using registry = await Registry.open({ shards: 1 });
    const registration = registry.register('kind', 'x', { config: 0 });
    registry.unregister('kind', 'x');
    ageRecord(registry, 1, Version.sequenceMax - before);
    assert.not.ok(registration.active);
    const again = registry.register('kind', 'x', { config: 1 });
    const versions = new Set([registry.whereis('kind', 'x')?.version]);
    for (let n = 2; n < 10; n++) {
      versions.add(again.update(n));
      assert.is(registry.whereis('kind', 'x')?.config, n);
      assert.is(registry.ref('kind', 'x').current()?.config, n);
    }
    assert.is(versions.size, 9);
    assert.ok(again.active);
    const session = registry.owner();
    again.unregister();
    registry.register('kind', 'x', { owner: session });
    session.close();
    registry.register('kind', 'x', { config: 'last' });
    assert.is(registry.whereis('kind', 'x')?.config, 'last');
    auditEmpty(registry, ['kind']);
  }
});

test('an owner row at the end of its epochs is used no more', async () => {
  await using registry = await Registry.open({ shards: 1, ownersMax: 2 });
  const { memory, map } = memoryOf(registry);
  const old = registry.owner();
  old.close();
  // As if its last tenant but one had left.
  const rowAt = map.owners + old.slot * OwnerRow.words + OwnerRow.epoch;
  memory.control[rowAt] = ownerEpochMax - (ownerEpochMax % 4);
  const last = registry.owner();
  assert.is(last.slot, old.slot);
  assert.ok(last.alive && last.epoch > 0);
  registry.register('kind', 'x', { owner: last });
  last.close();
  assert.not.ok(registry.has('kind', 'x'));
  const next = registry.owner();
  assert.is.not(next.slot, old.slot);
  assert.is(
    codeOf(() => registry.owner()),
    'OWNERS_FULL',
  );
  next.close();
  registry.owner().close();
  audit(registry.handle);
});

test('a reader that was stopped for 2^29 commits of its record does not take it for unchanged', () =>
  withWatchedAtomics(() => {
    for (const look of ['find', 'read', 'snapshot'] as const) {
      for (let at = 0, reads = 1; at < reads; at++) {
        const buffers = bareTable();
        const other = new BareThread(buffers);
        other.register('x', 'of x');
        const { memory } = other;
        const versionAt = memory.recordAt(1) + Record.version;
        const version = memory.records[versionAt];
        let count = 0;
        const reader = new BareThread(buffers, {
          beforeRead: () => {
            if (count++ !== at) return;
            // The last commits of a lap take the name away, the first ones of the next lap give the record to another.
            memory.records[versionAt] = (Version.sequenceMax << Version.sequenceShift) | Version.live;
            other.unregister('x');
            other.register('y', 'of y');
            memory.records[versionAt] = version;
          },
        });
        count = 0;
        if (look === 'snapshot') {
          for (const { name, text } of reader.reader.snapshot(0) ?? []) assert.is(text, `"of ${name}"`, `read ${at}`);
        } else if (reader.reader[look](reader.key('x')) !== 0) {
          // Found only if the stop came when all was read.
          if (look === 'read') assert.is(reader.reader.text, '"of x"', `read ${at}`);
        }
        reads = count;
      }
    }
  }));

test('the insert sequence starts over: an absence is still forgotten', async () => {
  await using registry = await Registry.open({ shards: 1 });
  registry.register('kind', 'other');
  const { memory } = memoryOf(registry);
  for (const sequence of [0x7ffffffe, -2]) {
    memory.control[memory.at + Shard.insertSequence] = sequence;
    assert.is(registry.whereis('kind', 'x'), undefined);
    const ref = registry.ref('kind', 'x');
    registry.register('kind', 'x', { config: 1 });
    assert.is(registry.whereis('kind', 'x')?.config, 1);
    assert.is(ref.current()?.config, 1);
    registry.unregister('kind', 'x');
  }
});

test.run();
