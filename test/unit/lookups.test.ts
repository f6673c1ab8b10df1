import { inspect } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Registry } from '../../src/engine/index.ts';
import { LookupCache } from '../../src/engine/lookup-cache.ts';

const test = suite('lookups');

const registry = await Registry.open();
test.after(() => registry.close());
test.after.each(() => {
  for (const { id } of [...registry.list('server')]) registry.unregister('server', id);
});

test('lookups share one entry until it changes, by whatever way they came to it', () => {
  registry.register('server', 'x', { config: { a: [1] } });
  const entry = registry.whereis('server', 'x');
  assert.is(registry.whereis('server', 'x'), entry);
  assert.is(registry.whereis('server', 'x')?.config, entry?.config);
  registry.update('server', 'x', { a: [1] });
  assert.is.not(registry.whereis('server', 'x'), entry);
});

test('a ref gives one entry until it changes', () => {
  registry.register('server', 'x', { config: 1 });
  const ref = registry.ref('server', 'x');
  const entry = ref.current();
  assert.is(ref.current(), entry);
  registry.update('server', 'x', 2);
  assert.is(ref.current()?.config, 2);
  assert.is(entry?.config, 1);
});

test('entries and configs are frozen', () => {
  registry.register('server', 'x', { config: { a: [{ b: 1 }] } });
  const entry = registry.whereis('server', 'x')!;
  const config = entry.config as { a: [{ b: number }] };
  for (const part of [entry, entry.owner, config, config.a, config.a[0]]) assert.ok(Object.isFrozen(part));
  assert.throws(() => Object.assign(config.a[0], { b: 2 }), TypeError);
});

test('what a caller does to its own config afterwards changes nothing', () => {
  const config = { list: [1] };
  registry.register('server', 'x', { config });
  config.list.push(2);
  assert.equal(registry.whereis('server', 'x')?.config, { list: [1] });
});

test('a ref made before the name is registered finds it', () => {
  const ref = registry.ref('server', 'later');
  assert.is(ref.current(), undefined);
  registry.register('server', 'later', { config: 1 });
  assert.is(ref.current()?.config, 1);
});

test('a ref made before its kind was ever used finds the name', () => {
  const ref = registry.ref('kind that comes later', 'x');
  assert.is(ref.current(), undefined);
  registry.register('kind that comes later', 'x', { config: 1 });
  assert.is(ref.current()?.config, 1);
});

test('a ref follows its name through all that happens to it', () => {
  const ref = registry.ref('server', 'x');
  for (let round = 0; round < 5; round++) {
    const registration = registry.register('server', 'x', { config: { round } });
    assert.equal(ref.current()?.config, { round });
    registration.update('updated');
    assert.is(ref.current()?.config, 'updated');
    registration.unregister();
    assert.is(ref.current(), undefined);
    using session = registry.owner();
    registry.register('server', 'x', { owner: session, config: 'theirs' });
    assert.is(ref.current()?.config, 'theirs');
    session.close();
    assert.is(ref.current(), undefined);
  }
});

test('an absence that was looked up is forgotten when the name appears', () => {
  for (let round = 0; round < 3; round++) {
    for (let again = 0; again < 2; again++) {
      assert.is(registry.whereis('server', 'x'), undefined);
      assert.not.ok(registry.has('server', 'x'));
    }
    registry.register('server', 'x', { config: round });
    assert.is(registry.whereis('server', 'x')?.config, round);
    assert.ok(registry.has('server', 'x'));
    registry.unregister('server', 'x');
  }
});

test('an absence is forgotten too when the name comes back from a dead owner', () => {
  const session = registry.owner();
  registry.register('server', 'x', { owner: session });
  session.close();
  assert.is(registry.whereis('server', 'x'), undefined);
  registry.register('server', 'x', { config: 'mine' });
  assert.is(registry.whereis('server', 'x')?.config, 'mine');
});

test('an absence under a kind nobody has used is no answer for another kind', () => {
  assert.is(registry.whereis('unused kind one', 'x'), undefined);
  assert.is(registry.whereis('unused kind two', 'x'), undefined);
  registry.register('unused kind one', 'x');
  assert.ok(registry.whereis('unused kind one', 'x'));
  assert.is(registry.whereis('unused kind two', 'x'), undefined);
  assert.is(registry.whereis('unused kind three', 'x'), undefined);
  assert.ok(registry.unregister('unused kind one', 'x'));
});

test('kinds and ids that are names of properties are names like others', () => {
  for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
    assert.is(registry.whereis(name, name), undefined);
    registry.register(name, name, { config: { [name]: name } });
    assert.equal(registry.whereis(name, name)!.config, JSON.parse(`{"${name}":"${name}"}`));
    assert.equal(
      [...registry.list(name)].map(({ id }) => id),
      [name],
    );
    assert.ok(registry.unregister(name, name));
  }
});

test('an entry prints and serialises as what it says', () => {
  registry.register('server', 'x', { config: { port: 1 } });
  const entry = registry.whereis('server', 'x')!;
  const { version, owner } = entry;
  assert.equal(JSON.parse(JSON.stringify(entry)), { kind: 'server', id: 'x', config: { port: 1 }, version, owner });
  assert.match(inspect(entry), "id: 'x'");
});

test('another attachment of the same thread sees the same', async () => {
  await using other = Registry.attach(registry.handle);
  registry.register('server', 'x', { config: 1 });
  assert.equal(other.whereis('server', 'x'), registry.whereis('server', 'x'));
  other.update('server', 'x', 2);
  assert.is(registry.whereis('server', 'x')?.config, 2);
});

test('more names than a thread caches are found all the same', () => {
  const names = 3_000;
  const generationMax = LookupCache.generationNamesMax;
  Object.defineProperty(LookupCache, 'generationNamesMax', { value: 1_000, configurable: true });
  try {
    for (let n = 0; n < names; n++) registry.register('server', `${n}`, { config: n });
    for (let round = 0; round < 2; round++) {
      for (let n = 0; n < names; n++) assert.is(registry.whereis('server', `${n}`)?.config, n);
    }
  } finally {
    Object.defineProperty(LookupCache, 'generationNamesMax', { value: generationMax, configurable: true });
  }
});

test.run();
