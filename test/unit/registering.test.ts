import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  AlreadyRegisteredError,
  encodeConfig,
  type RegisterOptions,
  Registry,
  RegistryError,
} from '../../src/engine/index.ts';
import { auditEmptyOnceSwept } from '../support/bookkeeping.ts';
import { codeOf, refusal } from '../support/errors.ts';

const test = suite('registering');

const registry = await Registry.open();
test.after(() => registry.close());
test.after.each(() => auditEmptyOnceSwept(registry, ['server', 'tool', 'kind']));

test('a name is found with its config, its owner and a version', () => {
  registry.register('server', 'billing', { config: { port: 7400 } });
  const entry = registry.whereis('server', 'billing')!;
  assert.is(entry.kind, 'server');
  assert.is(entry.id, 'billing');
  assert.equal(entry.config, { port: 7400 });
  assert.is(entry.owner.threadId, 0);
  assert.type(entry.version, 'number');
});

test('an unknown option is refused with those that are known, and nothing is registered', () => {
  const options = { port: 7400 } as RegisterOptions;
  for (const method of ['register', 'tryRegister', 'registerOrUpdate'] as const) {
    const { code, message } = refusal(() => registry[method]('server', 'x', options));
    assert.is(code, 'INVALID_OPTION');
    assert.is(message, 'unknown option port: known are config, owner, ttlMs, signal');
  }
  assert.not.ok(registry.has('server', 'x'));
  registry.register('server', 'x', Object.create({ inherited: 'is not given' }, { config: { value: 1 } }));
  assert.is(registry.whereis('server', 'x')?.config, 1);
});

test('a name needs no config', () => {
  registry.register('server', 'bare');
  assert.ok(registry.has('server', 'bare'));
  assert.is(registry.whereis('server', 'bare')?.config, undefined);
  registry.register('server', 'null', { config: null });
  assert.is(registry.whereis('server', 'null')?.config, null);
});

test('the same id under two kinds is two names', () => {
  registry.register('server', 'x', { config: 1 });
  registry.register('tool', 'x', { config: 2 });
  assert.is(registry.whereis('server', 'x')?.config, 1);
  assert.is(registry.whereis('tool', 'x')?.config, 2);
  assert.is(registry.count('server'), 1);
  assert.is(registry.count(), 2);
});

test('kind and id have a border: ("ab", "c") is not ("a", "bc")', () => {
  registry.register('kind', 'ab');
  assert.not.ok(registry.has('kind', 'a'));
  assert.not.ok(registry.has('kind', 'abc'));
  assert.not.ok(registry.has('kinda', 'b'));
});

test('a taken name is refused, tells whose it is, and is left as it was', () => {
  registry.register('server', 'taken', { config: 'first' });
  const before = registry.whereis('server', 'taken');
  try {
    registry.register('server', 'taken', { config: 'second' });
    assert.unreachable();
  } catch (error) {
    assert.instance(error, AlreadyRegisteredError);
    assert.instance(error, RegistryError);
    const { code, kind, id, owner, name, message } = error as AlreadyRegisteredError;
    assert.equal([code, kind, id, name], ['ALREADY_REGISTERED', 'server', 'taken', 'AlreadyRegisteredError']);
    assert.equal(owner, before?.owner);
    assert.match(message, 'server "taken" is registered by thread 0');
  }
  assert.is(registry.whereis('server', 'taken'), before);
});

test('tryRegister answers what register throws', () => {
  const first = registry.tryRegister('server', 'x', { config: 1 });
  assert.ok(first.ok && first.registration.active);
  const second = registry.tryRegister('server', 'x', { config: 2 });
  assert.ok(!second.ok && second.error instanceof AlreadyRegisteredError);
  assert.is(registry.whereis('server', 'x')?.config, 1);
});

test('tryRegister throws what is wrong with the request itself', () => {
  assert.is(
    codeOf(() => registry.tryRegister('server', '')),
    'INVALID_NAME',
  );
});

test('registerOrUpdate registers, then updates what the same owner has', () => {
  const first = registry.registerOrUpdate('server', 'x', { config: 1 });
  const second = registry.registerOrUpdate('server', 'x', { config: 2 });
  assert.is(registry.whereis('server', 'x')?.config, 2);
  assert.ok(first.active && second.active);
  assert.ok(first.unregister());
  assert.not.ok(second.active);
});

test('registerOrUpdate refuses what another owner has', () => {
  using session = registry.owner();
  registry.register('server', 'theirs', { owner: session, config: 1 });
  assert.is(
    codeOf(() => registry.registerOrUpdate('server', 'theirs', { config: 2 })),
    'ALREADY_REGISTERED',
  );
  assert.is(registry.whereis('server', 'theirs')?.config, 1);
});

test('unregister takes a name back, once', () => {
  registry.register('server', 'x');
  assert.ok(registry.unregister('server', 'x'));
  assert.not.ok(registry.unregister('server', 'x'));
  assert.not.ok(registry.unregister('server', 'never registered'));
  assert.not.ok(registry.unregister('a kind nobody used', 'x'));
  assert.is(registry.whereis('server', 'x'), undefined);
});

test('update replaces the config and gives the version that lookups give', () => {
  registry.register('server', 'x', { config: 1 });
  const before = registry.whereis('server', 'x');
  const version = registry.update('server', 'x', { a: 2 });
  const after = registry.whereis('server', 'x');
  assert.is(after?.version, version);
  assert.is.not(version, before?.version);
  assert.equal(after?.config, { a: 2 });
  assert.is(before?.config, 1);
  registry.update('server', 'x', undefined);
  assert.is(registry.whereis('server', 'x')?.config, undefined);
});

test('update of nothing is NOT_FOUND', () => {
  assert.is(
    codeOf(() => registry.update('server', 'nobody', 1)),
    'NOT_FOUND',
  );
  assert.is(
    codeOf(() => registry.update('a kind nobody used', 'x', 1)),
    'NOT_FOUND',
  );
});

test('compareAndUpdate writes over the version it was told, and over no other', () => {
  registry.register('server', 'x', { config: 0 });
  const { version } = registry.whereis('server', 'x')!;
  assert.ok(registry.compareAndUpdate('server', 'x', version, 1));
  assert.not.ok(registry.compareAndUpdate('server', 'x', version, 2));
  assert.is(registry.whereis('server', 'x')?.config, 1);
  assert.not.ok(registry.compareAndUpdate('server', 'nobody', version, 3));
});

test('the version of a name that was registered again is another', () => {
  registry.register('server', 'x', { config: 0 });
  const { version } = registry.whereis('server', 'x')!;
  registry.unregister('server', 'x');
  registry.register('server', 'x', { config: 0 });
  assert.not.ok(registry.compareAndUpdate('server', 'x', version, 1));
});

test('what can be no version is refused', () => {
  const registration = registry.register('server', 'x', { config: 0 });
  for (const version of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '1', undefined, null]) {
    const code = codeOf(() => registry.compareAndUpdate('server', 'x', version as number, 1));
    assert.is(code, 'INVALID_OPTION', String(version));
    if (version === undefined) continue;
    assert.is(
      codeOf(() => registration.compareAndUpdate(version as number, 1)),
      'INVALID_OPTION',
      String(version),
    );
  }
  assert.is(registry.whereis('server', 'x')?.config, 0);
});

test('an encoded config serves many names', () => {
  const config = encodeConfig({ shared: true });
  registry.register('server', 'a', { config });
  const b = registry.register('server', 'b');
  b.update(config);
  for (const id of ['a', 'b']) assert.equal(registry.whereis('server', id)?.config, { shared: true });
});

test('list gives each entry of its kind once, as whereis does', () => {
  const ids = Array.from({ length: 200 }, (_, n) => `tool ${n}`);
  for (const id of ids) registry.register('tool', id, { config: id });
  registry.register('server', 'not a tool');
  const listed = [...registry.list('tool')];
  assert.equal(listed.map(({ id }) => id).sort(), [...ids].sort());
  for (const entry of listed) assert.equal(entry, registry.whereis('tool', entry.id));
  assert.equal([...registry.list('a kind nobody used')], []);
});

test('a list that is read while names go shows none twice', () => {
  for (let n = 0; n < 100; n++) registry.register('tool', `${n}`);
  const seen = new Set<string>();
  for (const { id } of registry.list('tool')) {
    assert.not.ok(seen.has(id));
    seen.add(id);
    registry.unregister('tool', id);
  }
  assert.is(seen.size, 100);
  assert.is(registry.count('tool'), 0);
});

test.run();
