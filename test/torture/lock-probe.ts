import { performance } from 'node:perf_hooks';
import type { RegistryHandle } from '../../src/engine/index.ts';
import { OwnerState } from '../../src/shared/layout.ts';
import { Lock } from '../../src/shared/lock.ts';
import { OwnerTable } from '../../src/shared/owner-table.ts';
import { Owners } from '../../src/shared/owners.ts';
import { ShardMutations } from '../../src/shared/shard-mutations.ts';
import { Durations } from './durations.ts';
import { LockWords } from './lock-words.ts';
import { Phase, Row, rowAt, tortureWords, Word, type Words } from './words.ts';

/** Waits for locks, by who held them. */
export class Waits {
  /** Threads that had died. */
  readonly dead: Durations = new Durations();
  /** Threads that abandon locks alive. */
  readonly abandoned: Durations = new Durations();
  readonly alive: Durations = new Durations();
}

/** Locks that a thread took over. */
export class Takeovers {
  /** From a dead thread that it waited for, or that it was told of. */
  stolen = 0;
  recovered = 0;
  /** From itself. */
  takenBack = 0;

  merge(other: Omit<Takeovers, 'merge'>): void {
    this.stolen += other.stolen;
    this.recovered += other.recovered;
    this.takenBack += other.takenBack;
  }
}

/** What one thread saw of its locks. */
export class LockReport {
  readonly waits: readonly Waits[] = Array.from({ length: Phase.phases }, () => new Waits());
  readonly repairs: Durations = new Durations();
  readonly ofShards: Takeovers = new Takeovers();
  /** Of the rows of owners, and of counters. */
  readonly ofRows: Takeovers = new Takeovers();

  /** Adds all of another, which may have come as a plain copy from its thread. */
  merge(other: Omit<LockReport, 'merge'>): void {
    for (const [phase, waits] of this.waits.entries()) {
      for (const holder of ['dead', 'abandoned', 'alive'] as const) waits[holder].merge(other.waits[phase][holder]);
    }
    this.repairs.merge(other.repairs);
    this.ofShards.merge(other.ofShards);
    this.ofRows.merge(other.ofRows);
  }
}

interface Holder {
  readonly slot: number;
  readonly epoch: number;
}

/**
 * Watches the calling thread's locks where they are slow anyway: when they are waited for, taken over, repaired. It
 * wraps methods of the prototypes, in this thread's copy of the modules only, and alters nothing of what they do.
 */
export class LockProbe {
  readonly report: LockReport = new LockReport();
  readonly #words: Words;
  readonly #survivors: number;
  #memory: LockWords | undefined;
  #locks: Lock[] = [];
  /** The holder that the wait in progress has asked the kernel about last, or -1. */
  #asked = -1;

  /** `words`, where some of the first `survivors` rows tell who abandons locks alive. */
  constructor(words: Words = tortureWords({ survivors: 0, victims: 0 }), survivors = 0) {
    this.#words = words;
    this.#survivors = survivors;
    this.#watchLocks();
    this.#watchRepairs(ShardMutations.prototype);
    this.#watchRepairs(OwnerTable.prototype);
  }

  /** Call it once the thread has attached to that registry, and to no other before it. */
  attached(handle: RegistryHandle): void {
    this.#memory = new LockWords(handle);
  }

  /** Call it when the registry is left for the next. */
  detached(): void {
    this.#memory = undefined;
    this.#locks = [];
  }

  #watchLocks(): void {
    const probe = this;
    const { hold, acquireContended, takeFrom } = Lock.prototype;
    const { threadEnded } = Owners.prototype;
    // An attachment names itself to its locks in the order that `LockWords` has.
    Lock.prototype.hold = function (slot, epoch) {
      probe.#locks.push(this);
      hold.call(this, slot, epoch);
    };
    Lock.prototype.acquireContended = function () {
      const lock = probe.#locks.indexOf(this);
      const before = probe.#holderOf(lock);
      const started = performance.now();
      probe.#asked = -1;
      const stolen = acquireContended.call(this);
      probe.#noteWait(lock, before, stolen, performance.now() - started);
      return stolen;
    };
    Lock.prototype.takeFrom = function (slot, epoch) {
      const taken = takeFrom.call(this, slot, epoch);
      if (taken) probe.#count(probe.#locks.indexOf(this), 'recovered');
      return taken;
    };
    Owners.prototype.threadEnded = function (slot) {
      probe.#asked = slot;
      return threadEnded.call(this, slot);
    };
  }

  #watchRepairs(prototype: object): void {
    const { repairs } = this.report;
    const { repairOperation } = prototype as { repairOperation(op: number): void };
    Object.defineProperty(prototype, 'repairOperation', {
      value(this: unknown, op: number) {
        const started = performance.now();
        repairOperation.call(this, op);
        repairs.add(performance.now() - started);
      },
    });
  }

  #count(lock: number, how: keyof Omit<Takeovers, 'merge'>): void {
    const { ofRows, ofShards } = this.report;
    (this.#memory?.isShards(lock) ? ofShards : ofRows)[how]++;
  }

  #holderOf(lock: number): Holder {
    const slot = this.#memory?.holder(lock) ?? -1;
    return { slot, epoch: this.#memory?.epoch(slot) ?? 0 };
  }

  #noteWait(lock: number, before: Holder, stolen: boolean, ms: number): void {
    // A lock that this thread has abandoned it takes back without asking the kernel.
    if (stolen) this.#count(lock, this.#asked === -1 ? 'takenBack' : 'stolen');
    const slot = this.#asked === -1 ? before.slot : this.#asked;
    const waits = this.report.waits[Atomics.load(this.#words, Word.phase)];
    if (this.#isAbandoner(slot)) waits.abandoned.add(ms);
    else if (stolen || this.#hasDied(slot, before)) waits.dead.add(ms);
    else waits.alive.add(ms);
  }

  #hasDied(slot: number, before: Holder): boolean {
    const epoch = this.#memory?.epoch(slot) ?? 0;
    return slot === before.slot ? epoch !== before.epoch : (epoch & OwnerState.mask) === OwnerState.dead;
  }

  #isAbandoner(slot: number): boolean {
    for (let row = 0; row < this.#survivors; row++) {
      if (Atomics.load(this.#words, rowAt(row, Row.abandoner)) === slot + 1) return slot !== -1;
    }
    return false;
  }
}
