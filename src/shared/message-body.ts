import { deserialize, serialize } from 'node:v8';
import { corrupt, RegistryError } from './errors.ts';
import { attempt } from './foreign.ts';
import { leftOut } from './left-out.ts';
import { plainJson } from './plain-json.ts';

/** Node's own fast paths below `write` and `toString`, in it since its first versions but not in its type declarations. */
interface RawText {
  latin1Write(text: string, offset: number, length: number): number;
  latin1Slice(start: number, end: number): string;
  ucs2Write(text: string, offset: number, length: number): number;
  ucs2Slice(start: number, end: number): string;
}
type Bytes = Buffer<SharedArrayBuffer> & RawText;

/** How a body is stored. */
const Encoding = {
  nothing: 0,
  /** A string, one byte a character, or two. */
  latin1: 1,
  ucs2: 2,
  /** A byte array. */
  bytes: 3,
  /** Anything else, as `v8.serialize` writes it. */
  clone: 4,
  /** An object or array of which JSON says all, as its text: one byte a character, or two. */
  json: 5,
  wideJson: 6,
} as const;

// biome-ignore lint/suspicious/noControlCharactersInRegex: the whole of Latin-1 is meant
const beyondLatin1 = /[^\x00-\xff]/;

/**
 * A message's value on its way into shared memory. Made before any of that is touched, as to clone a value may run the
 * application's code (getters).
 */
export class Body {
  readonly encoding: number;
  /** Bytes it takes. */
  readonly byteLength: number;
  #content: string | Uint8Array;

  /** @param asJson whether it may be written as JSON text, which takes less time and mostly, but not always, no more bytes
   *  @throws {RegistryError} `INVALID_MESSAGE` when it cannot be cloned */
  constructor(value: unknown, asJson = true) {
    const json =
      asJson && typeof value === 'object' && value !== null && !isBytes(value) ? plainJson(value) : undefined;
    const text = json ?? value;
    if (typeof text === 'string') {
      const wide = beyondLatin1.test(text);
      if (json === undefined) this.encoding = wide ? Encoding.ucs2 : Encoding.latin1;
      else this.encoding = wide ? Encoding.wideJson : Encoding.json;
      this.byteLength = wide ? text.length * 2 : text.length;
      this.#content = text;
      return;
    }
    if (value === undefined) {
      this.encoding = Encoding.nothing;
      this.#content = '';
    } else if (isBytes(value)) {
      this.encoding = Encoding.bytes;
      this.#content = value;
    } else {
      this.encoding = Encoding.clone;
      this.#content = clone(value);
    }
    this.byteLength = this.#content.length;
  }

  /** A body of at most so many bytes if there is one: what is too large as JSON text may be smaller as a clone.
   *  @throws {RegistryError} `INVALID_MESSAGE` when it cannot be cloned */
  static within(value: unknown, bytesMax: number): Body {
    const body = new Body(value);
    const isJson = body.encoding === Encoding.json || body.encoding === Encoding.wideJson;
    return isJson && body.byteLength > bytesMax ? new Body(value, false) : body;
  }

  /** Makes it independent of the sender's byte array, which may change once the call that sends it has returned. */
  keep(): this {
    if (this.encoding === Encoding.bytes) this.#content = Buffer.from(this.#content as Uint8Array);
    return this;
  }

  /** Writes it to `at`, where there are `byteLength` bytes. */
  write(bytes: Buffer<SharedArrayBuffer>, at: number): void {
    const content = this.#content;
    if (content.length === 0) return;
    if (typeof content !== 'string') writeBytes(content, bytes, at, this.byteLength);
    else if (this.byteLength === content.length) (bytes as Bytes).latin1Write(content, at, this.byteLength);
    else (bytes as Bytes).ucs2Write(content, at, this.byteLength);
  }
}

/** Writes exactly `byteLength` bytes. A byte array's buffer may have been resized since it was measured, by getters of the application's
 *  or, if it is shared, by another thread at any time: no more than was reserved is taken, and what is gone is zeros. */
function writeBytes(content: Uint8Array, bytes: Buffer<SharedArrayBuffer>, at: number, byteLength: number): void {
  const copied = copyBytes.call(content, bytes, at, 0, byteLength);
  if (copied < byteLength) bytes.fill(0, at + copied, at + byteLength);
}

const copyBytes = Buffer.prototype.copy as (
  this: Uint8Array,
  target: Uint8Array,
  at: number,
  from: number,
  to: number,
) => number;

/** Reads a value back, of its own: nothing of it stays shared. @throws {RegistryError} `CORRUPT`; `INVALID_MESSAGE` when this thread
 *  cannot make that one value: it is nested too deep for its stack, say */
export function readBody(bytes: Buffer<SharedArrayBuffer>, at: number, byteLength: number, encoding: number): unknown {
  switch (encoding) {
    case Encoding.latin1:
      return (bytes as Bytes).latin1Slice(at, at + byteLength);
    case Encoding.ucs2:
      return (bytes as Bytes).ucs2Slice(at, at + byteLength);
    case Encoding.nothing:
      return undefined;
    case Encoding.bytes:
      return copyOf(bytes, at, byteLength, Buffer.allocUnsafe(byteLength));
    case Encoding.json:
      return decode(() => JSON.parse((bytes as Bytes).latin1Slice(at, at + byteLength)));
    case Encoding.wideJson:
      return decode(() => JSON.parse((bytes as Bytes).ucs2Slice(at, at + byteLength)));
    case Encoding.clone:
      return decode(() => deserialize(copyForClone(bytes, at, byteLength)));
    default:
      throw corrupt(`a message of encoding ${encoding}`);
  }
}

function decode(read: () => unknown): unknown {
  try {
    return read();
  } catch (cause) {
    const why = attempt(() => (cause as Error).message, 'no reason given');
    throw new RegistryError('INVALID_MESSAGE', `a message cannot be read by its receiver (${why})`, { cause });
  }
}

/** With this byte `v8.serialize` begins a byte array within a value. */
const BYTE_ARRAY_TAG = 0x5c;

/** Byte arrays in a clone become views of what it is read from, and their buffers may be transferred on: so that must be the
 *  clone's own. Where there are none, memory of `Buffer`'s pool does, which takes a tenth of the time to get. */
function copyForClone(bytes: Buffer<SharedArrayBuffer>, at: number, byteLength: number): Buffer {
  const pooled = copyOf(bytes, at, byteLength, Buffer.allocUnsafe(byteLength));
  return pooled.includes(BYTE_ARRAY_TAG) ? copyOf(bytes, at, byteLength, Buffer.allocUnsafeSlow(byteLength)) : pooled;
}

/** A copy in memory of this thread. */
function copyOf(bytes: Buffer<SharedArrayBuffer>, at: number, byteLength: number, copy: Buffer): Buffer {
  bytes.copy(copy, 0, at, at + byteLength);
  return copy;
}

/** Plain byte arrays; those that are a view of something larger go like any other. */
const isBytes = (value: unknown): value is Uint8Array =>
  value instanceof Uint8Array && (value.constructor === Uint8Array || value.constructor === Buffer);

function clone(value: unknown): Buffer {
  let cause: unknown;
  let why: string;
  try {
    const bytes = serialize(value);
    const lost = leftOut(value, bytes);
    if (lost === undefined) return bytes;
    why = `${lost.constructor.name} is left out`;
  } catch (error) {
    cause = error;
    why = attempt(() => (error instanceof Error ? `${error.message}` : String(error)), 'its own code failed');
  }
  throw new RegistryError(
    'INVALID_MESSAGE',
    `a message cannot be cloned (${why}): send data, not functions, ports, shared memory or other live objects`,
    cause === undefined ? undefined : { cause },
  );
}
