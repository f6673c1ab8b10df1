import { changesBetween, logAt } from './change-log.ts';
import { limits } from './limits.ts';
import { loadAfter } from './ordering.ts';
import type { Shard } from './shard.ts';
import type { RawEntry, ShardReader } from './shard-reader.ts';

/** What a view tells of. A record is told of anew whenever it may have changed. */
export interface ViewIndex {
  /** A record holds this now, and no more what it held. */
  placed(entry: RawEntry): void;
  /** A record holds nothing of the kind any more. */
  vacated(record: number): void;
  /** Everything that was told is void; what there is comes next. */
  cleared(): void;
}

/**
 * What one thread knows of the entries of a kind in one shard, kept up to date by the shard's change log: to catch up
 * costs as much as there were changes, however large the shard is.
 *
 * The change sequence is odd while change k = sequence >>> 1 is under way. Its record's id is in the log before the
 * sequence says so. So who goes from sequence s to sequence t finds the ids of all changes in between in the log, that of the
 * one under way included, unless they were overwritten meanwhile: change k + N is logged only when the sequence has come
 * to 2 (k + N), so a look at the sequence after the log was read tells. Each of these records is then read again.
 * When no change has been committed from before that to after, all the view knows stood together at one moment.
 *
 * A writer that is killed leaves an odd sequence: the one record it was about is read again at each look, until its lock
 * is repaired. What it logged and did not commit costs a look.
 *
 * Deaths are no changes of records: who uses a view asks whether owners live. (Those of the dead are no longer told of when
 * their record is read; they never live again.) Nor are the passing of a deadline and its renewal, which may come late: what is
 * over is told of until it is swept, and who uses a view asks for deadlines at the moment of the use.
 */
export class ShardView {
  readonly #shard: Shard;
  readonly reader: ShardReader;
  readonly #kind: number;
  readonly #index: ViewIndex;
  /** The word that is compared with `seen`. */
  readonly sequenceAt: number;
  #filled = false;
  /** The change sequence up to which the view knows all changes, and of the one under way if it is odd. */
  seen = 0;

  constructor(shard: Shard, reader: ShardReader, kind: number, index: ViewIndex) {
    this.#shard = shard;
    this.reader = reader;
    this.#kind = kind;
    this.#index = index;
    this.sequenceAt = reader.changeSequenceAt;
  }

  /** Learns what has changed. Afterwards all that was told stood together at one moment during the call; but if the shard's
   *  writers leave no such moment, each entry at its own.
   *  @throws {RegistryError} `CORRUPT`; `BUSY` when the shard had to be locked to be read */
  catchUp(): void {
    let scans = 0;
    for (let pass = 0; pass < limits.viewPassesMax; pass++) {
      const now = this.#sequence();
      const same = this.#filled && now === this.seen;
      if (same && (pass > 0 || (now & 1) === 0)) return;
      const filled = this.#filled;
      this.#filled = false; // whoever is cut off in here reads the whole shard the next time
      if (!filled || !this.#readChanges(now)) {
        if (scans++ === limits.viewScansMax) {
          this.#scanLocked();
          return;
        }
        this.#scan();
      }
      this.seen = now;
      this.#filled = true;
    }
  }

  /** Reads the records that changed again. @returns false when the log does not reach back so far */
  #readChanges(now: number): boolean {
    const { control, at } = this.reader.memory;
    const first = this.seen >>> 1;
    const count = changesBetween(this.seen, now) + (now & 1);
    if (count > limits.changesLogged) return false;
    const ids = new Set<number>();
    for (let n = 0; n < count; n++) ids.add(control[logAt(at, first + n)]);
    if (changesBetween(this.seen, this.#sequence()) >= limits.changesLogged) return false;
    for (const id of ids) this.#readRecord(id);
    return true;
  }

  #readRecord(id: number): void {
    const entry = this.reader.entryAt(id, this.#kind);
    if (entry === undefined) this.#index.vacated(id);
    else this.#index.placed(entry);
  }

  #scan(): void {
    this.#index.cleared();
    const used = this.reader.memory.recordsUsed();
    for (let id = 1; id < used; id++) {
      const entry = this.reader.entryAt(id, this.#kind);
      if (entry !== undefined) this.#index.placed(entry);
    }
  }

  #scanLocked(): void {
    this.#shard.enterUntimed();
    try {
      this.seen = this.#sequence();
      this.#scan();
      this.#filled = true;
    } finally {
      this.#shard.leave();
    }
  }

  #sequence(): number {
    return loadAfter(this.reader.memory.control, this.sequenceAt);
  }
}
