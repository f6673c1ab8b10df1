import { hasPassed } from './clock.ts';
import { corrupt } from './errors.ts';
import { isInternal } from './internal-kinds.ts';
import { deadlineAt, keyBytesInline, Record, Shard, Version } from './layout.ts';
import { limits } from './limits.ts';
import { EMPTY, idOf, indexSize, indexStart, isDescriptor, sameTag, tagOf } from './name-index.ts';
import type { NameKey } from './name-key.ts';
import { loadAfter, loadFirst } from './ordering.ts';
import type { Owners } from './owners.ts';
import type { ShardMemory } from './shard-memory.ts';
import { readValue } from './value.ts';

/**
 * Lock-free reads of one shard. Nothing here writes shared memory or waits.
 *
 * The order a read relies on: the record's version is loaded before anything else of the record and again after
 * everything was copied. Equal and live means that nothing of it changed in between, as every change of a record's
 * words is enclosed by two different versions. (A version returns after 2^29 commits: a thread that was stopped for so
 * long in mid-read sees the count of wraps changed.) All loads are 32-bit words, which never tear. See ordering.ts
 * for processors that reorder loads.
 */
export class ShardReader {
  readonly memory: ShardMemory;
  readonly #owners: Owners;
  /** What `find` and `read` saw last. */
  version = 0;
  owner = 0;
  ownerEpoch = 0;
  /** The name was not found as its entry, or its owner, may have expired: a renewal that came late can bring it back. */
  over = false;
  /** 0: the registration has no deadline. Which it is, is the same for all of a version's life. */
  expiry = 0;
  /** The shard's count of wraps before `version` was loaded. */
  #wraps = 0;

  constructor(memory: ShardMemory, owners: Owners) {
    this.memory = memory;
    this.#owners = owners;
  }

  insertSequence(): number {
    return loadFirst(this.memory.control, this.memory.at + Shard.insertSequence);
  }

  changeSequence(): number {
    return loadFirst(this.memory.control, this.changeSequenceAt);
  }

  get changeSequenceAt(): number {
    return this.memory.at + Shard.changeSequence;
  }

  /** The time by which entries expire. */
  time(): number {
    return this.#owners.clock.time();
  }

  wraps(): number {
    return loadFirst(this.memory.control, this.memory.at + Shard.wraps);
  }

  /**
   * Finds the live record of a name. At some moment during the call the name was registered with `version` by the
   * living `owner`, or (0) was not registered.
   * @returns the record's id, or 0.
   */
  find(key: NameKey): number {
    const { memory } = this;
    const { control } = memory;
    const descriptorAt = memory.at + Shard.descriptor;
    const tag = tagOf(key.hash);
    this.over = false;
    let descriptor = loadFirst(control, descriptorAt);
    let retries = 0;
    for (;;) {
      if (!isDescriptor(descriptor)) throw corrupt(`descriptor ${descriptor}`);
      const size = indexSize(descriptor);
      const start = indexStart(descriptor);
      memory.coverIndex(start + size);
      const { index } = memory;
      const wraps = loadFirst(control, memory.at + Shard.wraps);
      let slot = key.hash & (size - 1);
      let changed = false;
      for (let probes = 0; probes < size; probes++) {
        const word = index[start + slot];
        if (word === EMPTY) break;
        const id = idOf(word);
        if (id !== 0 && sameTag(word, tag)) {
          const at = memory.recordAt(id);
          const { records } = memory;
          const version = loadFirst(records, at + Record.version);
          if (version & Version.live && this.#matches(records, at, key, version, wraps)) {
            const owner = this.ownerOf(at, version);
            const ownerEpoch = this.ownerEpochOf(at, version);
            const expiry = records[deadlineAt(at, version)];
            const over = this.#owners.clock.isOver(records, deadlineAt(at, version));
            const alive = this.#owners.alive(owner, ownerEpoch) && !over;
            if (!this.#isStill(version, at, wraps)) {
              changed = true;
              break;
            }
            // At most one record of a name is not vacant, so one that is dead or over answers for the name.
            if (!alive) {
              this.over = expiry !== 0 || this.#owners.expiry(owner) !== 0;
              return 0;
            }
            this.version = version;
            this.#wraps = wraps;
            this.owner = owner;
            this.ownerEpoch = ownerEpoch;
            this.expiry = expiry;
            return id;
          }
        }
        slot = (slot + 1) & (size - 1);
      }
      const now = loadAfter(control, descriptorAt);
      if (!changed && now === descriptor) return 0;
      descriptor = now;
      if (++retries > limits.readRetriesMax) throw corrupt('a name changes without end');
    }
  }

  /**
   * Finds a name and copies its config.
   * @returns the record's id, or 0; `text` is the config's JSON, undefined when there is none.
   */
  read(key: NameKey): number {
    for (let retries = 0; retries < limits.readRetriesMax; retries++) {
      const id = this.find(key);
      if (id === 0) return 0;
      if (this.#copy(id, this.version)) return id;
    }
    throw corrupt('a value changes without end');
  }
  text: string | undefined;
  /** The first version of the registration. */
  born = 0;

  /**
   * Copies the config of a registration that was read before, without a search for its name.
   * @returns whether the record still held it, and its time is not over; its owner may have died.
   */
  readAgain(id: number, born: number): boolean {
    const at = this.memory.recordAt(id);
    const { records } = this.memory;
    for (let retries = 0; retries < limits.readRetriesMax; retries++) {
      this.#wraps = this.wraps();
      this.version = loadFirst(records, at + Record.version);
      if ((this.version & Version.live) === 0) return false;
      const over = this.#owners.clock.isOver(records, deadlineAt(at, this.version));
      if (this.#copy(id, this.version)) return this.born === born && !over;
    }
    throw corrupt('a value changes without end');
  }

  /** Copies the value that `version` of a record has; false when it has changed. */
  #copy(id: number, version: number): boolean {
    const { memory } = this;
    const at = memory.recordAt(id);
    const block = memory.records[at + Record.value + (version & Version.set)];
    this.text = block === 0 ? undefined : readValue(memory, block);
    this.born = this.#bornOf(at, version);
    this.expiry = memory.records[deadlineAt(at, version)];
    if (!this.#isStill(version, at, this.#wraps)) return false;
    if (block !== 0 && this.text === undefined) throw corrupt(`value of record ${id}`);
    return true;
  }

  /** Whether all that was loaded of a record, after this version of it, belongs to this version. */
  #isStill(version: number, at: number, wraps: number): boolean {
    const { memory } = this;
    if (loadAfter(memory.records, at + Record.version) !== version) return false;
    return memory.control[memory.at + Shard.wraps] === wraps;
  }

  /** The owner of a live record that has this version: the shard says it while the record is taken over. */
  ownerOf(at: number, version: number): number {
    const { memory } = this;
    if (version & Version.moved) return memory.control[memory.at + Shard.nextOwner];
    return memory.records[at + Record.owner];
  }

  ownerEpochOf(at: number, version: number): number {
    const { memory } = this;
    if (version & Version.moved) return memory.control[memory.at + Shard.nextOwnerEpoch];
    return memory.records[at + Record.ownerEpoch];
  }

  /** Its registration's first version. */
  #bornOf(at: number, version: number): number {
    return version & Version.moved ? version & ~Version.moved : this.memory.records[at + Record.born];
  }

  #matches(records: Int32Array, at: number, key: NameKey, version: number, wraps: number): boolean {
    if (records[at + Record.hash] !== key.hash || records[at + Record.meta] !== key.meta) return false;
    const { words, wordLength } = key;
    if (key.byteLength <= keyBytesInline) {
      for (let n = 0; n < wordLength; n++) if (records[at + Record.key + n] !== words[n]) return false;
      return true;
    }
    const block = records[at + Record.key];
    if (!this.memory.coverBlock(block, wordLength * 4)) {
      if (this.#isStill(version, at, wraps)) throw corrupt(`name at ${block}`);
      return false;
    }
    const { arena } = this.memory;
    for (let n = 0; n < wordLength; n++) if (arena[block * 2 + n] !== words[n]) return false;
    return true;
  }

  /**
   * Collects the live entries of a kind (0: of every kind) as they stood together at one moment.
   *
   * Passes over the records twice (Afek et al., "Atomic snapshots of shared memory", 1993): when every record still has
   * the version that it had in the first pass, all that was copied held at the moment between the passes.
   * @returns undefined when others wrote meanwhile: try again, or take the lock.
   */
  snapshot(kind: number): RawEntry[] | undefined {
    const { memory } = this;
    const usedAt = memory.at + Shard.recordsUsed;
    const used = memory.recordsUsed();
    const wraps = loadFirst(memory.control, memory.at + Shard.wraps);
    const versions = new Int32Array(used);
    const entries: RawEntry[] = [];
    let unreadable = 0;
    let mortal = false;
    for (let id = 1; id < used; id++) {
      const at = memory.recordAt(id);
      const { records } = memory;
      const version = loadFirst(records, at + Record.version);
      versions[id] = version;
      if ((version & Version.live) === 0) continue;
      const kindFound = records[at + Record.meta] >>> 8;
      if (kind !== 0 && kindFound !== kind) continue;
      if (!this.#owners.alive(this.ownerOf(at, version), this.ownerEpochOf(at, version))) continue;
      if (records[deadlineAt(at, version)] !== 0) mortal = true;
      const entry = this.#rawEntry(id, at, version);
      if (entry === undefined) unreadable = id;
      else entries.push(entry);
    }
    const standing = mortal ? this.#standing(entries) : entries;
    for (let id = 1; id < used; id++) {
      if (loadAfter(memory.records, id * Record.words + Record.version) !== versions[id]) return undefined;
    }
    for (const { owner, ownerEpoch } of entries) if (!this.#owners.alive(owner, ownerEpoch)) return undefined;
    if (memory.control[usedAt] !== used || this.wraps() !== wraps) return undefined;
    if (unreadable !== 0) throw corrupt(`name or value of record ${unreadable}`);
    return standing;
  }

  /** Those whose time is not over at one moment. */
  #standing(entries: readonly RawEntry[]): RawEntry[] {
    const time = this.#owners.clock.time();
    const standing: RawEntry[] = [];
    for (const entry of entries) {
      const at = deadlineAt(entry.record * Record.words, entry.version);
      if (!hasPassed(this.memory.records[at], time)) standing.push(entry);
    }
    return standing;
  }

  /**
   * What a record holds: of some moment during the call. Deadlines apart: who uses it asks for them, as a renewal that comes late
   * changes no version.
   * @returns undefined when that is nothing of the kind, or of a dead owner
   */
  entryAt(id: number, kind: number): RawEntry | undefined {
    const at = this.memory.recordAt(id);
    const { records } = this.memory;
    for (let retries = 0; retries < limits.readRetriesMax; retries++) {
      const wraps = this.wraps();
      const version = loadFirst(records, at + Record.version);
      if ((version & Version.live) === 0) return undefined;
      const isWanted =
        records[at + Record.meta] >>> 8 === kind &&
        this.#owners.isTenant(this.ownerOf(at, version), this.ownerEpochOf(at, version));
      const entry = isWanted ? this.#rawEntry(id, at, version) : undefined;
      if (!this.#isStill(version, at, wraps)) continue;
      if (isWanted && entry === undefined) throw corrupt(`name or value of record ${id}`);
      return entry;
    }
    throw corrupt(`record ${id} changes without end`);
  }

  /** Copies all of a record that had this version: undefined when that cannot be it. */
  #rawEntry(record: number, at: number, version: number): RawEntry | undefined {
    const { records } = this.memory;
    const block = records[at + Record.value + (version & Version.set)];
    const text = block === 0 ? undefined : readValue(this.memory, block);
    const name = this.#name(at);
    if ((block !== 0 && text === undefined) || name === undefined) return undefined;
    const expiryAt = deadlineAt(at, version);
    return {
      record,
      version,
      expiryAt: records[expiryAt] === 0 ? 0 : expiryAt,
      born: this.#bornOf(at, version),
      kind: records[at + Record.meta] >>> 8,
      name,
      text,
      owner: this.ownerOf(at, version),
      ownerEpoch: this.ownerEpochOf(at, version),
    };
  }

  /** `snapshot` under the shard's lock: only a death can still come in between. */
  settledSnapshot(kind: number): RawEntry[] {
    for (let retries = 0; retries < limits.readRetriesMax; retries++) {
      const entries = this.snapshot(kind);
      if (entries !== undefined) return entries;
    }
    throw corrupt('records change under the lock');
  }

  /** Whether a record holds the registration that began with version `born`, and its owner lives. */
  isRegistration(id: number, born: number): boolean {
    const at = this.memory.recordAt(id);
    const { records } = this.memory;
    for (let retries = 0; retries < limits.readRetriesMax; retries++) {
      const version = loadFirst(records, at + Record.version);
      if ((version & Version.live) === 0 || this.#bornOf(at, version) !== born) return false;
      if (!this.#owners.alive(this.ownerOf(at, version), this.ownerEpochOf(at, version))) return false;
      if (this.#owners.clock.isOver(records, deadlineAt(at, version))) return false;
      if (loadAfter(records, at + Record.version) === version) return true;
    }
    throw corrupt(`record ${id} changes without end`);
  }

  /** The last deadline of the registration that began with version `born` (0: none), also after its end; undefined when the record
   *  is another's by now. A free record keeps those of whom it was last, one for each set: of these the
   *  later, which is wrong when an update had brought the deadline forward. */
  lastDeadlineOf(id: number, born: number): number | undefined {
    const at = this.memory.recordAt(id);
    const { records } = this.memory;
    const one = loadFirst(records, at + Record.expiry);
    const other = loadFirst(records, at + Record.expiry + 1);
    const version = loadAfter(records, at + Record.version);
    if ((version & Version.live) === 0) return other === 0 || (one !== 0 && ((one - other) | 0) > 0) ? one : other;
    return this.#bornOf(at, version) === born ? (version & Version.set ? other : one) : undefined;
  }

  /** Where the deadline of what a record holds now lies. */
  deadlineOf(id: number): number {
    const at = this.memory.recordAt(id);
    return deadlineAt(at, loadFirst(this.memory.records, at + Record.version));
  }

  /** How many entries of a kind (0: of every kind but our own) live; each is judged at its own moment. */
  count(kind: number): number {
    const { memory } = this;
    const used = memory.recordsUsed();
    let count = 0;
    for (let id = 1; id < used; id++) {
      const at = memory.recordAt(id);
      const { records } = memory;
      const version = records[at + Record.version];
      if ((version & Version.live) === 0) continue;
      const kindFound = records[at + Record.meta] >>> 8;
      if (kind === 0 ? isInternal(kindFound) : kindFound !== kind) continue;
      if (this.#owners.clock.isOver(records, deadlineAt(at, version))) continue;
      if (this.#owners.alive(this.ownerOf(at, version), this.ownerEpochOf(at, version))) count++;
    }
    return count;
  }

  /** The name in a record; undefined when it cannot be one. Copied first: decoding UTF-8 from memory that changes is not
   *  safe in every runtime. */
  #name(at: number): string | undefined {
    const { records } = this.memory;
    const length = records[at + Record.meta] & 0xff;
    const count = (length + 3) >>> 2;
    const words = new Int32Array(count);
    if (length <= keyBytesInline) {
      for (let n = 0; n < count; n++) words[n] = records[at + Record.key + n];
    } else {
      const block = records[at + Record.key];
      if (!this.memory.coverBlock(block, count * 4)) return undefined;
      for (let n = 0; n < count; n++) words[n] = this.memory.arena[block * 2 + n];
    }
    return Buffer.from(words.buffer, 0, length).toString('utf8');
  }
}

/** One entry as it stands in shared memory. */
export interface RawEntry {
  readonly record: number;
  readonly version: number;
  /** Where its deadline lies among the records' words; 0: it has none. */
  readonly expiryAt: number;
  /** The first version of the registration. */
  readonly born: number;
  readonly kind: number;
  readonly name: string;
  readonly text: string | undefined;
  readonly owner: number;
  readonly ownerEpoch: number;
}
