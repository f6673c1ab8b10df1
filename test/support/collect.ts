import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');
const buffersMax = 15_000;
let buffers = 0;

/**
 * Frees the buffers of tables that are no longer used, now and then: each is a mapping, a process has only so many of
 * them, and to the collector they look small.
 */
export function collectTables(shards: number): void {
  buffers += 1 + 3 * shards;
  if (buffers < buffersMax) return;
  buffers = 0;
  collect();
}
