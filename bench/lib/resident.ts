import { readFileSync } from 'node:fs';

const PAGE_BYTES = 4_096;
const roundUp = (bytes: number): number => Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;

interface Mapping {
  readonly start: number;
  readonly end: number;
  readonly access: string;
  residentBytes: number;
}

/** The process's memory mappings, from `/proc/self/smaps`. */
function readMappings(): Mapping[] {
  const mappings: Mapping[] = [];
  for (const line of readFileSync('/proc/self/smaps', 'latin1').split('\n')) {
    const head = /^([0-9a-f]+)-([0-9a-f]+) (\S+)/.exec(line);
    if (head) {
      const [start, end] = [Number.parseInt(head[1], 16), Number.parseInt(head[2], 16)];
      mappings.push({ start, end, access: head[3], residentBytes: 0 });
    } else if (line.startsWith('Rss:')) {
      mappings.at(-1)!.residentBytes = Number(/\d+/.exec(line)![0]) * 1_024;
    }
  }
  return mappings;
}

/**
 * Bytes of growable buffers that the system holds in memory: what was committed but never touched is not among them.
 * A buffer is found as a writable mapping of its size with the rest of its reservation right behind it.
 * @returns undefined where the system does not tell, or does it otherwise.
 */
export function residentBytes(buffers: readonly SharedArrayBuffer[]): number | undefined {
  if (process.platform !== 'linux') return undefined;
  const wanted = new Map<string, number>();
  const keyOf = (bytes: number, reserved: number) => `${bytes} of ${reserved}`;
  for (const { byteLength, maxByteLength } of buffers) {
    const key = keyOf(roundUp(byteLength), roundUp(maxByteLength));
    wanted.set(key, (wanted.get(key) ?? 0) + 1);
  }
  let found = 0;
  let resident = 0;
  const mappings = readMappings();
  for (const [n, mapping] of mappings.entries()) {
    const rest = mappings[n + 1];
    if (!mapping.access.startsWith('rw') || !rest?.access.startsWith('---') || rest.start !== mapping.end) continue;
    const key = keyOf(mapping.end - mapping.start, rest.end - mapping.start);
    const left = wanted.get(key) ?? 0;
    if (left === 0) continue;
    wanted.set(key, left - 1);
    found++;
    resident += mapping.residentBytes;
  }
  return found === buffers.length ? resident : undefined;
}
