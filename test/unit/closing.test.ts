import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Registry } from '../../src/engine/index.ts';
import { codeOf } from '../support/errors.ts';
import { Thread } from '../support/threads.ts';
import { until } from '../support/waiting.ts';

const test = suite('closing');

/** Every call that needs an open registry. */
function everyCall(registry: Registry): Record<string, () => unknown> {
  return {
    register: () => registry.register('server', 'new'),
    tryRegister: () => registry.tryRegister('server', 'new'),
    registerOrUpdate: () => registry.registerOrUpdate('server', 'new'),
    whereis: () => registry.whereis('server', 'x'),
    'whereis, absent': () => registry.whereis('server', 'absent'),
    'whereis, unknown kind': () => registry.whereis('unknown', 'x'),
    has: () => registry.has('server', 'x'),
    'has, absent': () => registry.has('server', 'absent'),
    ref: () => registry.ref('server', 'x'),
    list: () => [...registry.list('server')],
    update: () => registry.update('server', 'x', 1),
    compareAndUpdate: () => registry.compareAndUpdate('server', 'x', 1, 1),
    unregister: () => registry.unregister('server', 'x'),
    count: () => registry.count(),
    'count of a kind': () => registry.count('server'),
    owner: () => registry.owner(),
    counter: () => registry.counter('calls'),
    'counters.sum': () => registry.counters.sum('calls'),
    'properties.set': () => registry.properties.set('key', 1),
    'properties.get': () => registry.properties.get('key'),
    'properties.of': () => registry.properties.of({ slot: 1, epoch: 1 }).entries(),
    'admission.force': () => registry.admission.force('open'),
    'admission.auto': () => registry.admission.auto(),
  };
}

test('a closed registry refuses every call', async () => {
  const registry = await Registry.open();
  registry.register('server', 'x');
  registry.whereis('server', 'x');
  registry.whereis('server', 'absent');
  await registry.close();
  assert.ok(registry.closed);
  for (const [name, call] of Object.entries(everyCall(registry))) assert.is(codeOf(call), 'CLOSED', name);
});

test('so does one that was detached, though the registry lives on', async () => {
  await using registry = await Registry.open();
  registry.register('server', 'x');
  const attached = Registry.attach(registry.handle);
  attached.whereis('server', 'x');
  attached.whereis('server', 'absent');
  await attached.close();
  assert.ok(attached.closed);
  assert.not.ok(registry.closed);
  for (const [name, call] of Object.entries(everyCall(attached))) assert.is(codeOf(call), 'CLOSED', name);
  for (const call of Object.values(everyCall(registry))) call();
});

test('refs of a closed registry say so, also those that found something', async () => {
  for (const opener of [true, false]) {
    const registry = await Registry.open();
    registry.register('server', 'x');
    const own = opener ? registry : Registry.attach(registry.handle);
    const [found, absent, unknown] = [own.ref('server', 'x'), own.ref('server', 'no'), own.ref('unknown', 'x')];
    assert.ok(found.current());
    await own.close();
    for (const ref of [found, absent, unknown]) {
      assert.is(
        codeOf(() => ref.current()),
        'CLOSED',
        `${ref.kind} ${ref.id}, ${opener ? 'opener' : 'attached'}`,
      );
    }
    await registry.close();
  }
});

test('close answers the same promise however often it is called', async () => {
  const registry = await Registry.open();
  const closing = registry.close();
  assert.is(registry.close(), closing);
  await closing;
  await registry[Symbol.asyncDispose]();
  registry[Symbol.dispose]();
});

test('what its objects do after the close is harmless', async () => {
  for (const opener of [true, false]) {
    const registry = await Registry.open();
    const own = opener ? registry : Registry.attach(registry.handle);
    const session = own.owner();
    const controller = new AbortController();
    const registration = own.register('server', 'x', { owner: session });
    own.register('server', 'y', { signal: controller.signal });
    await own.close();
    assert.not.ok(registration.active);
    assert.not.ok(registration.unregister());
    assert.is(
      codeOf(() => registration.update(1)),
      'CLOSED',
    );
    assert.not.ok(session.alive);
    session.close();
    controller.abort();
    await registry.close();
  }
});

test('a list that was begun before the close ends in CLOSED or in what it had read', async () => {
  const registry = await Registry.open({ shards: 4 });
  for (let n = 0; n < 100; n++) registry.register('server', `${n}`);
  const list = registry.list('server');
  list.next();
  await registry.close();
  try {
    let read = 1;
    for (const _ of list) read++;
    assert.ok(read <= 100);
  } catch (error) {
    assert.is((error as { code?: string }).code, 'CLOSED');
  }
});

test('statistics can be read after the close: they are those of the end', async () => {
  for (const opener of [true, false]) {
    const registry = await Registry.open({ shards: 2 });
    const own = opener ? registry : Registry.attach(registry.handle);
    for (let n = 0; n < 10; n++) own.register('server', `${n}`);
    own.unregister('server', '0');
    await own.close();
    const sum = (key: 'registrations' | 'removals' | 'swept') =>
      own.partitionStats().reduce((all, one) => all + one[key], 0);
    assert.is(own.partitionStats().length, 2);
    assert.is(sum('registrations'), 10);
    // The coordinator may be about to sweep what a thread left.
    await until('one removal is not of a sweep', () => sum('removals') - sum('swept') === 1);
    await registry.close();
  }
});

test('names of who detaches are gone for the others, theirs are not', async () => {
  await using registry = await Registry.open();
  const attached = Registry.attach(registry.handle);
  attached.register('server', 'detaching');
  registry.register('server', 'staying');
  await attached.close();
  assert.not.ok(registry.has('server', 'detaching'));
  assert.ok(registry.has('server', 'staying'));
});

test('a close by the opener is seen in every attached thread', async () => {
  const registry = await Registry.open();
  await using thread = await Thread.start(registry.handle);
  await thread.run(({ registry, kept }) => {
    registry.register('server', 'x');
    kept.ref = registry.ref('server', 'x');
    kept.ref.current();
    registry.whereis('server', 'x');
  });
  await registry.close();
  const seen = await thread.run(({ registry, kept }) => {
    const codeOf = (call: () => unknown) => {
      try {
        return call();
      } catch (error) {
        return (error as { code?: string }).code;
      }
    };
    return [
      registry.closed,
      codeOf(() => registry.whereis('server', 'x')),
      codeOf(() => kept.ref.current()),
      codeOf(() => registry.register('server', 'y')),
      codeOf(() => registry.update('server', 'x', 1)),
      codeOf(() => registry.count()),
    ];
  });
  assert.equal(seen, [true, 'CLOSED', 'CLOSED', 'CLOSED', 'CLOSED', 'CLOSED']);
});

test('attaching to a closed registry is refused', async () => {
  const registry = await Registry.open();
  await registry.close();
  assert.is(
    codeOf(() => Registry.attach(registry.handle)),
    'CLOSED',
  );
});

test('await using closes', async () => {
  let handle: Registry['handle'];
  {
    await using registry = await Registry.open();
    handle = registry.handle;
  }
  assert.is(
    codeOf(() => Registry.attach(handle)),
    'CLOSED',
  );
});

test('an open registry, its coordinator and its threads keep no process alive', async () => {
  const { spawnSync } = await import('node:child_process');
  const engine = new URL('../../src/engine/index.ts', import.meta.url).href;
  const source = `import { Registry } from ${JSON.stringify(engine)};
    const registry = await Registry.open();
    registry.register('server', 'x');
    Registry.attach(registry.handle);
    console.log('at the end');`;
  const { stdout, status } = spawnSync(process.execPath, ['--input-type=module', '-e', source], { encoding: 'utf8' });
  assert.is(stdout, 'at the end\n');
  assert.is(status, 0);
});

test('opened and closed a hundred times, no thread and no handle is left', async () => {
  const before = process.getActiveResourcesInfo().length;
  for (let n = 0; n < 100; n++) {
    await using registry = await Registry.open({ shards: 1 });
    registry.register('server', 'x');
  }
  await until('all handles are closed', () => process.getActiveResourcesInfo().length <= before);
});

test.run();
