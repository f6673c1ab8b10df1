import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Registry } from '../../src/engine/index.ts';
import { limits } from '../../src/shared/limits.ts';
import { auditEmpty } from '../support/bookkeeping.ts';
import { codeOf } from '../support/errors.ts';
import { property } from '../support/property.ts';

/*
 * Any text of Unicode with 1 to 255 UTF-8 bytes is a name, as a kind and as an id, and comes back as it was; any other
 * string is INVALID_NAME and changes nothing.
 */
const test = suite('names');

const registry = await Registry.open();
test.after(async () => {
  auditEmpty(registry, ['kind']);
  await registry.close();
});

const units = ['binary', 'grapheme', 'grapheme-composite', 'binary-ascii', 'grapheme-ascii'] as const;
/** Also what is no text: any sequence of UTF-16 code units. */
const codeUnits = fc.array(fc.nat(0xffff), { maxLength: 140 }).map((units) => String.fromCharCode(...units));
const strings = fc.oneof(
  ...units.map((unit) => fc.string({ unit, maxLength: 300, size: 'max' })),
  codeUnits,
  // What is easily lost: NULs, marks, orders of writing, noncharacters, the ends of planes.
  fc.string({
    unit: fc.constantFrom('\0', '\ufeff', '\u202e', '\u0301', '\uffff', '\u{10ffff}', '\ud7ff', '\ue000', 'a'),
  }),
);

const isName = (text: string): boolean => {
  const bytes = Buffer.byteLength(text, 'utf8');
  return text.isWellFormed() && bytes >= 1 && bytes <= limits.nameBytesMax;
};

property(
  test,
  'names: text is found again as it was, all else is refused',
  fc.property(strings, (id) => {
    if (!isName(id)) {
      for (const call of ['register', 'whereis', 'has', 'unregister', 'ref'] as const) {
        assert.is(
          codeOf(() => registry[call]('kind', id)),
          'INVALID_NAME',
        );
      }
      return;
    }
    using registration = registry.register('kind', id, { config: id });
    assert.ok(registration.active);
    assert.is(registry.whereis('kind', id)?.id, id);
    assert.is(registry.ref('kind', id).current()?.config, id);
    assert.equal(
      [...registry.list('kind')].map((entry) => entry.id),
      [id],
    );
  }),
  { numRuns: 3_000 },
);

property(
  test,
  'names: kinds are what ids are',
  fc.property(fc.string({ unit: 'binary', maxLength: 300, size: 'max' }), (kind) => {
    if (isName(kind)) assert.is(registry.whereis(kind, 'x'), undefined);
    else
      assert.is(
        codeOf(() => registry.whereis(kind, 'x')),
        'INVALID_NAME',
      );
  }),
  { numRuns: 1_000 },
);

property(
  test,
  'names: two different ones are two, however alike they look',
  fc.property(fc.uniqueArray(strings.filter(isName), { minLength: 2, maxLength: 20 }), (ids) => {
    const registrations = ids.map((id, n) => registry.register('kind', id, { config: n }));
    for (const [n, id] of ids.entries()) assert.is(registry.whereis('kind', id)?.config, n);
    assert.equal([...registry.list('kind')].map(({ id }) => id).sort(), [...ids].sort());
    for (const registration of registrations) assert.ok(registration.unregister());
    assert.is(registry.count('kind'), 0);
  }),
  { numRuns: 300 },
);

property(
  test,
  'names: what normalises to the same is not the same',
  fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }), (text) => {
    const forms = new Set(['NFC', 'NFD', 'NFKC', 'NFKD'].map((form) => text.normalize(form)).filter(isName));
    const registrations = [...forms].map((id) => registry.register('kind', id));
    assert.is(registry.count('kind'), forms.size);
    for (const registration of registrations) registration.unregister();
  }),
);

test.run();
