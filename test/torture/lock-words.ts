import type { RegistryHandle } from '../../src/engine/index.ts';
import { ControlMap, Counters, Guard, Header, OwnerRow, Shard } from '../../src/shared/layout.ts';
import { holderOf, lockToken } from '../../src/shared/lock.ts';
import type { Attachment } from './threads.ts';

/** Reads the locks of a registry from its memory: those of the owner rows and of the counters, then each shard's. */
export class LockWords {
  readonly #control: Int32Array;
  readonly #map: ControlMap;
  readonly #locks: readonly number[];

  constructor(handle: RegistryHandle) {
    const control = new Int32Array(handle.control);
    const map = new ControlMap(control[Header.shards], control[Header.threadsMax], control[Header.ownersMax]);
    this.#control = control;
    this.#map = map;
    this.#locks = [
      map.control + Guard.lock,
      map.counters + Counters.guard + Guard.lock,
      ...handle.shards.map((_, shard) => map.shard(shard) + Shard.guard + Guard.lock),
    ];
  }

  isShards(lock: number): boolean {
    return lock > 1;
  }

  /** Slot of the thread that holds a lock, or -1. */
  holder(lock: number): number {
    return holderOf(Atomics.load(this.#control, this.#locks[lock]));
  }

  /** Locks that this tenancy of a thread slot holds. */
  heldBy({ slot, epoch }: Attachment): number {
    const token = lockToken(slot, epoch);
    return this.#locks.filter((at) => (Atomics.load(this.#control, at) & ~1) === token).length;
  }

  /** Epoch of a slot now; 0 for none. */
  epoch(slot: number): number {
    return slot < 0 ? 0 : Atomics.load(this.#control, this.#map.owners + slot * OwnerRow.words + OwnerRow.epoch);
  }
}
