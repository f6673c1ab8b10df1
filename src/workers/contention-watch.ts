import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import type { RecentContention } from '../shared/contention.ts';
import { type Counts, countsSince, meanOf, quantileOf, readCounts, tickNs } from '../shared/histogram.ts';
import { limits } from '../shared/limits.ts';
import { holderOf } from '../shared/lock.ts';
import { AlarmReason, Monitor } from '../shared/monitor-layout.ts';
import type { Table } from '../shared/table.ts';

type Figures = Omit<RecentContention, 'reasons'>;

/** What a shard had measured at one moment. */
interface Reading {
  readonly takings: number;
  readonly waits: Counts;
  readonly writes: Counts;
  /** Nobody held the lock, so nothing more is to come of these takings. */
  readonly complete: boolean;
}

/** One shard between two looks. */
interface ShardWatch {
  /** The recent past runs from here; when the window turns, from the later one. */
  since: Reading;
  later: Reading;
  /** The lock as it was seen last, and for how long it has been just so. */
  lock: number;
  takings: number;
  heldMs: number;
  /** Held for so long, its holder is asked for it (again). */
  askAtMs: number;
  /** Looks in a row without a figure near its threshold. */
  calmLooks: number;
}

/**
 * Looks at the shards every `limits.alarmLookMs` while writers wait for their locks, raises and clears alarms, and closes
 * and opens admission. When all is calm it stops, until a writer asks: an idle process uses no processor.
 *
 * What it decides lies in shared memory. It may end at any moment: the next coordinator's watch begins with a look.
 */
export class ContentionWatch {
  readonly #table: Table;
  readonly #askBack: (slot: number) => void;
  readonly #shards: readonly ShardWatch[];
  #lookedMs = 0;
  #looks = 0;
  /** How long more shards have been alarmed than may be. */
  #mostAlarmedMs = 0;

  /** @param askBack asks a living thread for a lock it may have abandoned. Those who wait do so, too; but when new names are
   *    refused because of that very lock, there may be nobody who waits. */
  constructor(table: Table, askBack: (slot: number) => void) {
    this.#table = table;
    this.#askBack = askBack;
    this.#shards = table.shards.map((_, n) => {
      const reading = this.#read(n);
      return {
        since: reading,
        later: reading,
        lock: 0,
        takings: 0,
        heldMs: 0,
        askAtMs: limits.lockSuspectMs,
        calmLooks: 0,
      };
    });
  }

  /** Watches for as long as the thread runs. */
  async run(): Promise<void> {
    const { contention } = this.#table;
    for (;;) {
      contention.watch();
      this.#begin();
      for (let calmLooks = 0; calmLooks < limits.alarmRestLooks; ) {
        calmLooks = this.#look() ? calmLooks + 1 : 0;
        await delay(limits.alarmLookMs);
      }
      contention.rest();
      if (this.#look() && !contention.anyoneSleeps()) await contention.asked();
    }
  }

  /** What was long before is not the recent past. */
  #begin(): void {
    for (const [n, watch] of this.#shards.entries()) {
      watch.since = watch.later = this.#read(n);
      watch.lock = 0;
    }
    this.#lookedMs = performance.now();
  }

  /** @returns whether nothing is alarmed and nobody has waited lately. */
  #look(): boolean {
    const { contention } = this.#table;
    const now = performance.now();
    // A process that was stopped meanwhile has not waited.
    const elapsedMs = Math.min(now - this.#lookedMs, limits.lockSliceCountedMs);
    this.#lookedMs = now;
    const turns = ++this.#looks % limits.alarmWindowLooks === 0;
    let calm = true;
    let changed = false;
    for (const [n, watch] of this.#shards.entries()) {
      const figures = this.#figures(n, watch, elapsedMs, turns);
      const reasons = this.#verdict(watch, figures, contention.recent(n).reasons);
      if (contention.find(n, { ...figures, reasons })) changed = true;
      if (reasons !== 0 || watch.lock & 1 || figures.lockWaitP99Ms > 0) calm = false;
    }
    this.#judgeAdmission(elapsedMs);
    if (changed) contention.tell();
    return calm;
  }

  /** Closed when most shards have been alarmed for a while, as one stall of the machine alarms many at once; open as soon as
   *  they are not. Judged at each look: the coordinator before may have ended between an alarm and this. */
  #judgeAdmission(elapsedMs: number): void {
    const { contention } = this.#table;
    this.#mostAlarmedMs = contention.mostAlarmed ? this.#mostAlarmedMs + elapsedMs : 0;
    if (this.#mostAlarmedMs === 0) contention.judgeAdmission(false);
    else if (this.#mostAlarmedMs >= limits.admissionPatienceMs) contention.judgeAdmission(true);
  }

  #figures(n: number, watch: ShardWatch, elapsedMs: number, turns: boolean): Figures {
    const { lock, takings } = this.#table.contention.holding(n);
    const sameHolding = (lock & 1) !== 0 && lock === watch.lock && takings === watch.takings;
    watch.heldMs = sameHolding ? watch.heldMs + elapsedMs : 0;
    watch.lock = lock;
    watch.takings = takings;
    if (!sameHolding) watch.askAtMs = limits.lockSuspectMs;
    else if (watch.heldMs >= watch.askAtMs) {
      watch.askAtMs = watch.heldMs + limits.lockSuspectMs;
      this.#askBack(holderOf(lock));
    }

    const { since } = watch;
    const nothingNew = since.complete && since.takings === takings;
    const reading = nothingNew ? since : this.#read(n);
    if (turns) {
      watch.since = watch.later;
      watch.later = reading;
    }
    const heldMs = watch.heldMs;
    if (nothingNew) return { lockWaitP99Ms: 0, writeMeanMs: 0, heldMs };
    return {
      // Of those that waited, not of all writes: while a lock is held, those do not come that would have come.
      lockWaitP99Ms: milliseconds(quantileOf(countsSince(since.waits, reading.waits), 0.99)),
      writeMeanMs: milliseconds(meanOf(countsSince(since.writes, reading.writes))),
      heldMs,
    };
  }

  #read(n: number): Reading {
    const { control, map, contention } = this.#table;
    const at = map.monitor(n);
    const { lock, takings } = contention.holding(n);
    const waits = readCounts(control, at + Monitor.waits);
    return { takings, waits, writes: readCounts(control, at + Monitor.writes), complete: lock === 0 };
  }

  /** Raised at once; cleared when all figures were under half of their thresholds for some looks. */
  #verdict(watch: ShardWatch, figures: Figures, before: number): number {
    const over = this.#reasons(figures, 1);
    watch.calmLooks = this.#reasons(figures, 0.5) === 0 ? watch.calmLooks + 1 : 0;
    if (over !== 0) return over;
    return watch.calmLooks >= limits.alarmClearLooks ? 0 : before;
  }

  #reasons({ lockWaitP99Ms, writeMeanMs, heldMs }: Figures, share: number): number {
    const { contention } = this.#table;
    let reasons = 0;
    if (lockWaitP99Ms >= contention.lockWaitMs * share) reasons |= AlarmReason.lockWait;
    if (writeMeanMs >= contention.writeMeanMs * share) reasons |= AlarmReason.writeLatency;
    if (heldMs >= contention.lockWaitMs * share) reasons |= AlarmReason.lockHeld;
    return reasons;
  }
}

const milliseconds = (ticks: number): number => (ticks * tickNs) / 1e6;
