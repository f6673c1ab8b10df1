import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Registry, type RegistryHandle } from '../../src/engine/index.ts';
import { Header } from '../../src/shared/layout.ts';
import { limits } from '../../src/shared/limits.ts';
import { codeOf, refusal } from '../support/errors.ts';
import { Thread } from '../support/threads.ts';

const test = suite('handles');

const registry = await Registry.open({ shards: 2 });
test.after(() => registry.close());

const attach = (handle: unknown) => () => Registry.attach(handle as RegistryHandle);

test('a handle is plain data: structured clone keeps it', async () => {
  await using attached = Registry.attach(structuredClone(registry.handle));
  registry.register('server', 'x', { config: 1 });
  assert.is(attached.whereis('server', 'x')?.config, 1);
});

test('a handle goes through postMessage as well as through workerData', async () => {
  await using thread = await Thread.start();
  const found = await thread.run((remote, handle) => {
    const registry = remote.Registry.attach(handle);
    registry.register('server', 'from the thread');
    return registry.has('server', 'x');
  }, registry.handle);
  assert.ok(found);
  assert.ok(registry.has('server', 'from the thread'));
});

test('an attached registry hands out a handle that works', async () => {
  await using attached = Registry.attach(registry.handle);
  await using again = Registry.attach(attached.handle);
  assert.ok(again.has('server', 'x'));
});

test('nonsense is refused', () => {
  const sab = new SharedArrayBuffer(1 << 20);
  const nonsense: unknown[] = [
    undefined,
    null,
    0,
    'handle',
    Symbol('handle'),
    () => registry.handle,
    {},
    [],
    registry,
    { control: {}, shards: [] },
    { control: new ArrayBuffer(1 << 20), shards: [] },
    { control: new SharedArrayBuffer(8), shards: [] },
    { control: sab, shards: [] },
    { control: sab, shards: registry.handle.shards },
    { control: registry.handle.control },
    { control: registry.handle.control, shards: {} },
  ];
  for (const [n, handle] of nonsense.entries()) {
    assert.is(codeOf(attach(handle)), 'INCOMPATIBLE_HANDLE', `nonsense ${n}`);
  }
});

test('a damaged handle is refused', () => {
  const { control, shards, lanes } = registry.handle;
  const [first, second] = shards;
  const small = new SharedArrayBuffer(64);
  const damaged: unknown[][] = [
    [],
    [first],
    [first, second, second],
    [first, null],
    [first, undefined],
    [first, 'shard'],
    [first, {}],
    [first, { ...second, records: new ArrayBuffer(64) }],
    [first, { ...second, index: undefined }],
    [first, { ...second, arena: small }],
  ];
  for (const [n, shards] of damaged.entries()) {
    assert.is(codeOf(attach({ control, shards, lanes })), 'INCOMPATIBLE_HANDLE', `damage ${n}`);
  }
  for (const [n, damage] of [undefined, small, new ArrayBuffer(128), first.records].entries()) {
    assert.is(codeOf(attach({ control, shards, lanes: damage })), 'INCOMPATIBLE_HANDLE', `damaged lanes ${n}`);
  }
});

test('another memory layout is refused by its number', () => {
  const control = new SharedArrayBuffer(registry.handle.control.byteLength);
  new Uint8Array(control).set(new Uint8Array(registry.handle.control));
  new Int32Array(control)[Header.layoutVersion] = 99;
  const { code, message } = refusal(attach({ ...registry.handle, control }));
  assert.is(code, 'INCOMPATIBLE_HANDLE');
  assert.match(message, 'memory layout 99');
});

test('a header that lies about its sizes is refused', () => {
  const { shards, threadsMax, ownersMax, entriesPerShardMax, configBytesMax, pagesPerShardMax } = Header;
  for (const word of [shards, threadsMax, ownersMax, entriesPerShardMax, configBytesMax, pagesPerShardMax]) {
    for (const value of [0, -1, 0x7fffffff, registry.handle.shards.length + 1]) {
      if (word === configBytesMax && value > 0 && value <= limits.configBytesMax) continue; // might be true
      const control = new SharedArrayBuffer(registry.handle.control.byteLength);
      new Uint8Array(control).set(new Uint8Array(registry.handle.control));
      new Int32Array(control)[word] = value;
      assert.is(codeOf(attach({ ...registry.handle, control })), 'INCOMPATIBLE_HANDLE', `${word} = ${value}`);
    }
  }
});

test('buffers of two registries, and buffers in the wrong place, are refused', async () => {
  await using other = await Registry.open({ shards: 2 });
  const { control, shards, lanes } = registry.handle;
  const [first, second] = shards;
  const mixed: RegistryHandle[] = [
    { control, shards, lanes: other.handle.lanes },
    { control, shards, lanes: new SharedArrayBuffer(lanes.byteLength, { maxByteLength: lanes.maxByteLength }) },
    { control, shards: other.handle.shards, lanes },
    { control: other.handle.control, shards, lanes },
    { control, shards: [first, other.handle.shards[1]], lanes },
    { control, shards: [second, first], lanes },
    { control, shards: [first, first], lanes },
    { control, shards: [first, { ...second, records: first.records }], lanes },
    { control, shards: [first, { ...second, index: first.index }], lanes },
    { control, shards: [first, { ...second, arena: other.handle.shards[1].arena }], lanes },
    { control, shards: [first, { ...second, index: second.records, records: second.index }], lanes },
    { control, shards: [first, { ...second, arena: new SharedArrayBuffer(second.arena.byteLength) }], lanes },
  ];
  for (const [n, handle] of mixed.entries()) assert.is(codeOf(attach(handle)), 'INCOMPATIBLE_HANDLE', `mixture ${n}`);
});

test('a handle that is frozen, copied, or has more in it is still one', async () => {
  const { control, shards, lanes } = registry.handle;
  const handles: RegistryHandle[] = [
    Object.freeze({ control, lanes, shards: Object.freeze(shards.map((shard) => Object.freeze({ ...shard }))) }),
    structuredClone({ control, shards, lanes, extra: { by: 'somebody' } }),
    Object.assign(Object.create(null), registry.handle),
  ];
  for (const handle of handles) {
    await using attached = Registry.attach(handle);
    assert.ok(attached.has('server', 'x'));
  }
});

test('a refused handle takes no thread slot', async () => {
  await using small = await Registry.open({ shards: 1, threadsMax: 2 });
  for (let n = 0; n < 10; n++) assert.throws(attach({ ...small.handle, shards: [] }));
  await using attached = Registry.attach(small.handle);
  assert.not.ok(attached.closed);
});

test.run();
