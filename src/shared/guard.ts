import { assert, corrupt, isCorrupt } from './errors.ts';
import { Guard as At, journalPairsMax } from './layout.ts';
import { Lock } from './lock.ts';
import type { Owners } from './owners.ts';

/** Which array a journal address belongs to: bits 28–29 of the address. */
export const Space = { control: 0, records: 1, index: 2, arena: 3 } as const;
const SPACE_SHIFT = 28;
const OFFSET_MASK = (1 << SPACE_SHIFT) - 1;

/** `Guard.phase`: before the commit the journal undoes the preparation; after it, the clean-up. */
const Phase = { prepare: 1, cleanUp: 2 } as const;

/**
 * Memory behind one lock, whose critical sections a survivor can finish or undo in time that does not depend on how
 * much memory there is.
 *
 * A mutation is: `begin` (intent: what, on which word, that word's value) · journaled preparation · bytes where no
 * reader looks · **one atomic store, the commit** · `committed` · journaled clean-up · `end`. The journal holds the old
 * value of every word that was changed. Whoever finds the lock of a dead holder asks whether the commit happened (the
 * word differs from the intent: it never returns to an old value) and then
 * - not committed: undoes the journal; the mutation never was;
 * - committed: undoes what there is of the clean-up, and does the clean-up again from the intent.
 * Undoing twice is the same as once, so a repairer may die too.
 *
 * Why plain stores will do for the journal: it is read only by the lock's next holder. A living holder's release
 * orders them; V8 ends a thread only between operations, in program order, and its end is seen through the kernel.
 */
export abstract class Guarded {
  readonly control: Int32Array<SharedArrayBuffer>;
  readonly lock: Lock;
  readonly #at: number;

  constructor(control: Int32Array<SharedArrayBuffer>, guardAt: number, owners: Owners) {
    this.control = control;
    this.#at = guardAt;
    this.lock = new Lock(control, guardAt + At.lock, owners);
  }

  /** Finishes or undoes the operation that `op` and the intent words describe. Ends with `this.end()`. */
  protected abstract repairOperation(op: number): void;
  /** The array that a journal address of `space` indexes.
   *  @throws {RegistryError} `CORRUPT` when it is no word that the holder of this lock journals. */
  protected abstract arrayOf(space: number, at: number): Int32Array<SharedArrayBuffer>;
  /** Called when the lock was not free. */
  protected startsToWait(): void {}
  /** Called with the lock held. */
  protected noteWait(_stolen: boolean): void {}
  /** Called when the lock has been given back. */
  protected released(): void {}

  /** Takes the lock, repaired. Pair with `leave` in a `finally`.
   *  @throws {RegistryError} `CORRUPT` when a repair has failed, now or ever: what this lock guards is half done. */
  enter(): void {
    if (!this.lock.tryAcquire()) {
      this.startsToWait();
      const stolen = this.lock.acquireContended();
      if (stolen) this.#repairTaken();
      this.noteWait(stolen);
    }
    const op = this.control[this.#at + At.op];
    if (op === 0) return;
    this.lock.release();
    throw corrupt(`operation ${op} was neither finished nor undone`);
  }

  /** Gives the lock back. What threw half-way is repaired first, so an exception leaves the old state or the new. */
  leave(): void {
    if (this.control[this.#at + At.op] !== 0) this.#repairTaken();
    this.lock.release();
    this.released();
  }

  /** Repairs and frees the lock if that tenant of that thread slot holds it. */
  recoverFrom(slot: number, epoch: number): boolean {
    return this.#settle(this.lock.takeFrom(slot, epoch));
  }

  /** Repairs and frees the lock if an earlier tenant of this thread's own slot holds it. */
  recoverFromPredecessor(): boolean {
    return this.#settle(this.lock.takeFromPredecessor());
  }

  #settle(taken: boolean): boolean {
    if (!taken) return false;
    this.#repairTaken();
    this.noteWait(true);
    this.lock.release();
    this.released();
    return true;
  }

  /** What cannot be repaired is corrupt: everybody shall be told so, by the operation that stays, and nobody wait for
   *  the lock. A repair that is cut off otherwise (the stack is full) keeps it: it is an abandoned lock then, to be taken
   *  back and repaired. */
  #repairTaken(): void {
    try {
      this.#repair();
    } catch (error) {
      if (isCorrupt(error)) this.lock.release();
      throw error;
    }
  }

  #repair(): void {
    const op = this.control[this.#at + At.op];
    if (op !== 0) this.repairOperation(op);
    if (this.control[this.#at + At.op] !== 0) throw corrupt(`operation ${op} does not end`);
  }

  /** Declares the mutation: the commit is a store over `before`, elsewhere. `slot` is what the clean-up needs besides. */
  protected begin(op: number, record: number, before: number, slot: number): void {
    const words = this.control;
    const at = this.#at;
    words[at + At.journalWords] = 0;
    words[at + At.phase] = Phase.prepare;
    words[at + At.record] = record;
    words[at + At.before] = before;
    words[at + At.slot] = slot;
    words[at + At.op] = op;
  }

  /** After the commit: the preparation stands. (Emptying the journal comes first: see `redo`.) */
  protected committed(): void {
    this.control[this.#at + At.journalWords] = 0;
    this.control[this.#at + At.phase] = Phase.cleanUp;
  }

  protected end(): void {
    this.control[this.#at + At.op] = 0;
  }

  protected get intentRecord(): number {
    return this.control[this.#at + At.record];
  }
  protected get intentBefore(): number {
    return this.control[this.#at + At.before];
  }
  protected get intentSlot(): number {
    return this.control[this.#at + At.slot];
  }

  /** In a repair that found no commit: every prepared word gets its old value back. */
  protected undo(): void {
    const words = this.control;
    const length = words[this.#at + At.journalWords];
    if (length < 0 || length > 2 * journalPairsMax || length & 1) throw corrupt(`journal of ${length} words`);
    for (let n = length - 2; n >= 0; n -= 2) {
      const address = words[this.#at + At.journal + n];
      const at = address & OFFSET_MASK;
      this.arrayOf(address >>> SPACE_SHIFT, at)[at] = words[this.#at + At.journal + n + 1];
    }
    words[this.#at + At.journalWords] = 0;
  }

  /** In a repair that found the commit: leaves the state in which the clean-up starts. */
  protected redo(): void {
    if (this.control[this.#at + At.phase] === Phase.cleanUp) this.undo();
    this.committed();
  }

  protected setControl(at: number, value: number): void {
    this.#note(Space.control, at, this.control[at]);
    this.control[at] = value;
  }

  /** Journals `array[at]`, then writes it. The length is counted before the write, so every changed word is in. */
  protected setWord(space: number, array: Int32Array<SharedArrayBuffer>, at: number, value: number): void {
    this.#note(space, at, array[at]);
    array[at] = value;
  }

  #note(space: number, at: number, old: number): void {
    const words = this.control;
    const length = words[this.#at + At.journalWords];
    assert(length < 2 * journalPairsMax, 'the journal holds every mutation');
    words[this.#at + At.journal + length] = (space << SPACE_SHIFT) | at;
    words[this.#at + At.journal + length + 1] = old;
    words[this.#at + At.journalWords] = length + 2;
  }
}
