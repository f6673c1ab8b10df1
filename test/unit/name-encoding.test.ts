import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { limits } from '../../src/shared/limits.ts';
import { NameKey, quote } from '../../src/shared/name-key.ts';
import { codeOf, refusal } from '../support/errors.ts';

const test = suite('name encoding');

/** What `encode` leaves: the bytes, padded to whole words with zeroes. */
function encoded(key: NameKey, id: string, kind = 1): Buffer {
  key.encode(kind, id);
  assert.is(key.meta, key.byteLength | (kind << 8));
  assert.is(key.wordLength, Math.ceil(key.byteLength / 4));
  return Buffer.from(key.bytes.subarray(0, key.wordLength * 4));
}

function padded(id: string): Buffer {
  const bytes = Buffer.from(id, 'utf8');
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}

/** Each length of ASCII, of two-, three- and four-byte characters, and of all of them behind ASCII. */
const lengths = Array.from({ length: limits.nameBytesMax }, (_, n) => n + 1);
const alphabets = ['a~Z 09\x7f', 'éßþ\x80\xff', '\u0800漢字\uffff', '😀🏳\u{10ffff}'];

for (const [n, alphabet] of alphabets.entries()) {
  const characters = [...alphabet];
  test(`all lengths of ${n + 1}-byte characters are UTF-8, zero-padded`, () => {
    // One key for all: what a longer name left behind must not show.
    const key = new NameKey(1, 2);
    for (const bytes of [...lengths].reverse()) {
      const count = Math.floor(bytes / (n + 1));
      const tail = Array.from({ length: count }, (_, at) => characters[at % characters.length]).join('');
      const id = 'x'.repeat(bytes - count * (n + 1)) + tail;
      assert.is(Buffer.byteLength(id), bytes);
      assert.equal(encoded(key, id), padded(id), `${bytes} bytes`);
      assert.is(key.byteLength, bytes);
    }
  });
}

test('a NUL is a character like others: names that differ by one are not the same', () => {
  const key = new NameKey(1, 2);
  const hashes = ['a', 'a\0', 'a\0\0', '\0a', '\0', '\0\0'].map((id) => {
    assert.equal(encoded(key, id), padded(id));
    return `${key.meta} ${key.hash}`;
  });
  assert.is(new Set(hashes).size, hashes.length);
});

test('kinds tell names apart', () => {
  const key = new NameKey(1, 2);
  key.encode(1, 'same');
  const first = key.hash;
  key.encode(2, 'same');
  assert.is.not(key.hash, first);
});

test('255 bytes are a name, 256 are none, however they are spelt', () => {
  const key = new NameKey(1, 2);
  for (const [fits, tooLong] of [
    ['x'.repeat(255), 'x'.repeat(256)],
    [`x${'é'.repeat(127)}`, 'é'.repeat(128)],
    ['漢'.repeat(85), `x${'漢'.repeat(85)}`],
    [`abc${'😀'.repeat(63)}`, '😀'.repeat(64)],
    ['é'.repeat(127), 'é'.repeat(200)],
  ]) {
    key.encode(1, fits);
    assert.is(
      codeOf(() => key.encode(1, tooLong)),
      'INVALID_NAME',
    );
    assert.match(
      refusal(() => key.encode(1, tooLong)).message,
      `${Buffer.byteLength(tooLong)} UTF-8 bytes; at most 255`,
    );
  }
});

test('an empty name, half a character, and what is no string are refused', () => {
  const key = new NameKey(1, 2);
  for (const id of [
    '',
    '\ud83d',
    '\ude00',
    'a\ud83d',
    '\ude00\ud83d',
    `ok${'\ud800'}ok`,
    5,
    null,
    undefined,
    {},
    ['a'],
  ]) {
    assert.is(
      codeOf(() => key.encode(1, id as string)),
      'INVALID_NAME',
      String(id),
    );
  }
});

test('a refused name leaves the key usable', () => {
  const key = new NameKey(1, 2);
  key.encode(1, 'good');
  const { hash } = key;
  assert.throws(() => key.encode(1, 'bad\ud800'));
  key.encode(1, 'good');
  assert.is(key.hash, hash);
});

test('a quoted name is one short line', () => {
  assert.is(quote('a\nb"c'), '"a\\nb\\"c"');
  assert.is(quote('x'.repeat(255)).length, 63);
  assert.ok(quote(`${'x'.repeat(59)}😀`).isWellFormed());
});

test.run();
