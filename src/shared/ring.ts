import { corrupt } from './errors.ts';

/**
 * A ring: what one thread writes and one other reads, in order.
 *
 * ```
 * control words                                    bytes, a power of two
 *   Ring.tail    (a line)  written by the writer     … | record | record | pad → | ← start of the ring
 *   Ring.head    (a line)  written by the reader
 *   Ring.wanted            1: writer, 0: reader
 * record = Entry words | body, to a multiple of 8 bytes. It never wraps: what is left at the end is skipped (PAD).
 * ```
 * `head` and `tail` count bytes since the ring was opened, modulo 2^32; head = tail is empty, and tail - head never
 * exceeds the size. The bytes from tail to head + size belong to the writer, the others to the reader.
 *
 * - The writer fills a record where the reader does not look; ONE store of `tail` publishes it. Killed before, it has
 *   sent nothing; after, all of it. One that was cut off and lives on writes over what it had begun, as it starts from
 *   `tail` again.
 * - The reader has done with a record when `head` has passed it; only then are its bytes written again. It may
 *   store `head` once for many.
 * - A writer that waits for room stores `wanted` and looks at `head` again; the reader stores `head` and looks at `wanted`:
 *   one sees the other. The reader's ring of the writer's bell follows its store of `wanted`.
 */
export const Ring = { tail: 0, head: 16, wanted: 17, words: 32 } as const;

/** What a record begins with. */
const Entry = {
  /** Bytes of the body, or PAD: skip to the start of the ring. */
  length: 0,
  /** Type of the record, and the body's encoding, as the user of the ring has it. */
  type: 1,
  /** The owner it is for. */
  slot: 2,
  epoch: 3,
  /** The call it belongs to. */
  call: 4,
  /** Where it begins, as `head` counts: any other number is not a record that the reader should be at. */
  position: 5,
  words: 6,
} as const;
const PAD = -1;
const entryBytes = Entry.words * 4;

const recordBytes = (bodyBytes: number): number => entryBytes + ((bodyBytes + 7) & ~7);

/** Bytes of a ring that can always take a body of so many when it is empty, wherever its tail is: twice a record. */
export function ringBytesFor(bodyBytesMax: number): number {
  return 2 ** Math.ceil(Math.log2(2 * recordBytes(bodyBytesMax)));
}

/** Where a ring lies: its control words in `words`, its bytes in `bytes`, both from the start of the same buffer. */
export interface RingPlace {
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly bytes: Buffer<SharedArrayBuffer>;
  readonly at: number;
  readonly from: number;
  readonly size: number;
}

/** Bytes that were written and not given back. The head first: what was read of the tail is then never behind it. */
export function waitingIn({ words, at, size }: RingPlace): number {
  const head = Atomics.load(words, at + Ring.head);
  return Math.min((Atomics.load(words, at + Ring.tail) - head) >>> 0, size);
}

export class RingWriter {
  readonly words: Int32Array<SharedArrayBuffer>;
  /** Where `reserve` says that the body goes. */
  readonly bytes: Buffer<SharedArrayBuffer>;
  readonly #at: number;
  readonly #from: number;
  readonly #size: number;
  /** `head` as it was seen last: the reader has come at least so far. */
  #head: number;
  #position = 0;
  #next = 0;

  constructor({ words, bytes, at, from, size }: RingPlace) {
    this.words = words;
    this.bytes = bytes;
    this.#at = at;
    this.#from = from;
    this.#size = size;
    this.#head = Atomics.load(words, at + Ring.head);
  }

  /** Finds room for a record. Nothing is seen by the reader until `publish`.
   *  @returns where its body begins, in bytes of `bytes`; -1 when there is no room now.
   *  @throws {RegistryError} `CORRUPT` */
  reserve(bodyBytes: number): number {
    const words = this.words;
    const tail = words[this.#at + Ring.tail];
    const size = this.#size;
    const needed = recordBytes(bodyBytes);
    const offset = tail & (size - 1);
    const left = size - offset;
    const skipped = needed > left ? left : 0;
    const end = (tail + skipped + needed) | 0;
    if ((end - this.#head) >>> 0 > size) {
      this.#head = Atomics.load(words, this.#at + Ring.head);
      if ((tail - this.#head) >>> 0 > size) throw corrupt(`ring from ${this.#head} to ${tail}`);
      if ((end - this.#head) >>> 0 > size) return -1;
    }
    if (skipped !== 0) words[(this.#from + offset) >>> 2] = PAD;
    this.#position = (tail + skipped) | 0;
    this.#next = end;
    return this.#from + (skipped === 0 ? offset : 0) + entryBytes;
  }

  /** Publishes the record that was reserved last, by one store. */
  publish(bodyBytes: number, type: number, slot: number, epoch: number, call: number): void {
    const words = this.words;
    const at = (this.#from + (this.#position & (this.#size - 1))) >>> 2;
    words[at + Entry.length] = bodyBytes;
    words[at + Entry.type] = type;
    words[at + Entry.slot] = slot;
    words[at + Entry.epoch] = epoch;
    words[at + Entry.call] = call;
    words[at + Entry.position] = this.#position;
    Atomics.store(words, this.#at + Ring.tail, this.#next);
  }

  /** Asks the reader to ring when it has made room. @returns whether there is room now: then it need not */
  wantRoom(bodyBytes: number): boolean {
    Atomics.store(this.words, this.#at + Ring.wanted, 1);
    return this.reserve(bodyBytes) !== -1;
  }
}

export class RingReader {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly bytes: Buffer<SharedArrayBuffer>;
  readonly #at: number;
  readonly #from: number;
  readonly #size: number;
  #head: number;
  #tail: number;
  /** The record that `next` came to. */
  length = 0;
  type = 0;
  slot = 0;
  epoch = 0;
  call = 0;
  /** Where its body begins, in bytes of `bytes`. */
  bodyAt = 0;

  constructor({ words, bytes, at, from, size }: RingPlace) {
    this.#words = words;
    this.bytes = bytes;
    this.#at = at;
    this.#from = from;
    this.#size = size;
    this.#head = Atomics.load(words, at + Ring.head);
    this.#tail = this.#head;
  }

  /** Whether there is a record that was not read. */
  hasMore(): boolean {
    return this.#head !== this.#tail || Atomics.load(this.#words, this.#at + Ring.tail) !== this.#head;
  }

  /** Looks for what was sent since, when all that was seen is read. @returns whether there is a record for `next` */
  look(): boolean {
    if (this.#head === this.#tail) this.#tail = Atomics.load(this.#words, this.#at + Ring.tail);
    return this.#head !== this.#tail;
  }

  /** The same also when not all that was seen is read. */
  lookAgain(): void {
    this.#tail = Atomics.load(this.#words, this.#at + Ring.tail);
  }

  /** Goes on to the next record that `look` has seen. It is not met again, also when what is done with it throws.
   *  @returns false when there is none. @throws {RegistryError} `CORRUPT` */
  next(): boolean {
    const words = this.#words;
    if (this.#head === this.#tail) return false;
    if ((this.#tail - this.#head) >>> 0 > this.#size) throw corrupt(`ring from ${this.#head} to ${this.#tail}`);
    let offset = this.#head & (this.#size - 1);
    if (words[(this.#from + offset) >>> 2] === PAD) {
      this.#head = (this.#head + this.#size - offset) | 0;
      offset = 0;
    }
    const at = (this.#from + offset) >>> 2;
    const length = words[at + Entry.length];
    const left = (this.#tail - this.#head) | 0;
    const bytes = recordBytes(length);
    const fits = length >= 0 && length <= this.#size && bytes <= left && offset + bytes <= this.#size;
    if (!fits || words[at + Entry.position] !== this.#head) {
      throw corrupt(`record of ${length} bytes at ${this.#head} of a ring`);
    }
    this.length = length;
    this.type = words[at + Entry.type];
    this.slot = words[at + Entry.slot];
    this.epoch = words[at + Entry.epoch];
    this.call = words[at + Entry.call];
    this.bodyAt = this.#from + offset + entryBytes;
    this.#head = (this.#head + bytes) | 0;
    return true;
  }

  /** Gives the bytes of all records that were read back to the writer.
   *  @returns whether the writer waits for that: then ring its bell */
  release(): boolean {
    const words = this.#words;
    Atomics.store(words, this.#at + Ring.head, this.#head);
    if (Atomics.load(words, this.#at + Ring.wanted) === 0) return false;
    // Not for every record: the writer is woken for half a ring, or when all is read.
    if ((this.#tail - this.#head) >>> 0 > this.#size >>> 1) return false;
    Atomics.store(words, this.#at + Ring.wanted, 0);
    return true;
  }
}
