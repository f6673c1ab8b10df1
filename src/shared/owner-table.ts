import { threadId } from 'node:worker_threads';
import { Guarded } from './guard.ts';
import {
  COORDINATOR_SLOT,
  Control,
  type ControlMap,
  OwnerRow,
  OwnerState,
  ownerEpochMax,
  ThreadInfo,
} from './layout.ts';
import { currentKernelThread, kernelThreadState } from './liveness.ts';
import type { Owners } from './owners.ts';

const Operation = { claimOwner: 1, reclaim: 2 } as const;

/** Hands out the rows, under the control lock. */
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
   * the caller by compareExchange, then the caller alone writes the row, then the epoch makes it alive.
   * @returns its slot, or -1 when `threadsMax` threads are attached.
   */
  claimThread(): number {
    for (let slot = COORDINATOR_SLOT + 1; slot < this.#owners.threadsMax; slot++) {
      const claim = this.#info(slot) + ThreadInfo.claim;
      if (!this.#isFree(slot) || Atomics.compareExchange(this.control, claim, 0, threadId + 1) !== 0) continue;
      // Look again: between the first look and the claim the row may have had a tenant, whose end is being settled.
      if (this.#isFree(slot)) {
        this.#occupy(slot, this.#owners.epoch(slot));
        return slot;
      }
      Atomics.compareExchange(this.control, claim, threadId + 1, 0);
    }
    return -1;
  }

  /** Claims the coordinator's own row, so that one can always start, however many threads are attached. The caller is
   *  the only coordinator and the one before has ended: it holds the socket's address (see workers/coordinator.ts). */
  claimCoordinator(): number {
    const epoch = this.#owners.epoch(COORDINATOR_SLOT);
    const free = (epoch & OwnerState.mask) === OwnerState.free;
    Atomics.store(this.control, this.#info(COORDINATOR_SLOT) + ThreadInfo.claim, threadId + 1);
    this.#occupy(COORDINATOR_SLOT, free ? epoch : (epoch & ~OwnerState.mask) + OwnerState.step);
    return COORDINATOR_SLOT;
  }

  /** Frees a thread row that a thread, which has ended, claimed and did not come to occupy. */
  freeClaimOf(endedThreadId: number): void {
    for (let slot = COORDINATOR_SLOT + 1; slot < this.#owners.threadsMax; slot++) {
      const claim = this.#info(slot) + ThreadInfo.claim;
      if (this.#isFree(slot)) Atomics.compareExchange(this.control, claim, endedThreadId + 1, 0);
    }
  }

  #isFree(slot: number): boolean {
    const epoch = this.#owners.epoch(slot);
    return (epoch & OwnerState.mask) === OwnerState.free && epoch + OwnerState.step <= ownerEpochMax;
  }

  /** The claimer writes its row and comes alive. */
  #occupy(slot: number, free: number): void {
    const words = this.control;
    const row = this.#row(slot);
    const kernel = currentKernelThread();
    words[this.#info(slot) + ThreadInfo.startTicks] = kernel.startTicks;
    words[this.#info(slot) + ThreadInfo.tid] = kernel.tid;
    words[row + OwnerRow.thread] = slot;
    words[row + OwnerRow.threadEpoch] = free + OwnerState.alive;
    Atomics.store(words, row + OwnerRow.epoch, free + OwnerState.alive);
  }

  /** Frees thread rows whose claimer was killed before its epoch came alive. */
  freeBrokenClaims(): void {
    const words = this.control;
    for (let slot = COORDINATOR_SLOT + 1; slot < this.#owners.threadsMax; slot++) {
      const info = this.#info(slot);
      const claim = Atomics.load(words, info + ThreadInfo.claim);
      if (claim === 0 || (this.#owners.epoch(slot) & OwnerState.mask) !== OwnerState.free) continue;
      const tid = words[info + ThreadInfo.tid];
      if (tid === 0 || kernelThreadState({ tid, startTicks: words[info + ThreadInfo.startTicks] }) !== 'gone') continue;
      words[info + ThreadInfo.tid] = 0;
      Atomics.compareExchange(words, info + ThreadInfo.claim, claim, 0);
    }
  }

  /** Claims a row for an owner that dies with `thread`. @returns its slot, or -1 when all are taken. */
  claimOwner(thread: number, threadEpoch: number): number {
    const words = this.control;
    this.enter();
    try {
      const free = words[this.#map.control + Control.ownerFree];
      const used = words[this.#map.control + Control.ownersUsed];
      if (free === 0 && used === this.#owners.ownersMax) return -1;
      const slot = free === 0 ? this.#owners.threadsMax + used : free;
      const row = this.#row(slot);
      const epoch = words[row + OwnerRow.epoch];
      this.begin(Operation.claimOwner, slot, epoch, 0);
      if (free === 0) this.setControl(this.#map.control + Control.ownersUsed, used + 1);
      else this.setControl(this.#map.control + Control.ownerFree, words[row + OwnerRow.nextFree]);
      words[row + OwnerRow.thread] = thread;
      words[row + OwnerRow.threadEpoch] = threadEpoch;
      Atomics.store(words, row + OwnerRow.epoch, epoch + OwnerState.alive);
      this.end();
      return slot;
    } finally {
      this.leave();
    }
  }

  /** Dead tenancies now, as (slot, epoch) pairs; owners whose thread has ended are ended on the way. Reads only. */
  dead(): [slot: number, epoch: number][] {
    const found: [number, number][] = [];
    const slots = this.#owners.threadsMax + this.control[this.#map.control + Control.ownersUsed];
    for (let slot = COORDINATOR_SLOT + 1; slot < slots; slot++) {
      let epoch = this.#owners.epoch(slot);
      if (this.#owners.isAlive(epoch) && !this.#owners.alive(slot, epoch)) {
        this.#owners.kill(slot, epoch);
        epoch = this.#owners.epoch(slot);
      }
      if ((epoch & OwnerState.mask) === OwnerState.dead) found.push([slot, epoch]);
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
      if (slot < this.#owners.threadsMax) {
        // Who claims the row now looks at its epoch again, and backs off until it is free.
        this.setControl(this.#info(slot) + ThreadInfo.tid, 0);
        this.setControl(this.#info(slot) + ThreadInfo.claim, 0);
      } else {
        this.setControl(row + OwnerRow.nextFree, this.control[this.#map.control + Control.ownerFree]);
        this.setControl(this.#map.control + Control.ownerFree, slot);
      }
      Atomics.store(this.control, row + OwnerRow.epoch, epoch - OwnerState.dead + OwnerState.step);
      this.end();
    } finally {
      this.leave();
    }
  }

  protected repairOperation(): void {
    if (this.control[this.#row(this.intentRecord) + OwnerRow.epoch] === this.intentBefore) this.undo();
    this.end();
  }

  protected arrayOf(): Int32Array<SharedArrayBuffer> {
    return this.control;
  }

  #row(slot: number): number {
    return this.#map.owners + slot * OwnerRow.words;
  }

  #info(slot: number): number {
    return this.#map.threads + slot * ThreadInfo.words;
  }
}
