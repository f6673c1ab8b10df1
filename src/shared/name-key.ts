import { RegistryError } from './errors.ts';
import { limits } from './limits.ts';

/** The method itself: looked up in `String.prototype` at each call, it takes three times as long once any module has deleted
 *  a property there (some do), as V8 then keeps the prototype in a hash table. */
const charCodeAt = Function.prototype.call.bind(String.prototype.charCodeAt) as (text: string, index: number) => number;

/** The bits of a hash that choose one of `limits.shardsMax` shards. */
const SHARD_BITS = ~(-1 >>> Math.log2(limits.shardsMax));

/** Ends what would break a message's line, and cuts what would flood it. */
export function quote(name: string): string {
  return JSON.stringify(name.length > 60 ? `${name.slice(0, 60)}…` : name);
}

/**
 * A name ready to be looked up: its UTF-8 bytes as zero-padded little-endian words, and its hash.
 *
 * One per thread and table, overwritten by each `encode`: valid until the next.
 */
export class NameKey {
  readonly words: Int32Array<ArrayBuffer> = new Int32Array(64);
  readonly bytes: Buffer<ArrayBuffer> = Buffer.from(this.words.buffer);
  byteLength = 0;
  wordLength = 0;
  /** Byte length | kind << 8, as in `Record.meta`. */
  meta = 0;
  hash = 0;
  readonly #key0: number;
  readonly #key1: number;

  /** The two secret words of the registry: without them nobody can prepare names that collide. */
  constructor(key0: number, key1: number) {
    this.#key0 = key0;
    this.#key1 = key1;
  }

  /** @throws {RegistryError} `INVALID_NAME`: not a string, empty, over 255 UTF-8 bytes, or a lone surrogate. */
  encode(kind: number, id: string): void {
    if (typeof id !== 'string') throw new RegistryError('INVALID_NAME', `a name is a string, not ${typeof id}`);
    const length = id.length;
    if (length === 0 || length > limits.nameBytesMax) throw refuseLength(id);
    const words = this.words;
    let seen = 0;
    let word = 0;
    let n = 0;
    for (; n + 3 < length; n += 4) {
      const a = charCodeAt(id, n);
      const b = charCodeAt(id, n + 1);
      const c = charCodeAt(id, n + 2);
      const d = charCodeAt(id, n + 3);
      seen |= a | b | c | d;
      words[word++] = a | (b << 8) | (c << 16) | (d << 24);
    }
    if (n < length) {
      let last = 0;
      for (let shift = 0; n < length; n++, shift += 8) {
        const a = charCodeAt(id, n);
        seen |= a;
        last |= a << shift;
      }
      words[word++] = last;
    }
    this.byteLength = length;
    this.wordLength = word;
    if (seen > 0x7f) this.#encodeUtf8(id);
    this.meta = this.byteLength | (kind << 8);
    this.#digest();
  }

  /** `encode` for an entry that lies in the shard of another name: the bits of the hash that choose it are that one's, and
   *  none of those choose the index slot. */
  encodeBeside(hash: number, kind: number, id: string): void {
    this.encode(kind, id);
    this.hash = (hash & SHARD_BITS) | (this.hash & ~SHARD_BITS);
  }

  #encodeUtf8(id: string): void {
    if (!id.isWellFormed()) {
      throw new RegistryError('INVALID_NAME', `name ${quote(id)} has a lone surrogate: it is not Unicode text`);
    }
    const byteLength = Buffer.byteLength(id, 'utf8');
    if (byteLength > limits.nameBytesMax) throw refuseLength(id);
    this.wordLength = (byteLength + 3) >>> 2;
    this.words[this.wordLength - 1] = 0;
    this.bytes.write(id, 'utf8');
    this.byteLength = byteLength;
  }

  /**
   * HalfSipHash-1-3 (Aumasson and Bernstein's SipHash, the 32-bit variant the Linux kernel uses for its hash tables),
   * over `meta` and the name's words. Keyed, so that hostile names cannot be made to collide; here it costs 5 ns
   * more than an unkeyed multiplicative hash.
   */
  #digest(): void {
    const words = this.words;
    let v0 = this.#key0;
    let v1 = this.#key1;
    let v2 = 0x6c796765 ^ v0;
    let v3 = 0x74656462 ^ v1;
    let block = this.meta;
    for (let n = 0; ; n++) {
      v3 ^= block;
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      v0 ^= block;
      if (n === this.wordLength) break;
      block = words[n];
    }
    v2 ^= 0xff;
    for (let round = 0; round < 3; round++) {
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
    }
    this.hash = v1 ^ v3;
  }
}

function refuseLength(id: string): RegistryError {
  if (id.length === 0) return new RegistryError('INVALID_NAME', 'a name has at least one character');
  const bytes = Buffer.byteLength(id, 'utf8');
  return new RegistryError(
    'INVALID_NAME',
    `name ${quote(id)} has ${bytes} UTF-8 bytes; at most ${limits.nameBytesMax}`,
  );
}
