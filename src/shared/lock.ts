import { performance } from 'node:perf_hooks';
import { isMainThread } from 'node:worker_threads';
import { assert, RegistryError } from './errors.ts';
import { limits } from './limits.ts';
import type { Owners } from './owners.ts';

const CONTENDED = 1;
const SLOT_SHIFT = 1;
const SLOT_MASK = 0xfff;
const TENANCY_SHIFT = 13;
const TENANCY_MASK = 0x3ffff;

/**
 * A holder as a lock word names it: slot + 1 in bits 1–12, tenancy of the slot in bits 13–30. Bit 0 is `CONTENDED`.
 * A slot gets its next tenant only when the one before has ended, so a lock of an earlier tenancy has no holder; and
 * only after every lock was searched for the old one, so 18 bits of tenancy are plenty.
 */
export function lockToken(slot: number, epoch: number): number {
  return (((epoch >>> 2) & TENANCY_MASK) << TENANCY_SHIFT) | ((slot + 1) << SLOT_SHIFT);
}

/** The slot that a lock word names, or -1. */
export const holderOf = (word: number): number => ((word >>> SLOT_SHIFT) & SLOT_MASK) - 1;

/**
 * A lock that survives its holder.
 *
 * ```
 * free 0 ──CAS──▶ token ──CAS──▶ 0           nobody waits
 *                 token ──CAS──▶ token|1     a waiter, before it sleeps
 *                 token|1 ──CAS─▶ 0, notify  the holder leaves; the one woken takes token|1, as others may sleep on
 *                 dead|x ──CAS──▶ mine|1     the holder died or abandoned it: the taker repairs what it guards
 * ```
 * No user code runs under it and it never spans a turn of the event loop. So a thread that meets a lock of its own
 * has abandoned it (a `vm` time-out skips `finally`) and takes it back.
 */
export class Lock {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #at: number;
  readonly #owners: Owners;
  #token = 0;
  /** Milliseconds a wait may take before it ends in `BUSY`. */
  waitMs: number = isMainThread ? limits.lockWaitMainMs : limits.lockWaitWorkerMs;
  /** Told the living holder after each `limits.lockSuspectMs` of waiting. */
  onSuspect: ((slot: number) => void) | undefined;
  /** Told once in each wait, when the word says that somebody sleeps. */
  onSleep: (() => void) | undefined;

  constructor(words: Int32Array<SharedArrayBuffer>, at: number, owners: Owners) {
    this.#words = words;
    this.#at = at;
    this.#owners = owners;
  }

  /** Names the holder this thread's locks are taken for. */
  hold(slot: number, epoch: number): void {
    this.#token = lockToken(slot, epoch);
  }

  /** Refuses from now on: the slot may soon be another thread's. */
  retire(): void {
    this.#token = 0;
  }

  /** Takes the lock at once if it is free. @throws {RegistryError} `CLOSED` when retired. */
  tryAcquire(): boolean {
    if (this.#token === 0) throw new RegistryError('CLOSED', 'this thread has left the registry: attach again');
    return Atomics.compareExchange(this.#words, this.#at, 0, this.#token) === 0;
  }

  /**
   * Takes a lock that was not free.
   * @returns whether it was taken from a holder that did not give it back: then repair before anything else.
   * @throws {RegistryError} `BUSY` after `waitMs`.
   */
  acquireContended(): boolean {
    const words = this.#words;
    const at = this.#at;
    for (let turn = 0; turn < limits.spinTurns; turn++) {
      if (Atomics.load(words, at) === 0 && this.tryAcquire()) return false;
      Atomics.pause();
    }
    const mine = this.#token | CONTENDED;
    let lookedAt = performance.now();
    let waited = 0;
    let askAtMs: number = limits.lockSuspectMs;
    let sleeps = false;
    for (;;) {
      const word = Atomics.load(words, at);
      if (word === 0) {
        if (Atomics.compareExchange(words, at, 0, mine) === 0) return false;
        continue;
      }
      if (this.#abandonedHere(word)) {
        if (Atomics.compareExchange(words, at, word, mine) === word) return true;
        continue;
      }
      const sleeping = word | CONTENDED;
      if (word !== sleeping && Atomics.compareExchange(words, at, word, sleeping) !== word) continue;
      if (!sleeps) this.onSleep?.();
      sleeps = true;
      const woken = Atomics.wait(words, at, sleeping, limits.lockSliceMs) !== 'timed-out';
      const now = performance.now();
      waited += Math.min(now - lookedAt, limits.lockSliceCountedMs);
      lookedAt = now;
      if (woken && waited <= this.waitMs) continue;
      const holder = holderOf(word);
      if (this.#isOfEarlierTenant(word) || this.#owners.threadEnded(holder)) {
        // Only the word that was seen is replaced: a lock that changed hands meanwhile is somebody's own.
        if (Atomics.compareExchange(words, at, sleeping, mine) === sleeping) return true;
        continue;
      }
      // Again and again: the lock may have come into other hands, or there was nobody to pass the question on.
      if (waited > askAtMs) {
        askAtMs = waited + limits.lockSuspectMs;
        this.onSuspect?.(holder);
      }
      if (waited > this.waitMs) {
        throw new RegistryError(
          'BUSY',
          `waited ${Math.round(waited)} ms for a lock held by thread ${this.#owners.threadIdOf(holder)}: ` +
            'it is stopped inside the registry (a debugger, a starved machine); try again',
        );
      }
    }
  }

  /** Slot of the thread that holds the lock now, or -1. */
  get holder(): number {
    return holderOf(Atomics.load(this.#words, this.#at));
  }

  /** Gives the lock back; wakes one waiter if any sleeps. */
  release(): void {
    const words = this.#words;
    const was = Atomics.compareExchange(words, this.#at, this.#token, 0);
    if (was === this.#token) return;
    assert(was === (this.#token | CONTENDED), 'a lock is released by its holder');
    Atomics.store(words, this.#at, 0);
    Atomics.notify(words, this.#at, 1);
  }

  /** Takes the lock if `slot`'s tenant of that epoch holds it. Then the caller repairs and releases. */
  takeFrom(slot: number, epoch: number): boolean {
    const token = lockToken(slot, epoch);
    const word = Atomics.load(this.#words, this.#at);
    if ((word & ~CONTENDED) !== token) return false;
    return Atomics.compareExchange(this.#words, this.#at, word, this.#token | CONTENDED) === word;
  }

  /** Takes the lock if an earlier tenant of this holder's own slot left it. */
  takeFromPredecessor(): boolean {
    const word = Atomics.load(this.#words, this.#at);
    if (word === 0 || holderOf(word) !== holderOf(this.#token) || !this.#isOfEarlierTenant(word)) return false;
    return Atomics.compareExchange(this.#words, this.#at, word, this.#token | CONTENDED) === word;
  }

  #isOfEarlierTenant(word: number): boolean {
    const slot = holderOf(word);
    return lockToken(slot, this.#owners.epoch(slot)) !== (word & ~CONTENDED);
  }

  #abandonedHere(word: number): boolean {
    return this.#owners.isThisThread(holderOf(word)) && !this.#isOfEarlierTenant(word);
  }
}
