import { blockBytesMax } from './arena.ts';
import type { EncodedConfig } from './codec.ts';
import { corrupt } from './errors.ts';
import { Page, pageBytes, pageRow } from './layout.ts';
import type { ShardMemory } from './shard-memory.ts';

/** A value in the arena: a header word (stored bytes | wide << 30), then the text. */
const HEADER_BYTES = 4;
const WIDE = 1 << 30;
const LENGTH_MASK = WIDE - 1;

/** Bytes to allocate for a config. */
export const valueBytes = (config: EncodedConfig): number => HEADER_BYTES + config.byteLength;

/** Bytes that were allocated for the value at `block`. The lock is held, so the header is whole.
 *  @throws {RegistryError} `CORRUPT` when there is no such block, or no value of that length */
export function storedValueBytes(memory: ShardMemory, block: number): number {
  const length = memory.arena[block * 2] & LENGTH_MASK;
  if (block > 0 && block * 2 < memory.arena.length && length <= memory.configBytesMax) return HEADER_BYTES + length;
  throw corrupt(`value of ${length} bytes at ${block}`);
}

/** Fills a block that no reader is led to yet. */
export function writeValue(memory: ShardMemory, block: number, config: EncodedConfig): void {
  const start = block * 8;
  const bytes = memory.arenaBytes;
  memory.arena[block * 2] = config.byteLength | (config.wide ? WIDE : 0);
  const total = HEADER_BYTES + config.byteLength;
  if (total <= blockBytesMax) {
    if (config.wide) bytes.write(config.text, start + HEADER_BYTES, config.byteLength, 'utf16le');
    else bytes.latin1Write(config.text, start + HEADER_BYTES, config.byteLength);
    return;
  }
  const encoded = Buffer.from(config.text, config.wide ? 'utf16le' : 'latin1');
  let page = start / pageBytes;
  let from = 0;
  for (let skip = HEADER_BYTES; from < encoded.length; skip = 0) {
    const copied = encoded.copy(bytes, page * pageBytes + skip, from, from + pageBytes - skip);
    if (copied === 0) throw corrupt(`page ${page} of a value`);
    from += copied;
    page = memory.arena[pageRow(page) + Page.next];
  }
}

/**
 * Copies a value out while others may write: only a version that is unchanged afterwards says that it is whole.
 * @returns undefined when what was read cannot be a value, so it is not whole for certain.
 */
export function readValue(memory: ShardMemory, block: number): string | undefined {
  const start = block * 8;
  if (!memory.coverBlock(block, HEADER_BYTES)) return undefined;
  const header = memory.arena[block * 2];
  const length = header & LENGTH_MASK;
  if (length > memory.configBytesMax) return undefined;
  const wide = (header & WIDE) !== 0;
  if (HEADER_BYTES + length <= blockBytesMax) {
    const from = start + HEADER_BYTES;
    if (!memory.coverArena(from + length)) return undefined;
    return wide ? memory.arenaBytes.ucs2Slice(from, from + length) : memory.arenaBytes.latin1Slice(from, from + length);
  }
  let text = '';
  let left = length;
  let page = Math.floor(start / pageBytes);
  for (let skip = HEADER_BYTES; left > 0; skip = 0) {
    const from = page * pageBytes + skip;
    const size = Math.min(left, pageBytes - skip);
    if (page <= 0 || !memory.coverArena(from + size)) return undefined;
    text += wide ? memory.arenaBytes.ucs2Slice(from, from + size) : memory.arenaBytes.latin1Slice(from, from + size);
    left -= size;
    page = memory.arena[pageRow(page) + Page.next];
  }
  return text;
}
