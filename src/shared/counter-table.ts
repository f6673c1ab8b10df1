import { corrupt } from './errors.ts';
import { Guarded, Space } from './guard.ts';
import { COORDINATOR_SLOT, type ControlMap, CounterRow, Counters, ownerEpochMax } from './layout.ts';
import { limits } from './limits.ts';
import type { Owners } from './owners.ts';

const Operation = { claim: 1, free: 2 } as const;

/** No owner: the counter that all threads share. (Slot 0 is the coordinator's, who counts nothing.) */
export const NOBODY = 0;

/** One counter, as it was read. */
export interface CounterValue {
  readonly owner: number;
  readonly ownerEpoch: number;
  readonly value: bigint;
}

/**
 * Hands out counters and takes back those of dead owners, under a lock of its own. Counting itself takes none: it is one
 * atomic addition of 64 bits, so a thread that is killed has counted or has not.
 *
 * A row's `epoch` is its commit word: odd while it is a counter. The row of an owner's counter is freed after the owner's
 * death, and only the owner's own thread counts in it: it looks whether the owner lives, then adds. That nobody counts in what
 * has become another's needs that it is not between the two when the row is freed. An owner without a deadline is
 * ended by its own thread, which is then at neither, or with it. But one whose time is over is ended by anybody: its row is freed
 * by its own thread, which is then in here, or after that has ended. What a freed
 * row had counted is first added to `kept` of the row that all share, if that was asked for: `kept` is written by the lock's holder
 * alone and journaled, so it has the amount exactly if the row is free. A shared row is for good.
 */
export class CounterTable extends Guarded {
  readonly #map: ControlMap;
  readonly #owners: Owners;
  readonly #values: BigInt64Array<SharedArrayBuffer>;

  constructor(control: Int32Array<SharedArrayBuffer>, map: ControlMap, owners: Owners) {
    super(control, map.counters + Counters.guard, owners);
    this.#map = map;
    this.#owners = owners;
    this.#values = new BigInt64Array(control.buffer);
  }

  /** Finds or makes a counter. With `kept` there is a shared one, too, and one that is found is kept from now on.
   *  @returns its row's position, or -1 when all rows are taken. */
  claim(name: number, owner: number, ownerEpoch: number, kept: boolean): number {
    this.enter();
    try {
      if (kept && this.#findOrMake(name, NOBODY, 0, false) === -1) return -1;
      return this.#findOrMake(name, owner, ownerEpoch, kept);
    } finally {
      this.leave();
    }
  }

  #findOrMake(name: number, owner: number, ownerEpoch: number, kept: boolean): number {
    const words = this.control;
    const found = this.#find(name, owner, ownerEpoch);
    if (found !== -1) {
      if (kept) words[found + CounterRow.isKept] = 1; // one store, after the shared row was made
      return found;
    }
    const isMortal = owner !== NOBODY && this.#owners.expiry(owner) !== 0;
    if (isMortal) this.#freeDead(); // those of its thread, which others may not free
    let row = this.#findFree();
    if (row === -1) {
      this.#freeDead();
      row = this.#findFree();
    }
    if (row === -1) return -1;
    const epoch = words[row + CounterRow.epoch];
    const number = this.#numberOf(row);
    this.begin(Operation.claim, number, epoch, 0);
    const usedAt = this.#map.counters + Counters.used;
    if (number === words[usedAt]) this.setControl(usedAt, number + 1);
    words.fill(0, row + CounterRow.name, row + CounterRow.words);
    words[row + CounterRow.name] = name;
    words[row + CounterRow.owner] = owner;
    words[row + CounterRow.ownerEpoch] = ownerEpoch;
    words[row + CounterRow.isKept] = kept ? 1 : 0;
    words[row + CounterRow.thread] = isMortal ? this.#owners.thread(owner) : 0;
    words[row + CounterRow.threadEpoch] = isMortal ? this.#owners.threadEpoch(owner) : 0;
    Atomics.store(words, row + CounterRow.epoch, epoch + 1);
    this.end();
    return row;
  }

  /** Frees the counters of the dead. Their rows serve others afterwards. */
  sweep(): void {
    if (!this.#hasDead()) return;
    this.enter();
    try {
      this.#freeDead();
    } finally {
      this.leave();
    }
  }

  #freeDead(): void {
    const words = this.control;
    for (const row of this.#rows()) {
      // An owner whose time is over may renew yet: it is ended first.
      const owner = words[row + CounterRow.owner];
      if (!this.#isFreeable(row) || this.#owners.livesOn(owner, words[row + CounterRow.ownerEpoch])) continue;
      const epoch = words[row + CounterRow.epoch];
      this.begin(Operation.free, this.#numberOf(row), epoch, 0);
      if (words[row + CounterRow.isKept] === 1) this.#keep(row);
      Atomics.store(words, row + CounterRow.epoch, epoch + 1);
      this.end();
    }
  }

  #keep(row: number): void {
    const shared = this.#find(this.control[row + CounterRow.name], NOBODY, 0);
    if (shared === -1) throw corrupt('a counter that is kept, and no shared one');
    const kept = this.#values[(shared + CounterRow.kept) >> 1] + this.#values[(row + CounterRow.value) >> 1];
    this.setControl(shared + CounterRow.kept, Number(BigInt.asIntN(32, kept)));
    this.setControl(shared + CounterRow.kept + 1, Number(BigInt.asIntN(32, kept >> 32n)));
  }

  /** What was counted under a name: by all, by owners that live, and by the dead whose counts are kept. */
  sum(name: number): bigint {
    return this.read(name).reduce((sum, { value }) => sum + value, 0n);
  }

  /** The counters of a name, each as it is at its own moment; what was kept of the dead is part of the shared one. */
  read(name: number): CounterValue[] {
    const words = this.control;
    this.enter(); // so that no count moves from one row to another meanwhile
    try {
      const values: CounterValue[] = [];
      for (const row of this.#rows()) {
        const isKept = words[row + CounterRow.isKept] === 1;
        if (words[row + CounterRow.name] !== name || (this.#isDead(row) && !isKept)) continue;
        const kept = this.#values[(row + CounterRow.kept) >> 1];
        const value = Atomics.load(this.#values, (row + CounterRow.value) >> 1) + kept;
        values.push({ owner: words[row + CounterRow.owner], ownerEpoch: words[row + CounterRow.ownerEpoch], value });
      }
      return values;
    } finally {
      this.leave();
    }
  }

  protected repairOperation(op: number): void {
    const number = this.intentRecord;
    if (number < 0 || number >= limits.countersMax || (op !== Operation.claim && op !== Operation.free)) {
      throw corrupt(`operation ${op} on counter ${number}`);
    }
    if (this.control[this.#rowAt(number) + CounterRow.epoch] === this.intentBefore) this.undo();
    this.end();
  }

  protected arrayOf(space: number, at: number): Int32Array<SharedArrayBuffer> {
    const isRow = at >= this.#rowAt(0) && at < this.#rowAt(limits.countersMax);
    if (space === Space.control && (isRow || at === this.#map.counters + Counters.used)) return this.control;
    throw corrupt(`journal of counters with word ${at} of ${space}`);
  }

  #find(name: number, owner: number, ownerEpoch: number): number {
    const words = this.control;
    const end = this.#rowAt(this.#used());
    for (let row = this.#rowAt(0); row < end; row += CounterRow.words) {
      if (words[row + CounterRow.name] !== name || words[row + CounterRow.owner] !== owner) continue;
      if (words[row + CounterRow.ownerEpoch] === ownerEpoch && words[row + CounterRow.epoch] & 1) return row;
    }
    return -1;
  }

  #findFree(): number {
    const used = this.#used();
    for (let number = 0; number < limits.countersMax; number++) {
      const row = this.#rowAt(number);
      const epoch = this.control[row + CounterRow.epoch];
      if (number === used || ((epoch & 1) === 0 && epoch < ownerEpochMax)) return row;
    }
    return -1;
  }

  /** Rows that are counters. */
  #rows(): number[] {
    const rows: number[] = [];
    const end = this.#rowAt(this.#used());
    for (let row = this.#rowAt(0); row < end; row += CounterRow.words) {
      if (this.control[row + CounterRow.epoch] & 1) rows.push(row);
    }
    return rows;
  }

  #hasDead(): boolean {
    for (const row of this.#rows()) if (this.#isFreeable(row)) return true;
    return false;
  }

  /** Whether the owner is dead, and its thread cannot be about to add to what it had found alive. */
  #isFreeable(row: number): boolean {
    if (!this.#isDead(row)) return false;
    const thread = this.control[row + CounterRow.thread];
    if (thread === COORDINATOR_SLOT) return true;
    const runs = this.#owners.alive(thread, this.control[row + CounterRow.threadEpoch]);
    return !runs || this.#owners.isThisThread(thread);
  }

  #isDead(row: number): boolean {
    const owner = this.control[row + CounterRow.owner];
    return owner !== NOBODY && !this.#owners.alive(owner, this.control[row + CounterRow.ownerEpoch]);
  }

  #used(): number {
    const used = this.control[this.#map.counters + Counters.used];
    if (used < 0 || used > limits.countersMax) throw corrupt(`${used} counters`);
    return used;
  }

  #rowAt(number: number): number {
    return this.#map.counters + Counters.words + number * CounterRow.words;
  }

  #numberOf(row: number): number {
    return (row - this.#rowAt(0)) / CounterRow.words;
  }
}
