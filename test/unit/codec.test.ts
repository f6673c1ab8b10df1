import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { EncodedConfig, encodeConfig, type JsonValue } from '../../src/engine/index.ts';
import { decodeConfig } from '../../src/shared/codec.ts';
import { codeOf } from '../support/errors.ts';

const test = suite('codec');

test('text of Latin-1 takes a byte a character, other text two', () => {
  const cases: [JsonValue, number][] = [
    ['', 2],
    [{}, 2],
    [null, 4],
    ['é\xff', 4],
    ['€', 6],
    [{ a: '漢' }, 18],
    [['x', '😀'], 20],
  ];
  for (const [config, bytes] of cases) assert.is(encodeConfig(config).byteLength, bytes, JSON.stringify(config));
});

test('what was encoded decodes to the same', () => {
  for (const config of [null, true, 0, -1.5e300, '', 'é', '漢😀\0', [], [[]], { a: { b: [1, null, 'x'] } }]) {
    assert.equal(decodeConfig(encodeConfig(config).text), config);
  }
});

test('an encoded config is passed on as it is', () => {
  const encoded = encodeConfig({ port: 7400 });
  assert.is(encodeConfig(encoded), encoded);
  assert.instance(encoded, EncodedConfig);
});

test('what JSON cannot say is refused with its cause', () => {
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  const throwing = { toJSON: () => assert.unreachable('as any user code may') };
  for (const config of [undefined, () => 1, Symbol('x'), 1n, { n: 1n }, cycle, throwing]) {
    assert.is(
      codeOf(() => encodeConfig(config as JsonValue)),
      'INVALID_CONFIG',
      typeof config,
    );
  }
});

test('a decoded config is frozen to its depth', () => {
  const config = decodeConfig('{"a":[{"b":{}}]}') as { a: [{ b: object }] };
  for (const part of [config, config.a, config.a[0], config.a[0].b]) assert.ok(Object.isFrozen(part));
});

test('a key named __proto__ is a key, and changes no prototype', () => {
  const config = decodeConfig('{"__proto__":{"c":[]}}') as object;
  assert.is(Object.getPrototypeOf(config), Object.prototype);
  const [own] = Object.values(config);
  assert.ok(Object.isFrozen(own) && Object.isFrozen(own.c));
});

test('a config may nest deeper than the call stack reaches', () => {
  const depth = 100_000;
  let config = decodeConfig('['.repeat(depth) + ']'.repeat(depth));
  let found = 0;
  for (; Array.isArray(config) && config.length > 0; config = config[0]) {
    if (!Object.isFrozen(config)) assert.unreachable(`level ${found} is not frozen`);
    found++;
  }
  assert.is(found, depth - 1);
});

test.run();
