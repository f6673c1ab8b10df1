import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Registry } from '../../src/engine/index.ts';
import { auditOnceSwept } from '../support/bookkeeping.ts';
import { codeOf } from '../support/errors.ts';
import { Thread } from '../support/threads.ts';

const test = suite('bindings');

let registry: Registry;
test.before.each(async () => {
  registry = await Registry.open();
});
test.after.each(() => registry.close());

const bound = (transport: string): string | undefined => registry.bindings.serverOf(transport);
const transports = (server: string): string[] => registry.bindings.transportsOf(server).toSorted();
const throwsCode = (call: () => unknown, code: string): void => assert.is(codeOf(call), code);

function setUp(): void {
  for (const id of ['s1', 's2']) registry.register('server', id);
  for (const id of ['t1', 't2']) registry.register('transport', id);
}

test('a transport is bound to one server at a time, and found from both sides', () => {
  const { bindings } = registry;
  assert.is(bound('t1'), undefined);
  assert.equal(transports('s1'), []);
  setUp();
  bindings.bind('t1', 's1');
  bindings.bind('t2', 's1');
  assert.equal([bound('t1'), bound('t2')], ['s1', 's1']);
  assert.equal(transports('s1'), ['t1', 't2']);
  bindings.bind('t1', 's2');
  assert.equal([bound('t1'), bound('t2')], ['s2', 's1']);
  assert.equal([transports('s1'), transports('s2')], [['t2'], ['t1']]);
  assert.ok(bindings.unbind('t1'));
  assert.not(bindings.unbind('t1'));
  assert.equal([bound('t1'), transports('s2')], [undefined, []]);
  assert.ok(Object.isFrozen(bindings.transportsOf('s1')));
  assert.is(bindings.transportsOf('s1'), bindings.transportsOf('s1'));
});

test('a binding is gone with either side, and does not come back with a successor', () => {
  setUp();
  for (const [kind, id] of [
    ['transport', 't1'],
    ['server', 's1'],
  ]) {
    registry.bindings.bind('t1', 's1');
    registry.update(kind, id, { any: 'config' });
    assert.is(bound('t1'), 's1');
    registry.unregister(kind, id);
    assert.equal([bound('t1'), transports('s1')], [undefined, []]);
    registry.register(kind, id);
    assert.equal([bound('t1'), transports('s1')], [undefined, []]);
  }
});

test('it is gone when an owner of either side dies, or the owner it was made for', async () => {
  setUp();
  for (const role of ['transport', 'server', 'binding']) {
    const owner = registry.owner();
    const [t, s] = [role === 'transport' ? 't3' : 't1', role === 'server' ? 's3' : 's1'];
    if (role === 'transport') registry.register('transport', t, { owner });
    if (role === 'server') registry.register('server', s, { owner });
    registry.bindings.bind(t, s, role === 'binding' ? { owner } : {});
    assert.equal([bound(t), transports(s)], [s, [t]]);
    owner.close();
    assert.equal([bound(t), transports(s)], [undefined, []], role);
  }
  await using thread = await Thread.start(registry.handle);
  await thread.run(({ registry }) => {
    registry.register('transport', 't4');
    registry.bindings.bind('t4', 's1');
  });
  assert.equal([bound('t4'), transports('s1')], ['s1', ['t4']]);
  await thread.end();
  assert.equal([bound('t4'), transports('s1')], [undefined, []]);
});

test('server_id in the config of a transport binds it to whoever has that name', () => {
  registry.register('transport', 't1', { config: { type: 'tcp', server_id: 's1' } });
  assert.equal([bound('t1'), transports('s1')], [undefined, []]);
  const server = registry.register('server', 's1');
  assert.equal([bound('t1'), transports('s1')], ['s1', ['t1']]);
  server.unregister();
  assert.equal([bound('t1'), transports('s1')], [undefined, []]);
  registry.register('server', 's1');
  registry.register('server', 's2');
  assert.is(bound('t1'), 's1');
  registry.update('transport', 't1', { server_id: 's2' });
  assert.equal([bound('t1'), transports('s1'), transports('s2')], ['s2', [], ['t1']]);
  for (const config of [
    { server_id: 7 },
    { server_id: '' },
    { server_id: 'x'.repeat(300) },
    ['server_id'],
    null,
    's1',
  ]) {
    registry.update('transport', 't1', config);
    assert.equal([bound('t1'), transports('s1')], [undefined, []], JSON.stringify(config));
  }
});

test('what bind and unbind say counts more than the config', () => {
  setUp();
  registry.update('transport', 't1', { server_id: 's1' });
  registry.bindings.bind('t1', 's2');
  assert.equal([bound('t1'), transports('s1'), transports('s2')], ['s2', [], ['t1']]);
  registry.unregister('server', 's2');
  assert.is(bound('t1'), 's1', 'the binding is gone, so the config counts');
  assert.ok(registry.bindings.unbind('t1'));
  assert.equal([bound('t1'), transports('s1')], [undefined, []]);
  assert.not(registry.bindings.unbind('t1'));
  registry.bindings.bind('t1', 's1');
  assert.is(bound('t1'), 's1');
  assert.ok(registry.bindings.unbind('t1'));
  registry.unregister('transport', 't1');
  registry.register('transport', 't1', { config: { server_id: 's1' } });
  assert.is(bound('t1'), 's1', 'it is another registration');
});

test('two threads may bind the same transport: the last one counts', async () => {
  setUp();
  await using thread = await Thread.start(registry.handle);
  registry.bindings.bind('t1', 's1');
  await thread.run(({ registry }) => registry.bindings.bind('t1', 's2'));
  assert.is(bound('t1'), 's2');
  assert.is(await thread.run(({ registry }) => registry.bindings.serverOf('t1')), 's2');
  registry.bindings.bind('t1', 's1');
  assert.is(await thread.run(({ registry }) => registry.bindings.serverOf('t1')), 's1');
  assert.ok(await thread.run(({ registry }) => registry.bindings.unbind('t1')));
  assert.is(bound('t1'), undefined);
});

test('a transport that two threads bind all the time is bound at each moment', async () => {
  setUp();
  registry.bindings.bind('t1', 's1');
  const control = new Int32Array(new SharedArrayBuffer(4)); // 1: the reader has seen enough
  await using threads = new AsyncDisposableStack();
  const start = async () => threads.use(await Thread.start(registry.handle));
  const [reader, ...binders] = await Promise.all([start(), start(), start()]);
  const bound = ['s1', 's2'].map((server, n) =>
    binders[n].run(
      ({ registry }, { server, control }) => {
        while (Atomics.load(control, 0) === 0) registry.bindings.bind('t1', server);
      },
      { server, control },
    ),
  );
  const seen = await reader.run(({ registry }, control) => {
    const seen: Record<string, number> = { s1: 0, s2: 0, undefined: 0, changes: 0 };
    for (let before = ''; seen.changes < 100; ) {
      const server = `${registry.bindings.serverOf('t1')}`;
      if (server !== before) seen.changes++;
      seen[server]++;
      before = server;
    }
    Atomics.store(control, 0, 1);
    return seen;
  }, control);
  await Promise.all(bound);
  assert.ok(seen.s1 > 0 && seen.s2 > 0);
  assert.is(seen.undefined, 0, JSON.stringify(seen));
});

test('a binding that another thread has taken over does not end with its first owner', async () => {
  setUp();
  const first = registry.owner();
  registry.bindings.bind('t1', 's1', { owner: first });
  await using thread = await Thread.start(registry.handle);
  await thread.run(({ registry }) => registry.bindings.bind('t1', 's2'));
  first.close();
  assert.equal([bound('t1'), transports('s2')], ['s2', ['t1']]);
  await thread.end();
  assert.equal([bound('t1'), transports('s2')], [undefined, []]);
});

test('what cannot be bound is refused', async () => {
  const { bindings } = registry;
  throwsCode(() => bindings.bind('t1', 's1'), 'NOT_FOUND');
  registry.register('transport', 't1');
  throwsCode(() => bindings.bind('t1', 's1'), 'NOT_FOUND');
  registry.register('server', 's1');
  throwsCode(() => bindings.bind('', 's1'), 'INVALID_NAME');
  throwsCode(() => bindings.bind('t1', 's1', { to: 1 } as object), 'INVALID_OPTION');
  await using another = await Registry.open();
  throwsCode(() => bindings.bind('t1', 's1', { owner: another.owner() }), 'INVALID_OPTION');
  const owner = registry.owner();
  owner.close();
  throwsCode(() => bindings.bind('t1', 's1', { owner }), 'OWNER_DEAD');
  assert.is(bound('t1'), undefined);
  assert.is(registry.count(), 2, 'bindings are no names');
  await registry.close();
  throwsCode(() => bindings.serverOf('t1'), 'CLOSED');
  throwsCode(() => bindings.transportsOf('s1'), 'CLOSED');
  throwsCode(() => bindings.bind('t1', 's1'), 'CLOSED');
});

test('bindings of names that come and go are freed while their owner lives', async () => {
  await using registry = await Registry.open({ shards: 1, entriesPerShardMax: 20 });
  const { bindings } = registry;
  for (const id of ['s', 'other']) registry.register('server', id);
  registry.register('transport', 'stays');
  bindings.bind('stays', 's');
  for (let n = 0; n < 100; n++) {
    registry.register('transport', `t${n}`);
    bindings.bind(`t${n}`, 's');
    registry.unregister('transport', `t${n}`);
    registry.register('transport', 'again');
    bindings.bind('again', n % 2 ? 's' : 'other');
    registry.unregister('transport', 'again');
  }
  assert.equal(bindings.transportsOf('s'), ['stays']);
  await auditOnceSwept(registry.handle);
});

test('a binding that readers would take for damage is not stored', async () => {
  await using registry = await Registry.open({ configBytesMax: 64 });
  const { bindings } = registry;
  const long = 's'.repeat(60);
  for (const id of ['s', long]) registry.register('server', id);
  registry.register('transport', 't');
  bindings.bind('t', 's');
  throwsCode(() => bindings.bind('t', long), 'CONFIG_TOO_LARGE');
  assert.is(bindings.serverOf('t'), 's', 'the binding before stands');
  assert.equal(bindings.transportsOf('s'), ['t']);
});

test.run();
