import { performance } from 'node:perf_hooks';
import { bucketOf, ticksOf } from './histogram.ts';
import { Shard as At } from './layout.ts';
import { limits } from './limits.ts';
import { Monitor } from './monitor-layout.ts';

/**
 * One thread's stopwatch for the writes of one shard: from before the lock is asked for until just before it is given
 * back, as the caller sees it.
 *
 * A look at the clock costs as much as a tenth of a write. So one uncontended write in `limits.writeSampleEvery` is
 * timed, and counts as so many; a write that has to wait for the lock is slow anyway: each is timed, and counts as one.
 * The histogram is then true to all writes.
 *
 * What is recorded is written by the lock's holder, plainly: see `Monitor`.
 */
export class WriteTimer {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #at: number;
  readonly #takingsAt: number;
  /** Begins anywhere, or threads that write little would all be sampled or none. */
  #turn = Math.floor(Math.random() * limits.writeSampleEvery);
  /** 0: this write is not timed. */
  #startedMs = 0;
  #weight = 0;
  #waits = false;
  /** Told of a write that took as long as an alarm is about, so that the alarm is looked for. */
  onSlow: (() => void) | undefined;
  slowMs: number = Number.POSITIVE_INFINITY;

  /** `shardAt` and `monitorAt` are positions of the shard's two blocks. */
  constructor(words: Int32Array<SharedArrayBuffer>, shardAt: number, monitorAt: number) {
    this.#words = words;
    this.#takingsAt = shardAt + At.takings;
    this.#at = monitorAt;
  }

  /** The lock is about to be asked for. */
  start(): void {
    this.#waits = false;
    this.#weight = limits.writeSampleEvery;
    this.#startedMs = (++this.#turn & (limits.writeSampleEvery - 1)) === 0 ? performance.now() : 0;
  }

  /** It was not free. */
  waits(): void {
    this.#waits = true;
    this.#weight = 1;
    this.#startedMs = performance.now();
  }

  /** It is held. */
  taken(): void {
    this.#words[this.#takingsAt]++;
    if (!this.#waits) return;
    this.#record(Monitor.waits, Monitor.waitMax, ticksOf(performance.now() - this.#startedMs), 1);
  }

  /** What is done under it is no write, and takes no write's turn. */
  ignore(): void {
    this.#turn--;
    this.#startedMs = 0;
  }

  /** It is about to be given back. `probes` is how many index words were looked at, 0 if the index was not searched. */
  finish(probes: number): void {
    if (this.#startedMs === 0) return;
    const ms = performance.now() - this.#startedMs;
    this.#startedMs = 0;
    this.#record(Monitor.writes, Monitor.writeMax, ticksOf(ms), this.#weight);
    this.#average(ms * 1e6);
    if (probes > 0) {
      this.#words[this.#at + Monitor.searches]++;
      this.#words[this.#at + Monitor.probes] += probes;
    }
    if (ms >= this.slowMs) this.onSlow?.();
  }

  /** Forgets what was recorded. The caller holds the lock. */
  reset(): void {
    this.#words.fill(0, this.#at, this.#at + Monitor.alarm);
    this.#words.fill(0, this.#at + Monitor.writes, this.#at + Monitor.words);
  }

  #record(histogram: number, max: number, ticks: number, weight: number): void {
    const words = this.#words;
    words[this.#at + histogram + bucketOf(ticks)] += weight;
    if (ticks > words[this.#at + max] >>> 0) words[this.#at + max] = ticks;
  }

  #average(ns: number): void {
    const at = this.#at + Monitor.writeMean;
    const before = this.#words[at] >>> 0;
    const step = before === 0 ? ns : ((ns - before) * this.#weight) / limits.recentWrites;
    this.#words[at] = Math.min(before + step, averageNsMax);
  }
}

/** What the average's word can hold, in nanoseconds: 4.3 s. */
const averageNsMax = 0xffffffff;
