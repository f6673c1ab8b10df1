import { spawnSync } from 'node:child_process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SharedOwner } from '../../src/engine/entry.ts';
import { type Change, Registry, RegistryError, type StateIterator } from '../../src/engine/index.ts';
import { defaults } from '../../src/shared/limits.ts';
import { allocateTable } from '../../src/shared/table.ts';
import { codeOf } from '../support/errors.ts';
import { Thread } from '../support/threads.ts';
import { until } from '../support/waiting.ts';

const test = suite('watches');

let registry: Registry;
test.before.each(async () => {
  registry = await Registry.open();
});
test.after.each(() => registry.close());

/** The next state; fails when there is none to come. */
async function nextOf<T>(states: StateIterator<T>): Promise<T> {
  const { done, value } = await states.next();
  assert.not(done, 'the watch goes on');
  return value as T;
}
const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => assert.unreachable('it is rejected'),
    (error) => (error instanceof RegistryError ? error.code : error),
  );

test('a name is told as it is, then whenever it is another', async () => {
  const states = registry.watch<number>('server', 'a');
  assert.is(await nextOf(states), undefined);
  const registration = registry.register('server', 'a', { config: 1 });
  assert.is((await nextOf(states))?.config, 1);
  registration.update(2);
  registration.update(3);
  assert.is((await nextOf(states))?.config, 3, 'only the last state is told');
  const pending = nextOf(states);
  registry.register('server', 'another');
  registration.unregister();
  assert.is(await pending, undefined);
});

test('who sleeps is woken by another thread, whatever it does', async () => {
  await using thread = await Thread.start(registry.handle);
  const states = registry.watch('server', 'a');
  assert.is(await nextOf(states), undefined);
  const told = async (task: Parameters<typeof thread.run>[0]) => {
    const pending = nextOf(states);
    await thread.run(task);
    return (await pending)?.config;
  };
  assert.is(await told(({ registry }) => void registry.register('server', 'a', { config: 1 })), 1);
  assert.is(await told(({ registry }) => void registry.update('server', 'a', 2)), 2);
  assert.is(await told(({ registry }) => void registry.unregister('server', 'a')), undefined);
  const open = ({ registry, kept }: { registry: Registry; kept: Record<string, unknown> }) => {
    kept.owner = registry.owner();
    registry.register('server', 'a', { owner: kept.owner as never, config: 3 });
  };
  assert.is(await told(open), 3);
  assert.is(await told(({ kept }) => kept.owner.close()), undefined);
});

test('the end of a thread is told, also of one that another had started', async () => {
  for (const nested of [false, true]) {
    const thread = await Thread.start(registry.handle);
    await thread.run(async ({ registry, kept }, nested) => {
      if (!nested) registry.register('server', 'a', { config: 1 });
      else {
        const { Worker } = await import('node:worker_threads');
        const { pathToFileURL } = await import('node:url');
        const url = pathToFileURL(`${process.cwd()}/src/engine/index.ts`).href;
        const source = `import { workerData } from 'node:worker_threads';
          const { Registry } = await import(workerData.url);
          Registry.attach(workerData.handle).register('server', 'a', { config: 1 });
          setInterval(() => {}, 1000);`;
        kept.worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
          workerData: { handle: registry.handle, url },
        });
        await registry.awaitName('server', 'a');
      }
    }, nested);
    const states = registry.watch('server', 'a');
    assert.is((await nextOf(states))?.config, 1);
    const pending = nextOf(states);
    await thread.end();
    assert.is(await pending, undefined);
  }
});

test('a watch ends by its signal, by leaving the loop, and by the close of the registry', async () => {
  const abort = new AbortController();
  const byAbort = registry.watch('server', 'a', { signal: abort.signal });
  await nextOf(byAbort);
  const pending = byAbort.next();
  abort.abort();
  assert.equal(await pending, { done: true, value: undefined });
  assert.equal(await byAbort.next(), { done: true, value: undefined });
  assert.ok((await registry.watch('server', 'a', { signal: abort.signal }).next()).done);

  const byLeaving = registry.watch('server', 'a');
  for await (const state of byLeaving) {
    assert.is(state, undefined);
    break;
  }
  assert.ok((await byLeaving.next()).done);

  const attached = Registry.attach(registry.handle);
  const byDetaching = attached.watch('server', 'a');
  const byClosing = registry.watch('server', 'a');
  for (const states of [byDetaching, byClosing]) await nextOf(states);
  const detached = byDetaching.next();
  await attached.close();
  assert.ok((await detached).done);
  await using thread = await Thread.start(registry.handle);
  await thread.run(async ({ registry, kept }) => {
    const states = registry.watch('server', 'a');
    await states.next();
    kept.ended = states.next();
  });
  const closed = byClosing.next();
  await registry.close();
  assert.ok((await closed).done);
  assert.ok((await thread.run(({ kept }) => kept.ended)).done, 'in another thread too');
  assert.ok((await byClosing.next()).done);
});

test('what cannot be watched is refused at once', () => {
  const refused = (call: () => unknown) => codeOf(call);
  assert.is(
    refused(() => registry.watch('server', '')),
    'INVALID_NAME',
  );
  assert.is(
    refused(() => registry.watch('', 'a')),
    'INVALID_NAME',
  );
  assert.is(
    refused(() => registry.watch('server', 'a', { signal: 1 } as object)),
    'INVALID_OPTION',
  );
  assert.is(
    refused(() => registry.watchAll('server', { timeoutMs: 1 } as object)),
    'INVALID_OPTION',
  );
  void registry.close();
  assert.is(
    refused(() => registry.watch('server', 'a')),
    'CLOSED',
  );
  assert.is(
    refused(() => registry.watchAll('server')),
    'CLOSED',
  );
});

test('all of a kind: what there is, then name by name what has changed', async () => {
  registry.register('tool', 'a', { config: 1 });
  const changes = registry.watchAll<number>('tool');
  const told = async () => {
    const { id, entry }: Change<number> = await nextOf(changes);
    return [id, entry?.config];
  };
  assert.equal(await told(), ['a', 1]);
  const pending = told();
  registry.register('server', 'a');
  registry.register('tool', 'b', { config: 2 });
  assert.equal(await pending, ['b', 2]);
  registry.update('tool', 'a', 3);
  registry.update('tool', 'a', 4);
  assert.equal(await told(), ['a', 4], 'what is told late is told once');
  registry.register('tool', 'c');
  registry.unregister('tool', 'c');
  registry.unregister('tool', 'b');
  assert.equal(await told(), ['b', undefined], 'what came and went is not told');
  const owner = registry.owner();
  registry.register('tool', 'd', { owner, config: 5 });
  registry.register('tool', 'e', { owner, config: 6 });
  assert.equal([await told(), await told()].toSorted(), [
    ['d', 5],
    ['e', 6],
  ]);
  const gone = told();
  owner.close();
  assert.equal([await gone, await told()].toSorted(), [
    ['d', undefined],
    ['e', undefined],
  ]);
  registry.register('tool', 'd', { config: 7 });
  assert.equal(await told(), ['d', 7]);
});

test('owners are looked at when one has died, not at each change', async () => {
  const owners = Array.from({ length: 300 }, () => registry.owner());
  for (const [n, owner] of owners.entries()) registry.register('session', `s${n}`, { owner });
  const { lives } = SharedOwner.prototype;
  let looks = 0;
  SharedOwner.prototype.lives = function (control) {
    looks++;
    return lives.call(this, control);
  };
  try {
    const changes = registry.watchAll('session');
    for (const _ of owners) assert.ok((await nextOf(changes)).entry);
    assert.ok(looks <= 2 * owners.length, `${looks} looks`);
    owners[7].close();
    const { id, entry } = await nextOf(changes);
    assert.equal([id, entry], ['s7', undefined]);
  } finally {
    SharedOwner.prototype.lives = lives;
  }
});

test('a kind of which nothing was registered can be watched', async () => {
  const changes = registry.watchAll('later');
  const pending = nextOf(changes);
  registry.register('later', 'a', { config: 1 });
  assert.equal((await pending).entry?.config, 1);
});

test('a name that another takes from a dead owner is told with its new entry', async () => {
  const [first, second] = [registry.owner(), registry.owner()];
  registry.register('tool', 'a', { owner: first, config: 1 });
  const changes = registry.watchAll<number>('tool');
  assert.is((await nextOf(changes)).entry?.config, 1);
  first.close();
  registry.register('tool', 'a', { owner: second, config: 2 });
  assert.is((await nextOf(changes)).entry?.owner.slot, second.slot);
});

test('a group is told as it is, then whenever a member comes or goes', async () => {
  const states = registry.groups.watch('g');
  assert.equal(await nextOf(states), []);
  const pending = nextOf(states);
  await using thread = await Thread.start(registry.handle);
  await thread.run(({ registry }) => void registry.groups.join('g'));
  assert.is((await pending).length, 1);
  const gone = nextOf(states);
  await thread.end();
  assert.equal(await gone, []);
  const servers = registry.groups.watch('mcp_tool_servers');
  assert.equal(await nextOf(servers), []);
  const server = nextOf(servers);
  registry.register('server', 'a', { config: { capabilities: { tools: {} } } });
  assert.is((await server)[0].id, 'a');
  assert.is(
    codeOf(() => registry.groups.watch('')),
    'INVALID_NAME',
  );
});

test('a name is awaited: there already, come later, too late, given up', async () => {
  registry.register('server', 'there', { config: 1 });
  assert.is((await registry.awaitName('server', 'there', { timeoutMs: 0 })).config, 1);
  await using thread = await Thread.start(registry.handle);
  const later = registry.awaitName('server', 'later', { timeoutMs: 2 ** 31 - 1 });
  await thread.run(({ registry }) => void registry.register('server', 'later', { config: 2 }));
  assert.is((await later).config, 2);
  assert.is(await rejection(registry.awaitName('server', 'never', { timeoutMs: 1 })), 'TIMEOUT');
  const abort = new AbortController();
  const given = registry.awaitName('server', 'never', { signal: abort.signal });
  abort.abort('enough');
  assert.is(await rejection(given), 'enough');
  assert.is(await rejection(registry.awaitName('server', 'never', { signal: abort.signal })), 'enough');
  for (const timeoutMs of [-1, Number.NaN, 2 ** 31, '1' as unknown as number]) {
    assert.is(await rejection(registry.awaitName('server', 'a', { timeoutMs })), 'INVALID_OPTION');
  }
  assert.is(await rejection(registry.awaitName('server', '')), 'INVALID_NAME');
  const open = rejection(registry.awaitName('server', 'never'));
  await registry.close();
  assert.is(await open, 'CLOSED');
});

test('however much is watched, a thread sleeps once, and each ring wakes it once', async () => {
  const original = Atomics.waitAsync;
  let sleeping = 0;
  let most = 0;
  Object.defineProperty(Atomics, 'waitAsync', {
    configurable: true,
    writable: true,
    value: (...args: Parameters<typeof original>) => {
      const result = original(...args);
      if (!result.async) return result;
      most = Math.max(most, ++sleeping);
      void result.value.then(() => sleeping--);
      return result;
    },
  });
  try {
    const watches = Array.from({ length: 50 }, (_, n) => registry.watch('server', `${n}`));
    for (const states of watches) await nextOf(states);
    const pending = watches.map((states) => nextOf(states));
    await until('it sleeps', () => sleeping === 1);
    for (let n = 0; n < 50; n++) registry.register('server', `${n}`, { config: n });
    const configs = (await Promise.all(pending)).map((entry) => entry?.config);
    assert.equal(
      configs,
      configs.map((_, n) => n),
    );
    assert.is(most, 1);
  } finally {
    Object.defineProperty(Atomics, 'waitAsync', { configurable: true, writable: true, value: original });
  }
});

test('one whose user throws, or that fails itself, harms no other', async () => {
  const good = registry.watch('server', 'a');
  await nextOf(good);
  const pending = nextOf(good);
  const bad = (async () => {
    for await (const state of registry.watch('server', 'a')) if (state) throw new Error('the user’s');
  })();
  await Promise.resolve();
  registry.register('server', 'a', { config: 1 });
  assert.is((await pending)?.config, 1);
  assert.match(String(await rejection(bad)), 'the user’s');
});

test('a death is told before anybody has swept up after it', async () => {
  // There is no coordinator yet.
  const options = { ...defaults, shards: 1, entriesPerShardMax: 100, threadsMax: 4, ownersMax: 4, configBytesMax: 100 };
  const handle = allocateTable({ ...options, valueBytesPerShardMax: 1 << 20 });
  const [here, gone] = [Registry.attach(handle), Registry.attach(handle)];
  gone.register('tool', 'a', { config: 1 });
  gone.groups.join('g');
  const changes = here.watchAll('tool');
  const members = here.groups.watch('g');
  const name = here.watch('tool', 'a');
  assert.ok((await nextOf(changes)).entry);
  assert.is((await nextOf(members)).length, 1);
  assert.ok(await nextOf(name));
  const pending = Promise.all([nextOf(changes), nextOf(members), nextOf(name)] as const);
  await gone.close();
  const [change, none, state] = await pending;
  assert.equal([change.id, change.entry], ['a', undefined]);
  assert.equal(none, []);
  assert.is(state, undefined);
  await here.close();
});

test('who watches is told of one that expires before the next does', async () => {
  let told = 0;
  for (let rounds = 0; told < 8 && rounds < 20; rounds++) {
    told = 0; // a busy machine may tell of several at once
    for (let n = 0; n < 20; n++) registry.groups.join('lessees', { owner: registry.owner({ ttlMs: 200 + 80 * n }) });
    for await (const members of registry.groups.watch('lessees')) {
      told++;
      if (members.length === 0) break;
    }
  }
  assert.ok(told >= 8, `${told} states`);
});

test('a death rings on: its thread may have begun to ring', async () => {
  const { Owners } = await import('../../src/shared/owners.ts');
  const { ControlMap, Header } = await import('../../src/shared/layout.ts');
  const control = new Int32Array(registry.handle.control);
  const map = new ControlMap(control[Header.shards], control[Header.threadsMax], control[Header.ownersMax]);
  const owners = new Owners(control, map, control[Header.threadsMax], control[Header.ownersMax]);
  const other = Registry.attach(registry.handle);
  const armed = owners.bell.arm();
  const rung = owners.bell.rung(armed);
  // What a thread leaves that is killed between the bell's word and the wake-up: rung.
  Atomics.compareExchange(control, Header.watchBell, armed, armed + 1);
  await other.close();
  await rung;
});

/** Runs a program to its end; `registry` is open in it. */
function run(program: string): string {
  const source = `import { Registry } from './src/engine/index.ts';
    import { Worker } from 'node:worker_threads';
    const registry = await Registry.open();
    ${program}`;
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '--eval', source], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  return `${stdout}${stderr}${status}`;
}

test('a watch that nobody waits for lets the process end; one that is waited for does not', () => {
  assert.is(
    run(`
      const states = registry.watch('server', 'a');
      await states.next();
      const all = registry.watchAll('server');
      registry.register('server', 'b');
      await all.next();
      console.log('left open');`),
    'left open\n0',
  );
  const source = `
    import { workerData } from 'node:worker_threads';
    const { Registry } = await import(workerData.url);
    const registry = Registry.attach(workerData.handle);
    await registry.awaitName('server', 'asked');
    registry.register('server', 'a', { config: 1 });
    await new Promise(() => setInterval(() => {}, 1000));`;
  assert.is(
    run(`
      const source = ${JSON.stringify(source)};
      const url = new URL('./src/engine/index.ts', 'file://' + process.cwd() + '/').href;
      new Worker(new URL('data:text/javascript,' + encodeURIComponent(source)), {
        workerData: { handle: registry.handle, url },
      }).unref();
      registry.register('server', 'asked');
      console.log((await registry.awaitName('server', 'a')).config);`),
    '1\n0',
  );
});

test.run();
