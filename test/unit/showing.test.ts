import { inspect } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Registry } from '../../src/engine/index.ts';

/* What `console.log` shows of our objects. */
const test = suite('showing');

const oneLine = (value: unknown): string => inspect(value, { breakLength: Number.POSITIVE_INFINITY, compact: 10 });

test('names, owners and registries show what their users know of them', async () => {
  await using registry = await Registry.open({ shards: 1 });
  const owner = registry.owner();
  const registration = registry.register('server', 'billing', { config: { port: 7400 }, owner });
  const ref = registry.ref('server', 'billing');
  const { slot, epoch } = owner;
  assert.is(oneLine(registry), 'Registry { closed: false, opener: true, names: 1 }');
  assert.is(oneLine(registration), "Registration { kind: 'server', id: 'billing', active: true }");
  assert.is(oneLine(owner), `Owner { slot: ${slot}, epoch: ${epoch}, alive: true }`);
  assert.is(
    oneLine(ref),
    "Ref { kind: 'server', id: 'billing', current: { kind: 'server', id: 'billing', config: { port: 7400 }, " +
      `version: ${ref.current()?.version}, owner: { threadId: 0, slot: ${slot}, epoch: ${epoch} } } }`,
  );
  assert.is(oneLine([registration]), "[ Registration { kind: 'server', id: 'billing', active: true } ]");

  owner.close();
  assert.is(oneLine(registration), "Registration { kind: 'server', id: 'billing', active: false }");
  assert.is(oneLine(owner), `Owner { slot: ${slot}, epoch: ${epoch}, alive: false }`);
  assert.is(oneLine(ref), "Ref { kind: 'server', id: 'billing', current: undefined }");

  await using attached = Registry.attach(registry.handle);
  assert.is(oneLine(attached), 'Registry { closed: false, opener: false, names: 0 }');
});

test('they are shown after the close too', async () => {
  const registry = await Registry.open({ shards: 1 });
  const registration = registry.register('server', 'billing');
  const ref = registry.ref('server', 'billing');
  await registry.close();
  assert.is(oneLine(registry), 'Registry { closed: true }');
  assert.is(oneLine(registration), "Registration { kind: 'server', id: 'billing', active: false }");
  assert.is(oneLine(ref), "Ref { kind: 'server', id: 'billing', current: 'CLOSED' }");
});

test.run();
