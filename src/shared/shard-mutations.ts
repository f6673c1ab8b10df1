import { Arena, type ArenaMemory } from './arena.ts';
import { logAt } from './change-log.ts';
import type { EncodedConfig } from './codec.ts';
import { corrupt } from './errors.ts';
import { Guarded, Space } from './guard.ts';
import { Shard as At, deadlineAt, keyBytesInline, pageBytes, Record, Version } from './layout.ts';
import { limits } from './limits.ts';
import {
  EMPTY,
  entryWord,
  idOf,
  indexSize,
  indexStart,
  isDescriptor,
  needsGrowth,
  nextDescriptor,
  overloaded,
  TOMBSTONE,
} from './name-index.ts';
import type { NameKey } from './name-key.ts';
import { settleStores, storeInOrder } from './ordering.ts';
import type { Owners } from './owners.ts';
import type { ShardMemory } from './shard-memory.ts';
import { storedValueBytes, valueBytes, writeValue } from './value.ts';
import { WatchBell } from './watch-bell.ts';
import type { WriteTimer } from './write-timer.ts';

/** How a write ended. */
export const Outcome = {
  done: 0,
  /** The name has a living owner: `holder` and `holderEpoch` tell whom. */
  taken: 1,
  /** No room for the record, its name or its value. */
  full: 2,
  notFound: 3,
  /** The entry is not the version or the registration that was expected. */
  changed: 4,
} as const;
export type Outcome = (typeof Outcome)[keyof typeof Outcome];

const Operation = { insert: 1, replace: 2, update: 3, remove: 4, resize: 5, takeOver: 6 } as const;
/** Those whose commit is a record's version. */
const recordOperations: readonly number[] = Object.values(Operation).filter((op) => op !== Operation.resize);

/**
 * The mutations of one shard, for who holds its lock. Each commits by one store of a record's version (a resize: of the
 * index descriptor); guard.ts says what happens when the thread dies in between.
 */
export abstract class ShardMutations extends Guarded implements ArenaMemory {
  readonly memory: ShardMemory;
  protected readonly owners: Owners;
  readonly #arena: Arena;
  protected readonly at: number;
  /** What the last write saw or made. */
  record = 0;
  version = 0;
  /** The first version of the registration that was made or updated. */
  born = 0;
  holder = 0;
  holderEpoch = 0;
  /** Times writes; undefined: nothing is measured. */
  timer: WriteTimer | undefined;
  /** Index words that `locate` looked at. */
  #probes = 0;
  /** The index slot `locate` ended at. */
  protected slot = 0;
  readonly #bell: WatchBell;
  /** Something was committed, or repaired, that those who watch were not told of. */
  #untold = false;

  constructor(memory: ShardMemory, owners: Owners) {
    super(memory.control, memory.at + At.guard, owners);
    this.memory = memory;
    this.owners = owners;
    this.at = memory.at;
    this.#arena = new Arena(this, memory.at);
    this.#bell = new WatchBell(memory.control);
  }

  /** Takes the lock. @throws {RegistryError} `CORRUPT`, as far as that can be told by a few words */
  override enter(): void {
    this.timer?.start();
    super.enter();
    try {
      this.#coverAll();
    } catch (error) {
      super.leave();
      throw error;
    }
    this.#probes = 0;
    this.timer?.taken();
  }

  override leave(): void {
    this.timer?.finish(this.#probes);
    super.leave();
  }

  protected override startsToWait(): void {
    this.timer?.waits();
  }

  /** A commit comes before the look at the bell: see watch-bell.ts. */
  protected override released(): void {
    if (!this.#untold) return;
    this.#bell.ring();
    this.#untold = false;
  }

  /** Whatever others have added meanwhile must lie within this thread's views before any is used; how much that is, is
   *  checked here and relied on until the lock is given back. */
  #coverAll(): void {
    const { control, memory, at } = this;
    const descriptor = control[at + At.descriptor];
    if (!isDescriptor(descriptor)) throw corrupt(`descriptor ${descriptor}`);
    memory.coverIndex(indexStart(descriptor) + indexSize(descriptor));
    memory.recordAt(Math.max(1, memory.recordsUsed() - 1));
    const pages = control[at + At.pagesUsed];
    if (pages < 1 || !memory.coverArena(pages * pageBytes)) throw corrupt(`arena of ${pages} pages`);
  }

  /** The record of a name, dead ones included, or 0; `slot` is its index slot, or the one for its insertion. */
  protected locate(key: NameKey): number {
    const { memory } = this;
    const descriptor = this.control[this.at + At.descriptor];
    const size = indexSize(descriptor);
    const start = indexStart(descriptor);
    const word = entryWord(key.hash, 0);
    let free = -1;
    let slot = key.hash & (size - 1);
    for (let probes = 0; probes < size; probes++, slot = (slot + 1) & (size - 1)) {
      const found = memory.index[start + slot];
      this.#probes = probes + 1;
      if (found === EMPTY) {
        this.slot = free === -1 ? slot : free;
        return 0;
      }
      const id = idOf(found);
      if (id === 0) {
        if (free === -1) free = slot;
      } else if (found === (word | id) && this.#holdsName(id, key)) {
        this.slot = slot;
        return id;
      }
    }
    if (free === -1) throw corrupt('an index without an empty slot');
    this.slot = free;
    return 0;
  }

  #holdsName(id: number, key: NameKey): boolean {
    const at = this.memory.recordAt(id);
    const { records, arena } = this.memory;
    if (records[at + Record.hash] !== key.hash || records[at + Record.meta] !== key.meta) return false;
    const inline = key.byteLength <= keyBytesInline;
    const block = records[at + Record.key];
    if (!inline && !this.memory.coverBlock(block, key.wordLength * 4)) throw corrupt(`name of record ${id}`);
    const words = inline ? records : arena;
    const first = inline ? at + Record.key : block * 2;
    for (let n = 0; n < key.wordLength; n++) if (words[first + n] !== key.words[n]) return false;
    if ((records[at + Record.version] & Version.live) === 0) throw corrupt(`record ${id} is in the index and vacant`);
    return true;
  }

  /** The index slot that holds a record which is in the index. */
  protected slotOf(id: number, hash: number): number {
    const descriptor = this.control[this.at + At.descriptor];
    const size = indexSize(descriptor);
    const start = indexStart(descriptor);
    const word = entryWord(hash, id);
    let slot = hash & (size - 1);
    for (let probes = 0; probes < size; probes++, slot = (slot + 1) & (size - 1)) {
      if (this.memory.index[start + slot] === word) return slot;
    }
    throw corrupt(`record ${id} is not in the index`);
  }

  protected insertEntry(
    key: NameKey,
    owner: number,
    ownerEpoch: number,
    config: EncodedConfig | undefined,
    ttl: number,
  ): Outcome {
    const { control, memory } = this;
    const occupied = control[this.at + At.entries] + control[this.at + At.tombstones];
    if (overloaded(occupied, indexSize(control[this.at + At.descriptor]))) {
      if (!this.#resize()) return Outcome.full;
      this.locate(key);
    }
    const reused = control[this.at + At.recordFree];
    const used = control[this.at + At.recordsUsed];
    const id = reused === 0 ? used : reused;
    if (reused === 0 && !memory.reserveRecord(id)) return Outcome.full;
    const at = memory.recordAt(id);
    const { records } = memory;
    const before = records[at + Record.version];
    if (before & Version.live || reused >= used) throw corrupt(`record ${id} as a free one`);
    const version = this.#next(before, Version.live);

    this.begin(Operation.insert, id, before, this.slot);
    if (reused === 0) this.setControl(this.at + At.recordsUsed, id + 1);
    else this.setControl(this.at + At.recordFree, records[at + Record.born]);
    let nameBlock = 0;
    if (key.byteLength > keyBytesInline) {
      nameBlock = this.#arena.allocate(key.wordLength * 4);
      if (nameBlock === 0) return this.#full();
    }
    let block = 0;
    if (config !== undefined) {
      block = this.#arena.allocate(valueBytes(config));
      if (block === 0) return this.#full();
      writeValue(memory, block, config);
    }
    records[at + Record.hash] = key.hash;
    records[at + Record.meta] = key.meta;
    records[at + Record.owner] = owner;
    records[at + Record.ownerEpoch] = ownerEpoch;
    this.setWord(Space.records, records, at + Record.born, version); // journaled: it may hold a free record's link
    records[at + Record.value] = block;
    records[deadlineAt(at, version)] = this.#deadline(ttl);
    records[deadlineAt(at, ~version)] = 0; // not of whom it was before: see lastDeadlineOf
    if (nameBlock === 0) {
      for (let n = 0; n < Record.keyWords; n++) records[at + Record.key + n] = n < key.wordLength ? key.words[n] : 0;
    } else {
      records[at + Record.key] = nameBlock;
      for (let n = 0; n < key.wordLength; n++) memory.arena[nameBlock * 2 + n] = key.words[n];
    }
    const slotAt = indexStart(control[this.at + At.descriptor]) + this.slot;
    if (memory.index[slotAt] === TOMBSTONE) this.#add(At.tombstones, -1);
    this.#add(At.entries, 1);
    this.#add(At.registrations, 1);
    // The slot may be seen as soon as it is stored: it leads to a vacant record, which readers pass over.
    this.setWord(Space.index, memory.index, slotAt, entryWord(key.hash, id));
    this.#appear(at, version);
    this.end();
    this.record = id;
    this.born = version;
    return Outcome.done;
  }

  /** A name whose owner is dead gets a new owner, in the same record: a name never has two records. Owner words stand
   *  once, so they are written while the record is vacant, which is a commit of its own. */
  protected replaceEntry(
    id: number,
    owner: number,
    ownerEpoch: number,
    config: EncodedConfig | undefined,
    ttl: number,
  ): Outcome {
    const { memory } = this;
    const { records } = memory;
    const at = id * Record.words;
    const before = records[at + Record.version];
    const set = ~before & Version.set;
    this.begin(Operation.replace, id, before, this.slot);
    const block = this.#allocateValue(config);
    if (block < 0) return this.#full();
    const vacant = this.#next(before, 0);
    const version = this.#next(vacant, Version.live | set);
    this.#commit(at, vacant);
    records[at + Record.owner] = owner;
    records[at + Record.ownerEpoch] = ownerEpoch;
    records[at + Record.born] = version;
    records[deadlineAt(at, version)] = this.#deadline(ttl);
    records[deadlineAt(at, ~version)] = 0; // not of whom it was before: see lastDeadlineOf
    records[at + Record.value + set] = block;
    this.#appear(at, version);
    this.committed();
    this.#freeValue(at, before);
    this.#add(At.registrations, 1);
    this.end();
    this.record = id;
    this.born = version;
    return Outcome.done;
  }

  /** A name gets another owner while its owner lives, and is absent at no moment: one commit turns it from the old owner, config and
   *  deadline to the new ones. Owner words stand once, and whoever reads the version before goes by them: so the new ones stand in
   *  the shard's block until a second commit, which changes nothing but where they stand. */
  protected takeOverEntry(
    id: number,
    owner: number,
    ownerEpoch: number,
    config: EncodedConfig | undefined,
    ttl: number,
  ): Outcome {
    const { control } = this;
    const { records } = this.memory;
    const at = id * Record.words;
    const before = records[at + Record.version];
    const set = ~before & Version.set;
    this.begin(Operation.takeOver, id, before, 0);
    const block = this.#allocateValue(config);
    if (block < 0) return this.#full();
    records[at + Record.value + set] = block;
    records[deadlineAt(at, set)] = this.#deadline(ttl);
    control[this.at + At.nextOwner] = owner;
    control[this.at + At.nextOwnerEpoch] = ownerEpoch;
    const version = this.#next(before, Version.live | set);
    // As an insertion: the owner may die until here, and its name be found absent.
    this.#appear(at, version | Version.moved);
    this.#settleOwner(at, version);
    this.committed();
    this.#freeValue(at, before);
    this.#add(At.registrations, 1);
    this.end();
    this.record = id;
    this.version = version;
    this.born = version;
    return Outcome.done;
  }

  /** The second commit of a takeover. What comes before it may be done twice. */
  #settleOwner(at: number, version: number): void {
    const { control } = this;
    const { records } = this.memory;
    records[at + Record.owner] = control[this.at + At.nextOwner];
    records[at + Record.ownerEpoch] = control[this.at + At.nextOwnerEpoch];
    records[at + Record.born] = version;
    records[deadlineAt(at, ~version)] = 0; // not of whom it was before: see lastDeadlineOf
    this.#commit(at, version);
  }

  /** `ttl` 0 leaves the deadline as it is. */
  protected updateEntry(id: number, config: EncodedConfig | undefined, ttl: number): Outcome {
    const { records } = this.memory;
    const at = id * Record.words;
    const before = records[at + Record.version];
    const set = ~before & Version.set;
    this.begin(Operation.update, id, before, 0);
    const block = this.#allocateValue(config);
    if (block < 0) return this.#full();
    records[at + Record.value + set] = block;
    records[deadlineAt(at, set)] = ttl === 0 ? records[deadlineAt(at, before)] : this.#deadline(ttl);
    this.version = this.#next(before, Version.live | set);
    this.#commit(at, this.version);
    this.committed();
    this.#freeValue(at, before);
    this.#add(At.updates, 1);
    this.end();
    this.record = id;
    this.born = records[at + Record.born];
    return Outcome.done;
  }

  protected removeEntry(id: number, slot: number): void {
    const { records } = this.memory;
    const at = id * Record.words;
    const before = records[at + Record.version];
    this.begin(Operation.remove, id, before, slot);
    this.#commit(at, this.#next(before, 0));
    this.committed();
    this.#cleanUpRemoved(id, before, slot);
    this.end();
  }

  /** Frees all that a vacated record had, and the record. Its words still are what they were. */
  #cleanUpRemoved(id: number, before: number, slot: number): void {
    const { memory } = this;
    const { records, index } = memory;
    const at = id * Record.words;
    this.#freeValue(at, before);
    const byteLength = records[at + Record.meta] & 0xff;
    if (byteLength > keyBytesInline) this.#arena.free(records[at + Record.key], (byteLength + 3) & ~3);
    const descriptor = this.control[this.at + At.descriptor];
    const mask = indexSize(descriptor) - 1;
    const start = indexStart(descriptor);
    const word = index[start + (slot & mask)];
    if (word !== entryWord(records[at + Record.hash], id)) throw corrupt(`record ${id} is not in index slot ${slot}`);
    if (index[start + ((slot + 1) & mask)] === EMPTY) {
      // Whoever passes here would end at the next slot: so he may end here, and at the tombstones before.
      this.setWord(Space.index, index, start + slot, EMPTY);
      let cleared = 0;
      let previous = (slot - 1) & mask;
      while (index[start + previous] === TOMBSTONE && cleared < limits.tombstonesClearedMax) {
        this.setWord(Space.index, index, start + previous, EMPTY);
        previous = (previous - 1) & mask;
        cleared++;
      }
      if (cleared > 0) this.#add(At.tombstones, -cleared);
    } else {
      this.setWord(Space.index, index, start + slot, TOMBSTONE);
      this.#add(At.tombstones, 1);
    }
    this.setWord(Space.records, records, at + Record.born, this.control[this.at + At.recordFree]);
    this.setControl(this.at + At.recordFree, id);
    this.#add(At.entries, -1);
    this.#add(At.removals, 1);
  }

  /** Builds the next index beside the one in use and swings the descriptor. */
  #resize(): boolean {
    const { control, memory } = this;
    const descriptor = control[this.at + At.descriptor];
    const used = memory.recordsUsed();
    const entries = control[this.at + At.entries];
    const tombstones = control[this.at + At.tombstones];
    if (entries < 0 || entries >= used || tombstones < 0 || tombstones > indexSize(descriptor)) {
      throw corrupt(`${entries} entries and ${tombstones} tombstones`);
    }
    const larger = nextDescriptor(descriptor, true);
    const grow =
      needsGrowth(entries, indexSize(descriptor)) && memory.reserveIndex(indexStart(larger) + indexSize(larger));
    // Without memory for a larger one, an index of the same size does if it was full of tombstones.
    const next = grow ? larger : nextDescriptor(descriptor, false);
    const size = indexSize(next);
    const start = indexStart(next);
    if (overloaded(entries, size) || !memory.reserveIndex(start + size)) return false;
    memory.coverIndex(start + size);
    const { index } = memory;
    index.fill(EMPTY, start, start + size);
    for (let id = 1; id < used; id++) {
      const at = memory.recordAt(id);
      if ((memory.records[at + Record.version] & Version.live) === 0) continue;
      const hash = memory.records[at + Record.hash];
      let slot = hash & (size - 1);
      for (let probes = 0; index[start + slot] !== EMPTY; probes++) {
        if (probes === size) throw corrupt('more records than the index has slots');
        slot = (slot + 1) & (size - 1);
      }
      index[start + slot] = entryWord(hash, id);
    }
    this.begin(Operation.resize, 0, descriptor, 0);
    this.setControl(this.at + At.tombstones, 0);
    this.#add(At.resizes, 1);
    Atomics.store(control, this.at + At.descriptor, next);
    this.end();
    return true;
  }

  protected repairOperation(op: number): void {
    const id = this.intentRecord;
    const before = this.intentBefore;
    this.#coverAll(); // the dead holder may have grown the buffers
    this.#untold = true; // by the dead holder
    if (op === Operation.resize) {
      if (this.control[this.at + At.descriptor] === before) this.undo();
    } else {
      this.#repairRecord(op, id, before);
    }
    for (const at of [this.at + At.changeSequence, this.at + At.insertSequence]) {
      if (this.control[at] & 1) storeInOrder(this.control, at, this.control[at] + 1);
    }
    this.end();
  }

  #repairRecord(op: number, id: number, before: number): void {
    if (!recordOperations.includes(op)) throw corrupt(`operation ${op}`);
    const at = this.memory.recordAt(id);
    const version = this.memory.records[at + Record.version];
    if (version === before) {
      this.undo();
    } else if (op === Operation.insert) {
      // Inserted, and nothing to clean up.
    } else if (version & Version.live) {
      if (version & Version.moved) this.#settleOwner(at, version & ~Version.moved);
      this.redo();
      this.#freeValue(at, before);
      this.#add(op === Operation.update ? At.updates : At.registrations, 1);
    } else {
      // Vacated: removed, or replaced half-way, which ends as a removal as nobody was told otherwise.
      if (op === Operation.replace) this.undo();
      this.redo();
      this.#cleanUpRemoved(id, before, this.intentSlot);
    }
  }

  /** An allocation failed: everything prepared is undone. */
  #full(): Outcome {
    this.undo();
    this.end();
    return Outcome.full;
  }

  /** The one store that makes a mutation visible. A read-modify-write, and settled, as plain stores to what it frees
   *  follow: on processors that reorder stores, a mere store would let those be seen first.
   *
   *  Who found that an entry holds did so under an even change sequence: it is odd before the commit and another even
   *  number after, so while it is what it was, no record of the shard has changed. */
  #commit(at: number, version: number): void {
    const { control } = this;
    const sequenceAt = this.at + At.changeSequence;
    const sequence = control[sequenceAt];
    this.#untold = true;
    // Views learn from the log which record changes: in order, so that who sees the change under way finds it there.
    storeInOrder(control, logAt(this.at, sequence >>> 1), at / Record.words);
    storeInOrder(control, sequenceAt, sequence + 1);
    Atomics.exchange(this.memory.records, at + Record.version, version);
    storeInOrder(control, sequenceAt, sequence + 2);
    settleStores();
  }

  /** Makes a name appear. The insert sequence does for those who have found its absence what the change sequence does
   *  for entries. */
  #appear(at: number, version: number): void {
    const { control } = this;
    const sequenceAt = this.at + At.insertSequence;
    const sequence = control[sequenceAt];
    storeInOrder(control, sequenceAt, sequence + 1);
    this.#commit(at, version);
    storeInOrder(control, sequenceAt, sequence + 2);
    this.version = version;
  }

  /** The version after `version`. When the sequence starts over, every cached lookup of the shard is made stale first. */
  #next(version: number, flags: number): number {
    let sequence = (version >>> Version.sequenceShift) + 1;
    if (sequence > Version.sequenceMax) {
      Atomics.add(this.control, this.at + At.wraps, 1);
      sequence = 1;
    }
    return (sequence << Version.sequenceShift) | flags;
  }

  #deadline(ttl: number): number {
    const deadline = this.owners.clock.deadline(ttl);
    this.owners.deadlines.note(deadline);
    return deadline;
  }

  #allocateValue(config: EncodedConfig | undefined): number {
    if (config === undefined) return 0;
    const block = this.#arena.allocate(valueBytes(config));
    if (block === 0) return -1;
    writeValue(this.memory, block, config);
    return block;
  }

  #freeValue(at: number, version: number): void {
    const block = this.memory.records[at + Record.value + (version & Version.set)];
    if (block !== 0) this.#arena.free(block, storedValueBytes(this.memory, block));
  }

  #add(word: number, amount: number): void {
    this.setControl(this.at + word, this.control[this.at + word] + amount);
  }

  protected override noteWait(stolen: boolean): void {
    this.control[this.at + At.lockWaits]++;
    if (stolen) this.control[this.at + At.lockSteals]++;
  }

  protected arrayOf(space: number, at: number): Int32Array<SharedArrayBuffer> {
    const { control, memory } = this;
    const array = [control, memory.records, memory.index, memory.arena].at(space);
    const isOurs = space !== Space.control || (at >= this.at + At.entries && at < this.at + At.log);
    if (array === undefined || at >= array.length || !isOurs) throw corrupt(`journal with word ${at} of ${space}`);
    return array;
  }

  // What the arena asks of its shard.
  get arena(): Int32Array<SharedArrayBuffer> {
    return this.memory.arena;
  }
  setArena(at: number, value: number): void {
    this.setWord(Space.arena, this.memory.arena, at, value);
  }
  override setControl(at: number, value: number): void {
    super.setControl(at, value);
  }
  reservePages(pages: number): boolean {
    return this.memory.reservePages(pages);
  }
}
