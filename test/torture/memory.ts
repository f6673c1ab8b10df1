import type { Registry } from '../../src/engine/index.ts';
import { Row, rowAt, type Words } from './words.ts';

/** What a run takes of memory at one moment, in bytes. */
export interface MemorySample {
  readonly process: number;
  /** Heaps in use: of the main thread, of all survivors. */
  readonly mainHeap: number;
  readonly survivorHeaps: number;
  /** Of the registry: committed, and handed out for configs and long names. */
  readonly committed: number;
  readonly handedOut: number;
}

export function sampleMemory(registry: Registry, words: Words, survivors: number): MemorySample {
  const { rss, heapUsed } = process.memoryUsage();
  const stats = registry.partitionStats();
  let heaps = 0;
  for (let row = 0; row < survivors; row++) heaps += Atomics.load(words, rowAt(row, Row.heapKilobytes)) * 1024;
  return {
    process: rss,
    mainHeap: heapUsed,
    survivorHeaps: heaps,
    committed: stats.reduce((sum, { bytesCommitted }) => sum + bytesCommitted, 0),
    handedOut: stats.reduce((sum, { valueBytes }) => sum + valueBytes, 0),
  };
}

/** Medians of a quantity in the first and in the last quarter of a run, once it is warm, and whether they are alike. */
export interface Trend {
  readonly of: keyof MemorySample;
  readonly first: number;
  readonly last: number;
  readonly flat: boolean;
}

/** The start, in which memory grows to what the work needs. */
const warmUpShare = 0.1;
/** Growth from quarter to quarter that is no trend: collectors come when they like. A leak of one small block per
 *  thousand operations is far more in ten minutes. */
const growthShareMax = 0.1;
const growthBytesMax = 8 << 20;

/** @returns nothing where the samples are too few to tell. */
export function trendsOf(samples: readonly MemorySample[], samplesMin = 60): Trend[] {
  const warm = samples.slice(Math.ceil(samples.length * warmUpShare));
  if (samples.length < samplesMin) return [];
  const quarter = Math.floor(warm.length / 4);
  return (Object.keys(warm[0]) as (keyof MemorySample)[]).map((of) => {
    const medianOf = (part: readonly MemorySample[]) => median(part.map((sample) => sample[of]));
    const first = medianOf(warm.slice(0, quarter));
    const last = medianOf(warm.slice(-quarter));
    return { of, first, last, flat: last - first <= Math.max(growthBytesMax, first * growthShareMax) };
  });
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1];
}
