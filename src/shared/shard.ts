import type { EncodedConfig } from './codec.ts';
import { Shard as At, deadlineAt, Record, Version } from './layout.ts';
import { limits } from './limits.ts';
import type { NameKey } from './name-key.ts';
import { Outcome, ShardMutations } from './shard-mutations.ts';

/** "Any registration" and "any version", for writes that do not care: no live record has version 0. */
export const ANY = 0;

/** What becomes of a registration whose name has a living owner: see `Shard.register`. */
export const IfHeld = {
  /** Nothing: the answer is `taken`. */
  refuse: 0,
  /** It gets the new config if `owner` has it, else nothing. */
  update: 1,
  /** The same; and another owner's ends, as `owner`'s begins: at no moment is the name absent. */
  takeOver: 2,
} as const;
export type IfHeld = (typeof IfHeld)[keyof typeof IfHeld];

/** What a shard counts for people. */
const counterWords = [
  At.registrations,
  At.updates,
  At.removals,
  At.lockWaits,
  At.lockSteals,
  At.resizes,
  At.swept,
  At.takings,
] as const;

/** One commit of one record as a number that callers can keep: record id × 2^29 + sequence. No other commit of the
 *  shard has it, whatever names the record serves, until the record has seen 2^29 commits. */
export const versionToken = (id: number, version: number): number =>
  id * (Version.sequenceMax + 1) + (version >>> Version.sequenceShift);

/** The writes of one shard. Each decides and mutates under the shard's lock, which it takes for its own length. */
export class Shard extends ShardMutations {
  #deathsSwept = 0;

  /** Registers a name. `ttl` is in ticks of the clock; 0: for as long as its owner lives. */
  register(
    key: NameKey,
    owner: number,
    ownerEpoch: number,
    config: EncodedConfig | undefined,
    ifHeld: IfHeld,
    ttl = 0,
  ): Outcome {
    const outcome = this.#register(key, owner, ownerEpoch, config, ifHeld, ttl);
    if (outcome !== Outcome.full) return outcome;
    this.sweepAll();
    return this.#register(key, owner, ownerEpoch, config, ifHeld, ttl);
  }

  #register(
    key: NameKey,
    owner: number,
    ownerEpoch: number,
    config: EncodedConfig | undefined,
    ifHeld: IfHeld,
    ttl: number,
  ): Outcome {
    this.enter();
    try {
      const id = this.locate(key);
      if (id === 0) return this.insertEntry(key, owner, ownerEpoch, config, ttl);
      const { records } = this.memory;
      const at = this.memory.recordAt(id);
      this.holder = records[at + Record.owner];
      this.holderEpoch = records[at + Record.ownerEpoch];
      if (this.#isGone(id)) {
        return this.replaceEntry(id, owner, ownerEpoch, config, ttl);
      }
      if (ifHeld === IfHeld.refuse) return Outcome.taken;
      if (this.holder === owner && this.holderEpoch === ownerEpoch) return this.updateEntry(id, config, ttl);
      return ifHeld === IfHeld.update ? Outcome.taken : this.takeOverEntry(id, owner, ownerEpoch, config, ttl);
    } finally {
      this.leave();
    }
  }

  /** Gives a name another config, if its entry still is the `expected` one (`versionToken`, or `ANY`). */
  update(key: NameKey, expected: number, config: EncodedConfig | undefined): Outcome {
    const outcome = this.#updateName(key, expected, config);
    if (outcome !== Outcome.full) return outcome;
    this.sweepAll();
    return this.#updateName(key, expected, config);
  }

  #updateName(key: NameKey, expected: number, config: EncodedConfig | undefined): Outcome {
    this.enter();
    try {
      return this.#updateIf(this.locate(key), ANY, expected, config);
    } finally {
      this.leave();
    }
  }

  /** The same for a registration known by its record and first version: no name is hashed or probed. */
  updateRecord(id: number, born: number, expected: number, config: EncodedConfig | undefined): Outcome {
    const outcome = this.#updateRecord(id, born, expected, config);
    if (outcome !== Outcome.full) return outcome;
    this.sweepAll();
    return this.#updateRecord(id, born, expected, config);
  }

  #updateRecord(id: number, born: number, expected: number, config: EncodedConfig | undefined): Outcome {
    this.enter();
    try {
      return this.#updateIf(id, born, expected, config);
    } finally {
      this.leave();
    }
  }

  #updateIf(id: number, born: number, expected: number, config: EncodedConfig | undefined): Outcome {
    if (id === 0 || !this.#isLive(id, born)) return Outcome.notFound;
    const version = this.memory.records[id * Record.words + Record.version];
    if (expected !== ANY && versionToken(id, version) !== expected) return Outcome.changed;
    return this.updateEntry(id, config, 0);
  }

  /** Removes a name. */
  unregister(key: NameKey): Outcome {
    this.enter();
    try {
      const id = this.locate(key);
      if (id === 0 || !this.#isLive(id, ANY)) return Outcome.notFound;
      this.removeEntry(id, this.slot);
      return Outcome.done;
    } finally {
      this.leave();
    }
  }

  /** Removes a registration known by its record and first version. */
  unregisterRecord(id: number, born: number): Outcome {
    this.enter();
    try {
      if (!this.#isLive(id, born)) return Outcome.notFound;
      this.removeEntry(id, this.slotOf(id, this.memory.records[id * Record.words + Record.hash]));
      return Outcome.done;
    } finally {
      this.leave();
    }
  }

  /** Removes a registration whose owner is dead, as `sweep` would. */
  sweepRecord(id: number, born: number): void {
    this.enterUntimed();
    try {
      const at = this.memory.recordAt(id);
      const { records } = this.memory;
      const mine = (records[at + Record.version] & Version.live) !== 0 && records[at + Record.born] === born;
      if (mine && this.#isGone(id)) this.removeEntry(id, this.slotOf(id, records[at + Record.hash]));
    } finally {
      this.leave();
    }
  }

  /** Gives a registration another `ttl` ticks. Under the lock, so that nobody takes the name meanwhile; readers see the one
   *  store. `changed`: it has no deadline. */
  renewRecord(id: number, born: number, ttl: number): Outcome {
    this.enterUntimed();
    try {
      if (!this.#isLive(id, born)) return Outcome.notFound;
      const at = this.#deadlineAt(id);
      if (this.memory.records[at] === 0) return Outcome.changed;
      const deadline = this.owners.clock.deadline(ttl);
      this.owners.deadlines.note(deadline); // it may be sooner than the one before
      Atomics.store(this.memory.records, at, deadline);
      // The other set's, which nobody goes by, tells the same: see ShardReader.lastDeadlineOf.
      this.memory.records[at ^ Version.set] = deadline;
      return Outcome.done;
    } finally {
      this.leave();
    }
  }

  #deadlineAt(id: number): number {
    const at = id * Record.words;
    return deadlineAt(at, this.memory.records[at + Record.version]);
  }

  #isOver(id: number): boolean {
    return this.owners.clock.isOver(this.memory.records, this.#deadlineAt(id));
  }

  /** Whether a live record's owner is dead or its time is over, for good: the lock keeps the one from renewing, and
   *  `livesOn` the other. */
  #isGone(id: number): boolean {
    const at = id * Record.words;
    const { records } = this.memory;
    return !this.owners.livesOn(records[at + Record.owner], records[at + Record.ownerEpoch]) || this.#isOver(id);
  }

  /** Whether a record holds the registration that began with `born` (or `ANY`), its owner lives, and its time is not over. */
  #isLive(id: number, born: number): boolean {
    const at = this.memory.recordAt(id);
    const { records } = this.memory;
    if ((records[at + Record.version] & Version.live) === 0) return false;
    if (born !== ANY && records[at + Record.born] !== born) return false;
    return this.owners.alive(records[at + Record.owner], records[at + Record.ownerEpoch]) && !this.#isOver(id);
  }

  /** Removes the dead and the expired among `limits.sweepSliceRecords` records from id `from` on.
   *  @returns the next id to sweep from, or 0 after the last. */
  sweep(from: number): number {
    this.enterUntimed();
    try {
      const used = this.control[this.at + At.recordsUsed];
      const end = Math.min(used, from + limits.sweepSliceRecords);
      for (let id = Math.max(1, from); id < end; id++) {
        const at = this.memory.recordAt(id);
        const { records } = this.memory;
        if ((records[at + Record.version] & Version.live) === 0) continue;
        if (!this.#isGone(id)) {
          this.owners.deadlines.note(records[this.#deadlineAt(id)]);
          continue;
        }
        this.removeEntry(id, this.slotOf(id, records[at + Record.hash]));
        this.control[this.at + At.swept]++;
      }
      return end < used ? end : 0;
    } finally {
      this.leave();
    }
  }

  /** Sweeps the whole shard, slice by slice, if anybody died since this thread last did, or anything has a deadline: nobody is told that a shard is
   *  full while the dead fill it, but for a death of this very moment. Whoever calls it tries again in any case, as others sweep too. */
  sweepAll(): void {
    const deaths = this.owners.deaths();
    if (deaths === this.#deathsSwept && !this.owners.deadlines.any) return;
    for (let from = this.sweep(1); from !== 0; from = this.sweep(from));
    this.#deathsSwept = deaths;
  }

  /** Takes the lock for what is no write: only how long it waited counts. */
  enterUntimed(): void {
    this.enter();
    this.timer?.ignore();
  }

  /** Sets what is counted and measured back to 0. */
  resetStats(): void {
    this.exclusively(() => {
      for (const word of counterWords) this.control[this.at + word] = 0;
      this.timer?.reset();
    });
  }

  /** Runs `read` while nobody writes: for readers that could not get a snapshot beside the writers. */
  exclusively<T>(read: () => T): T {
    this.enterUntimed();
    try {
      return read();
    } finally {
      this.leave();
    }
  }
}
