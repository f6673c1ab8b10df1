import { type ControlMap, Guard, Header, Shard, WatchState } from './layout.ts';
import { AlarmReason, Monitor } from './monitor-layout.ts';
import { WatchBell } from './watch-bell.ts';

/** Bits of `Header.admission`: the coordinator's verdict, and what people have said, which goes before it. */
export const AdmissionBit = { closed: 1, forcedOpen: 2, forcedClosed: 4 } as const;

/** Whether new names are refused. */
export function isAdmissionClosed(word: number): boolean {
  return (word & AdmissionBit.forcedClosed) !== 0 || word === AdmissionBit.closed;
}

/** What the coordinator knows of one shard's recent past, in shared memory. */
export interface RecentContention {
  /** Bits of `AlarmReason`; 0: not alarmed. */
  readonly reasons: number;
  readonly lockWaitP99Ms: number;
  readonly writeMeanMs: number;
  readonly heldMs: number;
}

/**
 * The words by which writers, the coordinator and listeners speak of contention.
 *
 * ```
 * writer that has to sleep   contention bit of the lock, then, unless `contentionWatch` says watching: resting → asked, notify
 * writer that was slow       its figures, then the same
 * coordinator, at rest       waits for `contentionWatch` to be other than resting
 * coordinator, watching      `contentionWatch` := watching, then looks every `limits.alarmLookMs`; shard's words, then `alarmChanges` + 1, notify
 * coordinator, all is calm   `contentionWatch` := resting, then a last look, also whether anybody sleeps on a lock
 * listener                   waits for `alarmChanges` to move on, then reads the shards' words
 * ```
 * Nobody is overlooked: a writer marks the lock, or notes its figures, before it looks at `contentionWatch`; the coordinator
 * clears that before its last look, so one of them sees the other. A writer may be cut off between asking and notifying:
 * until the coordinator says that it watches, each notifies. A coordinator that ends leaves all words as they are; the next
 * begins with looking.
 */
export class Contention {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #map: ControlMap;
  readonly #bell: WatchBell;
  readonly shards: number;

  constructor(words: Int32Array<SharedArrayBuffer>, map: ControlMap) {
    this.#words = words;
    this.#map = map;
    this.#bell = new WatchBell(words);
    this.shards = words[Header.shards];
  }

  get lockWaitMs(): number {
    return this.#words[Header.alarmLockWaitMs];
  }

  get writeMeanMs(): number {
    return this.#words[Header.alarmWriteMeanMs];
  }

  /** A writer asks to be watched. */
  ask(): void {
    const words = this.#words;
    if (Atomics.load(words, Header.contentionWatch) === WatchState.watching) return;
    Atomics.compareExchange(words, Header.contentionWatch, WatchState.resting, WatchState.asked);
    Atomics.notify(words, Header.contentionWatch);
  }

  /** Resolves once somebody asks, or has since the last `rest`. */
  async asked(): Promise<void> {
    await Atomics.waitAsync(this.#words, Header.contentionWatch, WatchState.resting).value;
  }

  /** All are watched from now on. */
  watch(): void {
    Atomics.store(this.#words, Header.contentionWatch, WatchState.watching);
  }

  /** Nobody is watched any more, after one last look, and one whether `anyoneSleeps`. */
  rest(): void {
    Atomics.store(this.#words, Header.contentionWatch, WatchState.resting);
  }

  anyoneSleeps(): boolean {
    for (let n = 0; n < this.shards; n++) if (Atomics.load(this.#words, this.#lockAt(n)) & 1) return true;
    return false;
  }

  /** The lock word of a shard, and how often it has been taken: the same twice, and it was held all the time. */
  holding(n: number): { lock: number; takings: number } {
    const lock = Atomics.load(this.#words, this.#lockAt(n));
    return { lock, takings: Atomics.load(this.#words, this.#map.shard(n) + Shard.takings) };
  }

  #lockAt(n: number): number {
    return this.#map.shard(n) + Shard.guard + Guard.lock;
  }

  recent(n: number): RecentContention {
    const at = this.#map.monitor(n);
    const words = this.#words;
    return {
      reasons: Atomics.load(words, at + Monitor.alarm),
      lockWaitP99Ms: (words[at + Monitor.recentWaitP99] >>> 0) / 1_000,
      writeMeanMs: (words[at + Monitor.recentWriteMean] >>> 0) / 1_000,
      heldMs: words[at + Monitor.heldMs],
    };
  }

  /** The coordinator's finding on one shard. @returns whether it is alarmed now and was not, or the other way round. */
  find(n: number, { reasons, lockWaitP99Ms, writeMeanMs, heldMs }: RecentContention): boolean {
    const at = this.#map.monitor(n);
    const words = this.#words;
    words[at + Monitor.recentWaitP99] = lockWaitP99Ms * 1_000;
    words[at + Monitor.recentWriteMean] = writeMeanMs * 1_000;
    words[at + Monitor.heldMs] = heldMs;
    const before = Atomics.exchange(words, at + Monitor.alarm, reasons);
    return (before === 0) !== (reasons === 0);
  }

  alarmed(): number {
    let count = 0;
    for (let n = 0; n < this.shards; n++) if (this.recent(n).reasons !== 0) count++;
    return count;
  }

  changes(): number {
    return Atomics.load(this.#words, Header.alarmChanges);
  }

  /** Tells the listeners of all threads: something may have changed. */
  tell(): void {
    Atomics.add(this.#words, Header.alarmChanges, 1);
    Atomics.notify(this.#words, Header.alarmChanges);
  }

  /** Resolves when there was a `tell` since `changes` was `seen`. */
  async told(seen: number): Promise<void> {
    await Atomics.waitAsync(this.#words, Header.alarmChanges, seen).value;
  }

  get admission(): number {
    return Atomics.load(this.#words, Header.admission);
  }

  /** Whether more of the shards are alarmed than the registry's option allows. */
  get mostAlarmed(): boolean {
    return this.alarmed() * 100 > this.#words[Header.alarmedPercentMax] * this.shards;
  }

  /** The coordinator's verdict. Who stands by for a name waits for admission too, hence the bell. */
  judgeAdmission(closed: boolean): void {
    if (closed === ((this.admission & AdmissionBit.closed) !== 0)) return;
    if (closed) Atomics.or(this.#words, Header.admission, AdmissionBit.closed);
    else Atomics.and(this.#words, Header.admission, ~AdmissionBit.closed);
    this.#bell.ring();
  }

  /** What people say: one of the forced bits, or 0 to leave it to the coordinator. */
  forceAdmission(bit: number): void {
    const words = this.#words;
    for (;;) {
      const word = Atomics.load(words, Header.admission);
      const next = (word & AdmissionBit.closed) | bit;
      if (Atomics.compareExchange(words, Header.admission, word, next) === word) break;
    }
    this.#bell.ring();
  }
}

/** The names of alarm reasons, as people see them. */
export const alarmReasons = [
  [AlarmReason.lockWait, 'lock-wait'],
  [AlarmReason.writeLatency, 'write-latency'],
  [AlarmReason.lockHeld, 'lock-held'],
] as const;
