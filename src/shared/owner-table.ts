import { threadId } from 'node:worker_threads';
import { corrupt } from './errors.ts';
import { Guarded, Space } from './guard.ts';
import {
  COORDINATOR_SLOT,
  Control,
  type ControlMap,
  OwnerRow,
  OwnerState,
  ownerEpochMax,
  ThreadInfo,
} from './layout.ts';
import { currentKernelThread, type KernelThread, kernelThreadState } from './liveness.ts';
import type { Owners } from './owners.ts';

const Operation = { claimOwner: 1, reclaim: 2 } as const;

/** A row that is being claimed: so that it can be freed if nobody comes to hear of it. */
export interface OwnerClaim {
  slot: number;
  epoch: number;
}

/** Hands out rows and takes them back, under the control lock; but a thread that attaches claims its row without. */
export class OwnerTable extends Guarded {
  readonly #map: ControlMap;
  readonly #owners: Owners;

  constructor(control: Int32Array<SharedArrayBuffer>, map: ControlMap, owners: Owners) {
    super(control, map.control + Control.guard, owners);
    this.#map = map;
    this.#owners = owners;
  }

  /**
   * Claims a thread row for the calling thread. Takes no lock, as a lock needs a holder to name: `claim` goes from 0 to
   * the caller by compareExchange, then the caller alone writes the row, then the epoch makes it alive. `claim` is 0 only
   * while the row is free.
   * @throws {RegistryError} `CORRUPT` when an unclaimed row has a tenant
   * @returns its slot, or -1 when `threadsMax` threads are attached.
   */
  claimThread(): number {
    const kernel = currentKernelThread();
    const me = claimant(kernel.tid);
    for (let slot = COORDINATOR_SLOT + 1; slot < this.#owners.threadsMax; slot++) {
      const claim = this.#info(slot) + ThreadInfo.claim;
      if (!this.#isFree(slot) || Atomics.compareExchange(this.control, claim, 0, me) !== 0) continue;
      // Read after the claim: since the look above the row may have had a tenant, and been freed.
      const epoch = this.#owners.epoch(slot);
      if ((epoch & OwnerState.mask) !== OwnerState.free)
        throw corrupt(`thread row ${slot}, with a tenant and no claim`);
      this.#occupy(slot, epoch, kernel);
      return slot;
    }
    return -1;
  }

  /** Claims the coordinator's own row, so that one can always start, however many threads are attached. The caller is
   *  the only coordinator and the one before has ended: it holds the socket's address (see workers/coordinator.ts). */
  claimCoordinator(): number {
    const epoch = this.#owners.epoch(COORDINATOR_SLOT);
    const free = (epoch & OwnerState.mask) === OwnerState.free;
    const kernel = currentKernelThread();
    Atomics.store(this.control, this.#info(COORDINATOR_SLOT) + ThreadInfo.claim, claimant(kernel.tid));
    this.#occupy(COORDINATOR_SLOT, free ? epoch : (epoch & ~OwnerState.mask) + OwnerState.step, kernel);
    this.#owners.bell.ring(); // the one before may have ended between a death and its bell
    return COORDINATOR_SLOT;
  }

  /** Frees a row that a thread, which has ended, claimed and did not come to occupy: where the kernel cannot be asked. */
  freeClaimOf(endedThreadId: number): void {
    for (let slot = COORDINATOR_SLOT + 1; slot < this.#owners.threadsMax; slot++) {
      const claim = this.#info(slot) + ThreadInfo.claim;
      if (this.#isFree(slot)) Atomics.compareExchange(this.control, claim, -1 - endedThreadId, 0);
    }
  }

  #isFree(slot: number): boolean {
    const epoch = this.#owners.epoch(slot);
    return (epoch & OwnerState.mask) === OwnerState.free && epoch + OwnerState.step <= ownerEpochMax;
  }

  /** The claimer writes its row and comes alive. */
  #occupy(slot: number, free: number, { startTicks }: KernelThread): void {
    const words = this.control;
    const row = this.#row(slot);
    words[this.#info(slot) + ThreadInfo.threadId] = threadId;
    words[this.#info(slot) + ThreadInfo.startTicks] = startTicks;
    words[row + OwnerRow.thread] = slot;
    words[row + OwnerRow.threadEpoch] = free + OwnerState.alive;
    Atomics.store(words, row + OwnerRow.epoch, free + OwnerState.alive);
  }

  /** Whether rows are claimed and not alive: by threads that are about to attach, or were ended on the way. */
  hasOpenClaims(): boolean {
    for (let slot = COORDINATOR_SLOT + 1; slot < this.#owners.threadsMax; slot++)
      if (this.#openClaim(slot)) return true;
    return false;
  }

  /** Who has claimed a row and has not come alive, or 0. */
  #openClaim(slot: number): number {
    const claim = Atomics.load(this.control, this.#info(slot) + ThreadInfo.claim);
    return (this.#owners.epoch(slot) & OwnerState.mask) === OwnerState.free ? claim : 0;
  }

  /** Frees thread rows whose claimer was ended before it came alive. Under the lock, so that nobody frees a row for the
   *  second time, when another of the same kernel thread id may have claimed it. */
  freeBrokenClaims(): void {
    if (!this.hasOpenClaims()) return;
    this.enter();
    try {
      for (let slot = COORDINATOR_SLOT + 1; slot < this.#owners.threadsMax; slot++) {
        const claim = this.#openClaim(slot);
        if (claim <= 0 || kernelThreadState({ tid: claim, startTicks: 0 }) !== 'gone') continue;
        if (this.#openClaim(slot) !== claim) continue; // it came alive before it ended: then its row is buried
        this.control[this.#info(slot) + ThreadInfo.startTicks] = 0;
        Atomics.compareExchange(this.control, this.#info(slot) + ThreadInfo.claim, claim, 0);
      }
    } finally {
      this.leave();
    }
  }

  /** Claims a row for an owner that dies with `thread`, or when `ttl` ticks (0: never) are over. `claim` is told of it before it is
   *  alive.
   *  @returns its slot, or -1 when all are taken. */
  claimOwner(thread: number, threadEpoch: number, claim?: OwnerClaim, ttl = 0): number {
    const words = this.control;
    this.enter();
    try {
      const free = words[this.#map.control + Control.ownerFree];
      const used = this.#ownersUsed();
      if (free === 0 && used === this.#owners.ownersMax) return -1;
      const slot = free === 0 ? this.#owners.threadsMax + used : free;
      const row = this.#row(slot);
      const epoch = words[row + OwnerRow.epoch];
      const isOwnerRow = slot >= this.#owners.threadsMax && slot <= this.#owners.threadsMax + used;
      if (!isOwnerRow || (epoch & OwnerState.mask) !== OwnerState.free)
        throw corrupt(`owner row ${slot} as a free one`);
      if (claim !== undefined) [claim.slot, claim.epoch] = [slot, epoch + OwnerState.alive];
      this.begin(Operation.claimOwner, slot, epoch, 0);
      if (free === 0) this.setControl(this.#map.control + Control.ownersUsed, used + 1);
      else this.setControl(this.#map.control + Control.ownerFree, words[row + OwnerRow.nextFree]);
      words[row + OwnerRow.thread] = thread;
      words[row + OwnerRow.threadEpoch] = threadEpoch;
      words[row + OwnerRow.expiry] = this.#owners.clock.deadline(ttl);
      this.#owners.deadlines.note(words[row + OwnerRow.expiry]);
      Atomics.store(words, row + OwnerRow.epoch, epoch + OwnerState.alive);
      this.end();
      return slot;
    } finally {
      this.leave();
    }
  }

  /** Dead tenancies now, as (slot, epoch) pairs; owners whose thread has ended, or whose time is over, are
   *  ended on the way. */
  dead(): [slot: number, epoch: number][] {
    const found: [number, number][] = [];
    const slots = this.#owners.threadsMax + this.#ownersUsed();
    for (let slot = COORDINATOR_SLOT + 1; slot < slots; slot++) {
      let epoch = this.#owners.epoch(slot);
      if (this.#owners.isAlive(epoch) && !this.#owners.livesOn(slot, epoch)) {
        this.#owners.kill(slot, epoch);
        epoch = this.#owners.epoch(slot);
      }
      if ((epoch & OwnerState.mask) === OwnerState.dead) found.push([slot, epoch]);
      else if (this.#owners.isAlive(epoch)) this.#owners.deadlines.note(this.#owners.expiry(slot));
    }
    return found;
  }

  /** Frees a dead row for its next tenant. The caller has seen that no record and no lock names the tenancy. */
  reclaim(slot: number, epoch: number): void {
    if (epoch + OwnerState.step > ownerEpochMax) return;
    this.enter();
    try {
      const row = this.#row(slot);
      if (this.control[row + OwnerRow.epoch] !== epoch) return;
      this.begin(Operation.reclaim, slot, epoch, 0);
      const isThread = slot < this.#owners.threadsMax;
      if (isThread) {
        this.setControl(this.#info(slot) + ThreadInfo.startTicks, 0);
        this.setControl(this.#info(slot) + ThreadInfo.claim, BEING_FREED);
      } else {
        this.setControl(row + OwnerRow.nextFree, this.control[this.#map.control + Control.ownerFree]);
        this.setControl(this.#map.control + Control.ownerFree, slot);
      }
      Atomics.store(this.control, row + OwnerRow.epoch, epoch - OwnerState.dead + OwnerState.step);
      if (isThread) this.#openToClaimers(slot);
      this.end();
    } finally {
      this.leave();
    }
  }

  /** The last step of freeing a thread row. Also when a killed one had done it: then somebody may have claimed the row. */
  #openToClaimers(slot: number): void {
    Atomics.compareExchange(this.control, this.#info(slot) + ThreadInfo.claim, BEING_FREED, 0);
  }

  protected repairOperation(op: number): void {
    const slot = this.intentRecord;
    const isRow = slot >= 0 && slot < this.#owners.threadsMax + this.#owners.ownersMax;
    if (!isRow || (op !== Operation.claimOwner && op !== Operation.reclaim))
      throw corrupt(`operation ${op} on row ${slot}`);
    if (this.control[this.#row(slot) + OwnerRow.epoch] === this.intentBefore) this.undo();
    else if (op === Operation.reclaim && slot < this.#owners.threadsMax) this.#openToClaimers(slot);
    this.end();
  }

  protected arrayOf(space: number, at: number): Int32Array<SharedArrayBuffer> {
    const isList = at === this.#map.control + Control.ownersUsed || at === this.#map.control + Control.ownerFree;
    const isRow = at >= this.#map.threads && at < this.#map.kinds;
    if (space === Space.control && (isList || isRow)) return this.control;
    throw corrupt(`journal of owners with word ${at} of ${space}`);
  }

  #ownersUsed(): number {
    const used = this.control[this.#map.control + Control.ownersUsed];
    if (used < 0 || used > this.#owners.ownersMax) throw corrupt(`${used} owner rows`);
    return used;
  }

  #row(slot: number): number {
    return this.#map.owners + slot * OwnerRow.words;
  }

  #info(slot: number): number {
    return this.#map.threads + slot * ThreadInfo.words;
  }
}

/** A claim of no thread. With it nobody claims the row before its freeing is committed, so no repair writes over a claim. */
const BEING_FREED = -0x8000_0000;

/** How a thread names itself in a claim. Threads of one process have different kernel thread ids while they live. */
const claimant = (tid: number): number => (tid > 0 ? tid : -1 - threadId);
