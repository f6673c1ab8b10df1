import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Registry } from '../../src/engine/index.ts';
import { defaults } from '../../src/shared/limits.ts';
import { allocateTable } from '../../src/shared/table.ts';

/*
 * "Not registered" is cached, too. It must be forgotten as soon as the name appears, however the lookup and the
 * registration lie in time: here one is put before and after each atomic access of the other.
 */
const test = suite('cached absence');

const names = ['load', 'store', 'compareExchange'] as const;

/** Lets something happen at the n-th atomic access of a run, before or after it. @returns whether it came to that. */
function interrupt(n: number, after: boolean, run: () => void, act: () => void): boolean {
  const originals = names.map((name) => [name, Atomics[name]] as const);
  let count = 0;
  const step = () => {
    if (count++ === n) act();
  };
  for (const [name, original] of originals) {
    const call = original as (...values: unknown[]) => unknown;
    replace(name, (...values: unknown[]) => {
      if (!after) step();
      const result = call(...values);
      if (after) step();
      return result;
    });
  }
  try {
    run();
  } finally {
    for (const [name, original] of originals) replace(name, original);
  }
  return count > n;
}

function replace(name: (typeof names)[number], value: unknown): void {
  Object.defineProperty(Atomics, name, { value, writable: true, configurable: true });
}

function stage(): { writer: Registry; reader: Registry } {
  const handle = allocateTable({ ...defaults, shards: 1, entriesPerShardMax: 255 });
  const [writer, reader] = [Registry.attach(handle), Registry.attach(handle)];
  writer.register('kind', 'another');
  reader.whereis('kind', 'another');
  return { writer, reader };
}

const lookups: Record<string, (reader: Registry) => () => unknown> = {
  whereis: (reader) => () => reader.whereis('kind', 'x'),
  ref: (reader) => {
    const ref = reader.ref('kind', 'x');
    return () => ref.current();
  },
  has: (reader) => () => reader.has('kind', 'x') || undefined,
  members: (reader) => () => reader.groups.members('x')[0],
  'members again': (reader) => {
    reader.groups.members('x');
    return () => reader.groups.members('x')[0];
  },
};

/** What the lookups ask for comes to be there. */
const appear = (way: string, writer: Registry): unknown =>
  way.startsWith('members') ? writer.groups.join('x') : writer.register('kind', 'x');

for (const [way, lookupOf] of Object.entries(lookups)) {
  for (const after of [false, true]) {
    const when = after ? 'after' : 'before';

    test(`${way}: a registration ${when} each access of a lookup is seen by the next`, async () => {
      for (let n = 0, came = true; came; n++) {
        const { writer, reader } = stage();
        const lookUp = lookupOf(reader);
        came = interrupt(n, after, lookUp, () => appear(way, writer));
        if (!came) appear(way, writer);
        assert.ok(lookUp(), `access ${n}`);
        if (!way.startsWith('members'))
          assert.ok(reader.whereis('kind', 'x') && reader.has('kind', 'x') && reader.ref('kind', 'x').current());
        await Promise.all([writer.close(), reader.close()]);
      }
    });

    test(`${way}: a lookup ${when} each access of a registration is no longer believed afterwards`, async () => {
      for (let n = 0, came = true; came; n++) {
        const { writer, reader } = stage();
        const lookUp = lookupOf(reader);
        came = interrupt(n, after, () => appear(way, writer), lookUp);
        assert.ok(lookUp(), `access ${n}`);
        await Promise.all([writer.close(), reader.close()]);
      }
    });
  }
}

test.run();
