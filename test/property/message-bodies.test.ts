// A message arrives as `structuredClone` would copy it, whichever way it is written: random values, with parts that occur twice and
// with those that JSON would lose or change.
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { limits } from '../../src/shared/limits.ts';
import { Body, readBody } from '../../src/shared/message-body.ts';
import { plainJson } from '../../src/shared/plain-json.ts';
import { property } from '../support/property.ts';

const test = suite('message bodies');
const bytes = Buffer.from(new SharedArrayBuffer(1 << 20));

function sent(value: unknown, body = new Body(value)): unknown {
  body.write(bytes, 8);
  return readBody(bytes, 8, body.byteLength, body.encoding);
}

/** Equal, and where a part occurs twice in one, it does so in the other. */
function isSame(one: unknown, other: unknown, pairs = new Map<object, unknown>()): boolean {
  if (pairs.size === 0 && !isDeepStrictEqual(one, other)) return false;
  if (typeof one !== 'object' || one === null) return true;
  if (pairs.has(one)) return pairs.get(one) === other;
  if ([...pairs.values()].includes(other)) return false;
  pairs.set(one, other);
  const [a, b] = [one, other] as Record<string, unknown>[];
  return Object.keys(a).every((key) => isSame(a[key], b[key], pairs));
}

const key = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 4 }),
  fc.constantFrom('a', '7', '__proto__', 'toJSON', 'constructor'),
);
const leaf = fc.oneof(
  { weight: 6, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }) },
  { weight: 6, arbitrary: fc.oneof(fc.integer(), fc.double({ noNaN: true }), fc.boolean(), fc.constant(null)) },
  {
    weight: 1,
    arbitrary: fc.anything({
      maxDepth: 1,
      withBigInt: true,
      withBoxedValues: true,
      withDate: true,
      withMap: true,
      withNullPrototype: true,
      withSet: true,
      withSparseArray: true,
      withTypedArray: true,
    }),
  },
  { weight: 1, arbitrary: fc.constantFrom(-0, Number.NaN, Number.POSITIVE_INFINITY, undefined, 1n) },
);
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(key, tie('value'), { maxKeys: 5, noNullPrototype: false }),
    tie('value').map((part) => ({ part, again: [part] })),
  ),
}));

const exportsOne: string = 'data:text/javascript,export const a = 1';

class Point {
  x = 1;
}

let asJson = 0;
property(
  test,
  'arrive as structuredClone copies them',
  fc.property(value, (message) => {
    if (message instanceof Uint8Array) return; // which arrives as a Buffer
    const expected = structuredClone(message);
    assert.ok(isSame(expected, sent(message)), 'as it is written by itself');
    assert.ok(isSame(expected, sent(message, new Body(message, false))), 'as a clone');
    if (typeof message === 'object' && message !== null && plainJson(message) !== undefined) asJson++;
  }),
  { numRuns: 2_000 },
);
test('some of these went as JSON', () => assert.ok(asJson > 100, `${asJson} did`));

/** Each as it is: no JSON says all of it. */
const notPlain: readonly (readonly [string, object])[] = [
  ['nothing in it', {}],
  ['a field that is undefined', { a: undefined }],
  ['a hole', sparse()],
  ['-0', [-0]],
  ['NaN', { a: Number.NaN }],
  ['numbers for keys', { 1: 'a' }],
  ['a date', { at: new Date(7) }],
  ['a map', { map: new Map([[1, 2]]) }],
  ['a map that looks like a plain object', Object.setPrototypeOf(new Map([[1, 2]]), Object.prototype)],
  ['a part that occurs twice', twice({ a: 1 })],
  ['a cycle', cycle()],
  ['what a match has besides its elements', 'abc'.match(/(b)/) as object],
  ['a class’s prototype', new Point()],
  [
    'a function by which JSON would be told something else',
    Object.defineProperty({ a: 1 }, 'toJSON', { value: () => 2 }),
  ],
  ['more objects than are looked at', Array.from({ length: limits.jsonObjectsMax }, () => [1])],
  ['more elements than are looked at', Array.from({ length: limits.jsonFieldsMax + 1 }, () => 1)],
];
for (const [what, message] of notPlain) {
  test(`no JSON: ${what}`, () => {
    assert.is(plainJson(message), undefined);
    assert.ok(isSame(structuredClone(message), sent(message)));
  });
}

for (const [what, message] of [
  [
    'fields of every type',
    { text: '"\\\n\ud800', wide: '€', number: -1.5e300, yes: true, no: false, nothing: null, list: [] },
  ],
  ['a null prototype', Object.assign(Object.create(null), { a: [1] })],
  ['a key called __proto__', JSON.parse('{"__proto__":1}')],
  ['as many objects as are looked at', Array.from({ length: limits.jsonObjectsMax - 1 }, () => [1])],
] as const) {
  test(`JSON: ${what}`, () => {
    assert.is(typeof plainJson(message), 'string');
    assert.ok(isSame(structuredClone(message), sent(message)));
  });
}

test('what is refused is not made plain by looking like it', async () => {
  const module = await import(exportsOne);
  for (const message of [
    new Proxy({ a: 1 }, {}),
    new Proxy([1], {}),
    { a: () => 1 },
    argumentsOf(1),
    module,
    module,
    { s: Symbol('s') },
  ]) {
    assert.throws(() => structuredClone(message));
    assert.throws(
      () => new Body(message),
      ({ code }: { code: string }) => code === 'INVALID_MESSAGE',
    );
  }
});

test('what is larger as JSON than it may be goes as a clone, if that is smaller', () => {
  const message = { escapes: '\u0001'.repeat(100) };
  const large = new Body(message);
  const small = Body.within(message, large.byteLength - 1);
  assert.ok(small.byteLength < large.byteLength);
  assert.ok(isSame(message, sent(message, small)));
  assert.is(Body.within(message, large.byteLength).byteLength, large.byteLength);
});

test('JSON that memory has lost is a message that cannot be read', () => {
  const body = new Body({ a: 1 });
  body.write(bytes, 8);
  assert.throws(
    () => readBody(bytes, 9, body.byteLength - 1, body.encoding),
    ({ code }: { code: string }) => code === 'INVALID_MESSAGE',
  );
});

function twice(part: object): object {
  return { part, again: part };
}

function cycle(): object {
  const one: Record<string, unknown> = { a: 1 };
  one.self = one;
  return one;
}

function sparse(): object {
  const list = [1];
  list[2] = 3;
  return list;
}

function argumentsOf(..._: unknown[]): object {
  // biome-ignore lint/complexity/noArguments: that is the case
  return arguments;
}

test.run();
