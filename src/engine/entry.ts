import { inspect } from 'node:util';
import { hasPassed } from '../shared/clock.ts';
import { decodeConfig, type JsonValue } from '../shared/codec.ts';
import { deadlineAt, Record } from '../shared/layout.ts';
import { loadFirst } from '../shared/ordering.ts';
import { versionToken } from '../shared/shard.ts';
import type { ShardReader } from '../shared/shard-reader.ts';

/** Who owns a name. */
export interface OwnerInfo {
  /** `worker_threads.threadId` of the thread the owner lives in. */
  readonly threadId: number;
  /** The owner's slot and epoch: together they name it for as long as the registry lives. */
  readonly slot: number;
  readonly epoch: number;
}

/** What a name stood for at the moment of the lookup. Immutable; a thread's lookups share one until it changes.
 *  `Config` is what its reader knows of its kind's configs: nothing checks it. */
export interface Entry<Config = JsonValue> {
  readonly kind: string;
  readonly id: string;
  /** The registered config, frozen to its depth; undefined when there is none. Parsed at first use. */
  readonly config: Config | undefined;
  /** Names this state of the entry, for `compareAndUpdate`. Compare for equality only. */
  readonly version: number;
  readonly owner: OwnerInfo;
}

/**
 * @internal An owner, and the two words that tell whether it lives: its own epoch and its thread's. Shared by all entries of
 * that owner, so that they stay in the cache.
 */
export class SharedOwner {
  readonly info: OwnerInfo;
  /** Who has met it last: see `Grounds.addOwner`. */
  mark: object | undefined;
  readonly epochAt: number;
  readonly epoch: number;
  readonly threadEpochAt: number;
  readonly threadEpoch: number;
  readonly expiryAt: number;

  constructor(info: OwnerInfo, epochAt: number, threadEpochAt: number, threadEpoch: number, expiryAt: number) {
    this.info = Object.freeze(info);
    this.epochAt = epochAt;
    this.epoch = info.epoch;
    this.threadEpochAt = threadEpochAt;
    this.threadEpoch = threadEpoch;
    this.expiryAt = expiryAt;
  }

  /** Its deadline, or 0. */
  expiry(control: Int32Array): number {
    return control[this.expiryAt];
  }

  /** Whether it lives, its deadline apart. An epoch never returns, so it has lived all along. */
  lives(control: Int32Array): boolean {
    return control[this.epochAt] === this.epoch && control[this.threadEpochAt] === this.threadEpoch;
  }
}

/** @internal Where a shard says that entries have changed, for all answers from it. */
export interface ShardWords {
  readonly reader: ShardReader;
  /** The change sequence for entries; the insert sequence for names that are not there. */
  readonly sequenceAt: number;
  readonly wrapsAt: number;
  /** The words in which versions lie. */
  records: Int32Array;
}

/** @internal What an answer was read under. */
export interface Proof {
  readonly sequence: number;
  readonly wraps: number;
  readonly versionAt: number;
  readonly version: number;
  readonly born: number;
  /** The entry, or its owner, has a deadline. */
  readonly mortal: boolean;
}

const State = { absent: 0, text: 1, decoded: 2 } as const;

/**
 * @internal The answer to one lookup, which can tell whether it still holds.
 *
 * It does while its owner lives and its record has the same version, under the same count of version wraps. The shard's
 * change sequence is looked at first: while that is the same no record of the shard has changed, and it is in the
 * processor's cache when a record is not. The answer "no such name" holds while the shard's insert sequence is the same.
 * None of these words ever returns to an old value (a sequence does after 2^31 changes in one shard between two
 * looks), so if they are what they were, they have been so all along and the answer is right at this moment.
 *
 * Plain loads, which cost a tenth of atomic ones: each word is checked for itself, so no order among them is relied
 * on but where it is said; 32-bit loads do not tear; and a stale word is no staler than the answer of any lookup that
 * ended a moment ago.
 */
export class SharedEntry implements Entry {
  // What every lookup looks at comes first, to lie in one cache line.
  #sequence: number;
  readonly #shard: ShardWords;
  readonly #owner: SharedOwner;
  #state: number;
  readonly version: number;
  readonly id: string;
  readonly kind: string;
  readonly owner: OwnerInfo;
  /** The config, or its JSON. */
  #content: JsonValue | undefined;
  readonly #versionAt: number;
  readonly #version: number;
  readonly #wraps: number;
  readonly #born: number;
  readonly #mortal: boolean;

  /** @param version -1: there is no such name
   *  @param text the config's JSON
   *  @param proof where the record's version lies, that version and the first of the registration, and the sequence and
   *    wraps that were loaded before */
  constructor(
    kind: string,
    id: string,
    version: number,
    text: string | undefined,
    owner: SharedOwner,
    shard: ShardWords,
    proof: Proof,
  ) {
    this.#sequence = proof.mortal ? NEVER : settled(proof.sequence);
    this.#shard = shard;
    this.#owner = owner;
    this.#state = version === -1 ? State.absent : text === undefined ? State.decoded : State.text;
    this.version = version;
    this.id = id;
    this.kind = kind;
    this.owner = owner.info;
    this.#content = text;
    this.#versionAt = proof.versionAt;
    this.#version = proof.version;
    this.#wraps = proof.wraps;
    this.#born = proof.born;
    this.#mortal = proof.mortal;
    Object.freeze(this);
  }

  /** Whether it is the answer at this moment too. `control` are the registry's words, or none when it is closed. */
  holds(control: Int32Array): boolean {
    if (!this.#owner.lives(control)) return false;
    return control[this.#shard.sequenceAt] === this.#sequence || this.#isUnchanged(control);
  }

  /** Others in its shard have changed: looks at the record itself, and remembers since when it is known to be right. */
  #isUnchanged(control: Int32Array): boolean {
    const { sequenceAt, wrapsAt, records } = this.#shard;
    const sequence = loadFirst(control, sequenceAt);
    if (this.#state === State.absent) return false;
    // Before the version: then the deadlines are of this registration and its owner, if the version is.
    const over = this.#mortal && this.#isOver(control, records);
    if (records[this.#versionAt] !== this.#version || control[wrapsAt] !== this.#wraps) return false;
    if (this.#mortal) return !over;
    this.#sequence = settled(sequence);
    return true;
  }

  #isOver(control: Int32Array, records: Int32Array): boolean {
    const time = this.#shard.reader.time();
    const expiry = loadFirst(records, deadlineAt(this.#versionAt - Record.version, this.#version));
    return hasPassed(expiry, time) || hasPassed(this.#owner.expiry(control), time);
  }

  /**
   * The entry as it is now, when this is an entry and its registration still stands: spares the search for the name.
   * @returns undefined when it has to be looked up anew
   */
  renewed(control: Int32Array): SharedEntry | undefined {
    if (this.#state === State.absent) return undefined;
    const { reader, sequenceAt, wrapsAt } = this.#shard;
    // Before the read, as in a first lookup.
    const sequence = loadFirst(control, sequenceAt);
    const wraps = loadFirst(control, wrapsAt);
    const id = this.record;
    if (wraps !== this.#wraps || !reader.readAgain(id, this.#born)) return undefined;
    // The owner lives after what it owns was read, so it did when that was: both were so at that moment.
    if (!this.#owner.lives(control)) return undefined;
    const { version, text, born } = reader;
    const ownerExpiry = this.#owner.expiry(control);
    if (ownerExpiry !== 0) return undefined; // whether that has passed is seen in a lookup anew
    const mortal = reader.expiry !== 0;
    const proof = { sequence, wraps, versionAt: this.#versionAt, version, born, mortal };
    return new SharedEntry(this.kind, this.id, versionToken(id, version), text, this.#owner, this.#shard, proof);
  }

  /** The entry, or undefined when it is the answer that there is none. */
  get found(): SharedEntry | undefined {
    return this.#state === State.absent ? undefined : this;
  }

  /** @internal Whose it is. */
  get sharedOwner(): SharedOwner {
    return this.#owner;
  }

  /** @internal The registration's record, and the first version it had there. */
  get record(): number {
    return (this.#versionAt - Record.version) / Record.words;
  }
  get born(): number {
    return this.#born;
  }

  /** Characters of the config's JSON; 0 once it is parsed. */
  get textLength(): number {
    return this.#state === State.text ? (this.#content as string).length : 0;
  }

  get config(): JsonValue | undefined {
    if (this.#state === State.text) {
      this.#content = decodeConfig(this.#content as string);
      this.#state = State.decoded;
    }
    return this.#content;
  }

  toJSON(): object {
    return { kind: this.kind, id: this.id, config: this.config, version: this.version, owner: this.owner };
  }

  /** @internal For `console.log`. */
  [inspect.custom](): object {
    return this.toJSON();
  }
}

/** A sequence to compare with: while a change is under way it is odd, and then nothing may compare equal. */
const settled = (sequence: number): number => sequence & ~1;

/** What no sequence compares equal to, as it is odd: of entries with a deadline, whose clock is looked at each time. */
const NEVER = -1;
