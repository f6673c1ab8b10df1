import { threadId } from 'node:worker_threads';
import { Clock, hasPassed } from './clock.ts';
import { corrupt } from './errors.ts';
import { Deadlines } from './expiry.ts';
import { type ControlMap, EndReason, Header, OwnerRow, OwnerState, ThreadInfo } from './layout.ts';
import { limits } from './limits.ts';
import { kernelThreadState } from './liveness.ts';
import { loadFirst } from './ordering.ts';
import { WatchBell } from './watch-bell.ts';

/** Who lives: the rows of threads and of owners smaller than a thread. Reading takes no lock. */
export class Owners {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #map: ControlMap;
  readonly threadsMax: number;
  readonly ownersMax: number;
  readonly #rows: number;
  readonly bell: WatchBell;
  readonly clock: Clock;
  readonly deadlines: Deadlines;

  constructor(words: Int32Array<SharedArrayBuffer>, map: ControlMap, threadsMax: number, ownersMax: number) {
    this.#words = words;
    this.#map = map;
    this.threadsMax = threadsMax;
    this.ownersMax = ownersMax;
    this.#rows = threadsMax + ownersMax;
    this.bell = new WatchBell(words);
    this.clock = new Clock(words);
    this.deadlines = new Deadlines(words);
  }

  /** Position of a slot's epoch: the word a cached lookup compares. */
  epochAt(slot: number): number {
    return this.#map.owners + slot * OwnerRow.words + OwnerRow.epoch;
  }

  epoch(slot: number): number {
    return Atomics.load(this.#words, this.epochAt(slot));
  }

  thread(slot: number): number {
    return loadFirst(this.#words, this.#map.owners + slot * OwnerRow.words + OwnerRow.thread);
  }

  /** The epoch that the thread of `slot` had when the owner was made. */
  threadEpoch(slot: number): number {
    return loadFirst(this.#words, this.#map.owners + slot * OwnerRow.words + OwnerRow.threadEpoch);
  }

  /** Whether that tenancy lives, and its time is not over.
   *  @throws {RegistryError} `CORRUPT` when there is no such slot */
  alive(slot: number, epoch: number): boolean {
    this.#check(slot);
    const over = this.clock.isOver(this.#words, this.expiryAt(slot));
    return this.isTenant(slot, epoch) && !over;
  }

  #check(slot: number): void {
    if (slot >>> 0 >= this.#rows) throw corrupt(`owner ${slot}`);
  }

  /** Whether that tenancy lives, its deadline apart. `thread` and `threadEpoch` are read before the epoch is compared: they are written only
   *  while the epoch is another, and it never returns, so they belong to this tenancy. (`epoch` is known from a record or a row
   *  that was published after them.) */
  isTenant(slot: number, epoch: number): boolean {
    const words = this.#words;
    const row = this.#map.owners + slot * OwnerRow.words;
    const thread = loadFirst(words, row + OwnerRow.thread);
    if (thread >>> 0 >= this.threadsMax) throw corrupt(`thread ${thread} of owner ${slot}`);
    const threadEpoch = loadFirst(words, row + OwnerRow.threadEpoch);
    if (loadFirst(words, row + OwnerRow.epoch) !== epoch) return false;
    return words[this.#map.owners + thread * OwnerRow.words + OwnerRow.epoch] === threadEpoch;
  }

  /** The deadline of the owner in `slot`, and where it lies; 0: it has none. */
  expiry(slot: number): number {
    return loadFirst(this.#words, this.expiryAt(slot));
  }

  expiryAt(slot: number): number {
    return this.#map.owners + slot * OwnerRow.words + OwnerRow.expiry;
  }

  /** Whether that tenancy lives on; one whose time is over is ended, which is final. It is sealed first: who renews it
   *  and who ends it both go by a compareExchange of the deadline they have seen, so one of them comes too late and knows. */
  livesOn(slot: number, epoch: number): boolean {
    this.#check(slot);
    for (let retries = 0; retries < limits.readRetriesMax; retries++) {
      if (!this.isTenant(slot, epoch)) return false;
      const expiry = loadFirst(this.#words, this.expiryAt(slot));
      if (expiry === 0 || !hasPassed(expiry, this.clock.time())) return true;
      if (Atomics.compareExchange(this.#words, this.expiryAt(slot), expiry, sealed(expiry)) !== expiry) continue;
      this.kill(slot, epoch, EndReason.expired);
      return false;
    }
    throw corrupt(`the deadline of owner ${slot} changes without end`);
  }

  /** Gives a tenancy that lives, and has a deadline, another one. @returns whether it does */
  renew(slot: number, epoch: number, ttl: number): boolean {
    for (let retries = 0; retries < limits.readRetriesMax; retries++) {
      const expiry = Atomics.load(this.#words, this.expiryAt(slot));
      if (expiry === 0 || !this.alive(slot, epoch)) return false;
      const deadline = this.clock.deadline(ttl);
      this.deadlines.note(deadline);
      if (Atomics.compareExchange(this.#words, this.expiryAt(slot), expiry, deadline) === expiry) return true;
    }
    throw corrupt(`the deadline of owner ${slot} changes without end`);
  }

  /** Ends a tenancy: everything it owns stops resolving, in every thread, by this one store.
   *  @param reason an `EndReason`, told to monitors: the first that is given for a tenancy stays
   *  @returns false when it had ended before; a later tenant of the slot is never harmed. */
  kill(slot: number, epoch: number, reason: number = EndReason.exited): boolean {
    if (!this.isAlive(epoch)) return false;
    this.#sayWhy(slot, epoch & ~OwnerState.mask, reason); // before the end, so that who sees the one sees the other
    if (Atomics.compareExchange(this.#words, this.epochAt(slot), epoch, epoch + 1) !== epoch) return false;
    Atomics.add(this.#words, Header.deaths, 1);
    this.bell.ring();
    this.tellEnding();
    return true;
  }

  /** The word only grows: it names a later tenancy, or gives this one its reason. Each tenancy has one before it ends, so
   *  a late notice finds one; and who finds that another was quicker leaves it at that. */
  #sayWhy(slot: number, tenancy: number, reason: number): void {
    const at = this.#map.owners + slot * OwnerRow.words + OwnerRow.reason;
    const before = Atomics.load(this.#words, at);
    if (before <= tenancy) Atomics.compareExchange(this.#words, at, before, tenancy | reason);
  }

  /** Wakes who waits for the end of an owner or of a name. */
  tellEnding(): void {
    Atomics.add(this.#words, Header.endings, 1);
    Atomics.notify(this.#words, Header.endings);
  }

  /** Why a tenancy ended, an `EndReason`: `none` while it lives. */
  endReason(slot: number, epoch: number): number {
    const word = Atomics.load(this.#words, this.#map.owners + slot * OwnerRow.words + OwnerRow.reason);
    return (word ^ epoch) & ~OwnerState.mask ? EndReason.none : word & OwnerState.mask;
  }

  /** Whether that tenancy takes some of `what`, bits of `Takes`, as far as it says so. */
  takes(slot: number, epoch: number, what: number): boolean {
    const word = loadFirst(this.#words, this.#map.owners + slot * OwnerRow.words + OwnerRow.takes);
    return ((word ^ epoch) & ~OwnerState.mask) === 0 && (word & what) !== 0;
  }

  /** Says so, for an owner of the calling thread. The slot may have its next tenant by now, whose word stays. */
  setTakes(slot: number, epoch: number, what: number): void {
    const at = this.#map.owners + slot * OwnerRow.words + OwnerRow.takes;
    for (let retries = 0; retries < limits.readRetriesMax; retries++) {
      const before = Atomics.load(this.#words, at);
      if (before > (epoch | OwnerState.mask)) return;
      if (Atomics.compareExchange(this.#words, at, before, (epoch & ~OwnerState.mask) | what) === before) return;
    }
    throw corrupt(`what owner ${slot} takes changes without end`);
  }

  /** How many tenancies have ended so far. */
  deaths(): number {
    return Atomics.load(this.#words, Header.deaths);
  }

  isAlive(epoch: number): boolean {
    return (epoch & OwnerState.mask) === OwnerState.alive;
  }

  /** `worker_threads.threadId` of the thread in `slot`. */
  threadIdOf(slot: number): number {
    return this.#words[this.#infoAt(slot) + ThreadInfo.threadId];
  }

  /** Whether `slot` is an attachment of the calling thread. */
  isThisThread(slot: number): boolean {
    return this.isAlive(this.epoch(slot)) && this.threadIdOf(slot) === threadId;
  }

  /** Whether the thread of `slot` runs no more. Where the kernel can be asked only its word counts, as a lock of a
   *  living thread must not be taken away; elsewhere the epoch does. */
  threadEnded(slot: number): boolean {
    if (slot < 0 || slot >= this.threadsMax) return true; // a lock word that names no thread: nobody holds it
    const at = this.#infoAt(slot);
    const tid = Math.max(0, this.#words[at + ThreadInfo.claim]);
    const state = kernelThreadState({ tid, startTicks: this.#words[at + ThreadInfo.startTicks] });
    return state === 'unknown' ? !this.isAlive(this.epoch(slot)) : state === 'gone';
  }

  /** Whether the kernel can be asked about the thread of `slot`. */
  hasKernelThread(slot: number): boolean {
    return this.#words[this.#infoAt(slot) + ThreadInfo.claim] > 0;
  }

  #infoAt(slot: number): number {
    return this.#map.threads + slot * ThreadInfo.words;
  }
}

/** Another deadline that has passed, when `deadline` has. */
const sealed = (deadline: number): number => (deadline - 1) | 0 || -1;
