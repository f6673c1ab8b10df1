import { corrupt } from './errors.ts';
import { Header, LINE_WORDS, pageBytes, pagesPerGroup, Record, Shard } from './layout.ts';

/** The three growable buffers of one shard. */
export interface ShardBuffers {
  readonly records: SharedArrayBuffer;
  readonly index: SharedArrayBuffer;
  readonly arena: SharedArrayBuffer;
}

/** Node's own fast paths below `write` and `toString`, in it since its first versions but not in its type declarations. */
export interface RawText {
  latin1Write(text: string, offset: number, length: number): number;
  latin1Slice(start: number, end: number): string;
  ucs2Slice(start: number, end: number): string;
}
type ArenaBytes = Buffer<SharedArrayBuffer> & RawText;

/** Bytes of the index buffer before its first word. */
const INDEX_BYTES_BEFORE = LINE_WORDS * 4;
const RECORDS_FIRST = 64;
export const INDEX_LOG2_FIRST = 6;
const PAGES_FIRST = 4;
/** Buffers below this size double when they are full, others grow by an eighth: growing copies nothing, it only has every
 *  thread make its views anew. */
const GROWS_DOUBLE_BYTES = 1 << 17;

/** Bits of an index word that hold a record id. */
export const ID_BITS = 20;

/** Index words a shard may need at most: twice the largest index, as a resize builds the new one beside the old. At
 *  the largest size half of it holds all entries, so that cleaning up tombstones never needs a larger one. */
function indexWordsMax(entriesMax: number): number {
  let size = 1 << INDEX_LOG2_FIRST;
  while (size * 0.5 < entriesMax) size *= 2;
  return size * 2;
}

/** Allocates a shard's buffers: small, with address space reserved for their limits. */
export function allocateShard(entriesMax: number, pagesMax: number): ShardBuffers {
  const max = shardBytesMax(entriesMax, pagesMax);
  const growable = (bytes: number, maxByteLength: number) =>
    new SharedArrayBuffer(Math.min(bytes, maxByteLength), { maxByteLength });
  return {
    records: growable(RECORDS_FIRST * Record.words * 4, max.records),
    index: growable(INDEX_BYTES_BEFORE + (2 << INDEX_LOG2_FIRST) * 4, max.index),
    arena: growable(PAGES_FIRST * pageBytes, max.arena),
  };
}

/** Bytes that each buffer of a shard may grow to. */
export function shardBytesMax(entriesMax: number, pagesMax: number): { [part in keyof ShardBuffers]: number } {
  return {
    records: (entriesMax + 1) * Record.words * 4,
    index: INDEX_BYTES_BEFORE + indexWordsMax(entriesMax) * 4,
    arena: pagesEnd(pagesMax) * pageBytes,
  };
}

/**
 * One thread's views of one shard. Views have a fixed length (views that track a growing buffer cost 30 times more an
 * access) and are made anew when a position lies beyond them: growth never moves or changes what was there.
 */
export class ShardMemory {
  readonly control: Int32Array<SharedArrayBuffer>;
  /** Position of the shard's block in `control`. */
  readonly at: number;
  /** Limits as they were when the thread attached. */
  readonly entriesMax: number;
  readonly configBytesMax: number;
  readonly #buffers: ShardBuffers;
  readonly #pagesMax: number;
  records: Int32Array<SharedArrayBuffer>;
  index: Int32Array<SharedArrayBuffer>;
  arena: Int32Array<SharedArrayBuffer>;
  arenaBytes: ArenaBytes;

  constructor(control: Int32Array<SharedArrayBuffer>, at: number, buffers: ShardBuffers) {
    this.control = control;
    this.at = at;
    this.entriesMax = control[Header.entriesPerShardMax];
    this.configBytesMax = control[Header.configBytesMax];
    this.#pagesMax = control[Header.pagesPerShardMax];
    this.#buffers = buffers;
    this.records = view(buffers.records);
    this.index = view(buffers.index, INDEX_BYTES_BEFORE);
    [this.arena, this.arenaBytes] = bothViews(buffers.arena);
  }

  /** Position of a record, in words of `records`, which covers it afterwards.
   *  @throws {RegistryError} `CORRUPT` for an id that no writer has published. */
  recordAt(id: number): number {
    const at = id * Record.words;
    if (id <= 0) throw corrupt(`record ${id}`);
    if (at + Record.words > this.records.length) {
      this.records = view(this.#buffers.records);
      if (at + Record.words > this.records.length) throw corrupt(`record ${id}`);
    }
    return at;
  }

  /** One more than the highest id that was ever given. @throws {RegistryError} `CORRUPT` */
  recordsUsed(): number {
    const used = this.control[this.at + Shard.recordsUsed];
    if (used < 1 || used > this.entriesMax + 1) throw corrupt(`${used} records`);
    return used;
  }

  /** Makes `index` cover words below `end`. */
  coverIndex(end: number): void {
    if (end <= this.index.length) return;
    this.index = view(this.#buffers.index, INDEX_BYTES_BEFORE);
    if (end > this.index.length) throw corrupt(`index of ${end} words`);
  }

  /** Makes `arena` cover the bytes of a block; false when there is no such memory: a reference read amid a change. */
  coverBlock(block: number, bytes: number): boolean {
    return block > 0 && this.coverArena(block * 8 + bytes);
  }

  /** Makes `arena` cover bytes below `end`; false when there is no such memory. */
  coverArena(endBytes: number): boolean {
    if (endBytes <= this.arenaBytes.length) return true;
    [this.arena, this.arenaBytes] = bothViews(this.#buffers.arena);
    return endBytes <= this.arenaBytes.length;
  }

  /** The following are called under the shard's lock: two racing `grow` calls would throw. */
  reserveRecord(id: number): boolean {
    if (id > this.entriesMax) return false;
    return this.#reserve(this.#buffers.records, (id + 1) * Record.words * 4);
  }

  reserveIndex(words: number): boolean {
    return this.#reserve(this.#buffers.index, INDEX_BYTES_BEFORE + words * 4);
  }

  reservePages(pages: number): boolean {
    if (pages > pagesEnd(this.#pagesMax)) return false;
    return this.#reserve(this.#buffers.arena, pages * pageBytes) && this.coverArena(pages * pageBytes);
  }

  #reserve(buffer: SharedArrayBuffer, bytes: number): boolean {
    if (bytes > buffer.maxByteLength) return false;
    if (bytes > buffer.byteLength) {
      try {
        const more = buffer.byteLength < GROWS_DOUBLE_BYTES ? buffer.byteLength : buffer.byteLength >>> 3;
        buffer.grow(Math.min(Math.max(bytes, buffer.byteLength + more), buffer.maxByteLength));
      } catch {
        return false; // the system has no memory: the caller says TABLE_FULL and nothing is lost
      }
    }
    return true;
  }

  /** Bytes committed so far, and handed out of them. */
  get bytesCommitted(): number {
    return this.#buffers.records.byteLength + this.#buffers.index.byteLength + this.#buffers.arena.byteLength;
  }

  /** Writes the words a shard starts with. Called once, before any other thread knows the buffers. */
  initialise(): void {
    this.control[this.at + Shard.descriptor] = INDEX_LOG2_FIRST;
    this.control[this.at + Shard.recordsUsed] = 1;
    this.control[this.at + Shard.pagesUsed] = 1;
  }
}

/** Pages of an arena that may hold so many besides those with the rows of their groups. */
const pagesEnd = (pagesMax: number): number => pagesMax + Math.ceil(pagesMax / (pagesPerGroup - 1));

function view(buffer: SharedArrayBuffer, from = 0): Int32Array<SharedArrayBuffer> {
  return new Int32Array(buffer, from, (buffer.byteLength - from) >>> 2);
}

/** Of one length: another thread may make the buffer grow at any moment. */
function bothViews(buffer: SharedArrayBuffer): [Int32Array<SharedArrayBuffer>, ArenaBytes] {
  const words = view(buffer);
  return [words, Buffer.from(buffer, 0, words.byteLength) as ArenaBytes];
}
