import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { encodeConfig, type JsonValue, Registry } from '../../src/engine/index.ts';
import { auditEmpty } from '../support/bookkeeping.ts';
import { codeOf, refusal } from '../support/errors.ts';
import { property } from '../support/property.ts';

/*
 * Any JSON value up to the limit comes back as JSON says it is, at every size of its text, narrow or wide; a byte more
 * is CONFIG_TOO_LARGE and changes nothing.
 */
const test = suite('configs');

const configBytesMax = 100_000;
const registry = await Registry.open({ shards: 1, configBytesMax });
test.after(async () => {
  auditEmpty(registry, ['kind']);
  await registry.close();
});

/** Registers it and updates to it; reads it by each way there is. */
function roundTrip(config: JsonValue): void {
  const expected = JSON.stringify(config);
  using registration = registry.register('kind', 'x', { config });
  const entries = () => [registry.whereis('kind', 'x'), registry.ref('kind', 'x').current(), ...registry.list('kind')];
  for (const entry of entries()) assert.is(JSON.stringify(entry?.config), expected);
  registration.update('another');
  registration.update(encodeConfig(config));
  for (const entry of entries()) assert.is(JSON.stringify(entry?.config), expected);
}

property(
  test,
  'configs: any JSON value comes back',
  fc.property(fc.jsonValue({ stringUnit: 'binary' }), (config) => roundTrip(config as JsonValue)),
  { numRuns: 1_000 },
);

const character = fc.constantFrom('x', 'é', '\xff', '\u0100', '漢', '😀', '\ud800');
property(
  test,
  'configs: text of any length comes back, or is too large',
  fc.property(fc.array(fc.tuple(character, fc.nat(9_000)), { maxLength: 6 }), (parts) => {
    const config = parts.map(([unit, times]) => unit.repeat(times)).join('');
    if (encodeConfig(config).byteLength <= configBytesMax) roundTrip(config);
    else
      assert.is(
        codeOf(() => registry.register('kind', 'x', { config })),
        'CONFIG_TOO_LARGE',
      );
  }),
);

property(
  test,
  'configs: sizes around every border come back',
  fc.property(
    fc.constantFrom(...[16, 24, 128, 144, 1_024, 8_192, 16_384, 32_768, 49_152, 65_536, configBytesMax]),
    fc.integer({ min: -12, max: 12 }),
    fc.boolean(),
    (border, offset, wide) => {
      // Quotes are stored, and the four bytes of the header, and two bytes for each wide character.
      const stored = Math.min(border + offset, configBytesMax);
      roundTrip(wide ? `漢${'x'.repeat(Math.max(0, (stored >> 1) - 3))}` : 'x'.repeat(stored - 2));
    },
  ),
  { numRuns: 500 },
);

property(
  test,
  'configs: the limit is exact, in stored bytes',
  fc.property(fc.integer({ min: -3, max: 3 }), fc.boolean(), (over, wide) => {
    const length = (wide ? configBytesMax / 2 : configBytesMax) - 2 + over;
    const config = wide ? `漢${'x'.repeat(length - 1)}` : 'x'.repeat(length);
    if (over <= 0) return roundTrip(config);
    const bytes = configBytesMax + over * (wide ? 2 : 1);
    const { code, message } = refusal(() => registry.register('kind', 'x', { config }));
    assert.is(code, 'CONFIG_TOO_LARGE');
    assert.match(message, `${bytes} bytes`);
    assert.is(registry.count(), 0);
  }),
);

test.run();
