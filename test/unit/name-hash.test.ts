import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Registry } from '../../src/engine/index.ts';
import { Header } from '../../src/shared/layout.ts';
import { NameKey } from '../../src/shared/name-key.ts';
import { Random } from '../support/random.ts';

const test = suite('name hash');

/** The rounds of HalfSipHash-c-d with a 32-bit result, over words: plain, and nothing shared with what it checks. */
function halfSipHash(words: readonly number[], key: readonly [number, number], c: number, d: number): number {
  const rotate = (x: number, by: number) => (x << by) | (x >>> (32 - by));
  let [v0, v1, v2, v3] = [key[0], key[1], 0x6c796765 ^ key[0], 0x74656462 ^ key[1]];
  const rounds = (count: number) => {
    for (let n = 0; n < count; n++) {
      v0 = (v0 + v1) | 0;
      v1 = rotate(v1, 5) ^ v0;
      v0 = rotate(v0, 16);
      v2 = (v2 + v3) | 0;
      v3 = rotate(v3, 8) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = rotate(v3, 7) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = rotate(v1, 13) ^ v2;
      v2 = rotate(v2, 16);
    }
  };
  for (const word of words) {
    v3 ^= word;
    rounds(c);
    v0 ^= word;
  }
  v2 ^= 0xff;
  rounds(d);
  return v1 ^ v3;
}

/** Little-endian words of bytes that are padded with zeroes. */
function wordsOf(bytes: Uint8Array): number[] {
  const padded = Buffer.alloc(Math.ceil(bytes.length / 4) * 4);
  padded.set(bytes);
  return Array.from({ length: padded.length / 4 }, (_, n) => padded.readInt32LE(n * 4));
}

test('the comparison is right: published vectors of HalfSipHash-2-4', () => {
  // `vectors_hsip32` of the reference implementation: key 00 01 … 07, message 00 01 … n-1.
  const vectors = ['a9359f5b', '27475ab8', 'fa62a603', '8afee704'];
  for (const [length, vector] of vectors.entries()) {
    const last = Buffer.from([0, 1, 2, 3]);
    last.fill(0, length);
    last[3] = length;
    const hash = halfSipHash(wordsOf(last), [0x03020100, 0x07060504], 2, 4);
    assert.is(hash, Buffer.from(vector, 'hex').readInt32LE());
  }
});

/** Ours takes `meta`, which has the length, before the name instead of a last block that has it. */
function expectedHash(id: string, kind: number, key: readonly [number, number]): number {
  const bytes = Buffer.from(id, 'utf8');
  return halfSipHash([(kind << 8) | bytes.length, ...wordsOf(bytes)], key, 1, 3);
}

test('names hash as HalfSipHash-1-3 over kind, length and words says', () => {
  const random = new Random(1);
  for (const key of [
    [0, 0],
    [0x03020100, 0x07060504],
    [-1, 0x7fffffff],
  ] as [number, number][]) {
    const nameKey = new NameKey(...key);
    for (let bytes = 1; bytes <= 255; bytes++) {
      const kind = random.below(1024) + 1;
      const wide = random.below(2) === 1;
      const id = wide ? 'é'.repeat(bytes >> 1) + 'x'.repeat(bytes & 1) : 'abcdefg'.repeat(40).slice(0, bytes);
      nameKey.encode(kind, id);
      assert.is(nameKey.hash, expectedHash(id, kind, key), `${bytes} bytes`);
    }
  }
});

test('known answers do not change: readers of one registry may run different builds of this package', () => {
  const key = new NameKey(0x03020100, 0x07060504);
  const hash = (kind: number, id: string) => {
    key.encode(kind, id);
    return key.hash >>> 0;
  };
  assert.equal(
    [hash(1, 'a'), hash(1, 'billing'), hash(2, 'billing'), hash(1, 'é漢😀')],
    [0x9fec7cc9, 0xcedad875, 0x2477b2ee, 0xdca8a2cd],
  );
});

test('hashes spread: all bits of them move, and few of 100,000 names collide', () => {
  const key = new NameKey(0x12345678, 0x1abcdef0);
  const seen = new Set<number>();
  const ones = new Array<number>(32).fill(0);
  for (let n = 0; n < 100_000; n++) {
    key.encode(1, `session-${n}`);
    seen.add(key.hash);
    for (let bit = 0; bit < 32; bit++) ones[bit] += (key.hash >>> bit) & 1;
  }
  assert.ok(seen.size > 99_990, `${seen.size} different hashes`); // about 1.2 pairs are to be expected
  for (const count of ones) assert.ok(Math.abs(count - 50_000) < 1_500, `${ones}`);
});

test('two registries hash differently', async () => {
  await using one = await Registry.open({ shards: 1 });
  await using other = await Registry.open({ shards: 1 });
  const hashes = [one, other].map(({ handle }) => {
    const words = new Int32Array(handle.control);
    const key = new NameKey(words[Header.hashKey], words[Header.hashKey + 1]);
    return Array.from({ length: 8 }, (_, n) => {
      key.encode(1, `name ${n}`);
      return key.hash;
    });
  });
  assert.not.equal(hashes[0], hashes[1]);
});

test.run();
