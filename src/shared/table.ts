import { randomFillSync } from 'node:crypto';
import { monotonicMs } from './clock.ts';
import { Contention } from './contention.ts';
import { CounterTable } from './counter-table.ts';
import { isBusy, isCorrupt, RegistryError } from './errors.ts';
import type { Guarded } from './guard.ts';
import { checkHandle, stampLanes, stampShards } from './handle.ts';
import { Kinds } from './kinds.ts';
import { allocateLanes, Lanes } from './lanes.ts';
import { ControlMap, EndReason, Header, LAYOUT_VERSION, MAGIC, pageBytes, RegistryState } from './layout.ts';
import { limits } from './limits.ts';
import { Mailbox } from './mailbox.ts';
import { NameKey } from './name-key.ts';
import { OwnerTable } from './owner-table.ts';
import { Owners } from './owners.ts';
import { Shard } from './shard.ts';
import { allocateShard, type ShardBuffers, ShardMemory } from './shard-memory.ts';
import { ShardReader } from './shard-reader.ts';
import { WriteTimer } from './write-timer.ts';

/** Sizes of a table, all set. */
export interface TableOptions {
  readonly shards: number;
  readonly entriesPerShardMax: number;
  readonly threadsMax: number;
  readonly ownersMax: number;
  readonly configBytesMax: number;
  readonly valueBytesPerShardMax: number;
  readonly messageBytesMax: number;
  readonly alarmLockWaitMs: number;
  readonly alarmWriteMeanMs: number;
  readonly alarmedPercentMax: number;
}

/** The buffers of a table: what goes from thread to thread. */
export interface TableBuffers {
  readonly control: SharedArrayBuffer;
  readonly shards: readonly ShardBuffers[];
  readonly lanes: SharedArrayBuffer;
}

/** Allocates a table and writes the words it starts with. */
export function allocateTable(options: TableOptions): TableBuffers {
  const map = new ControlMap(options.shards, options.threadsMax + 1, options.ownersMax);
  const pagesMax = Math.ceil(options.valueBytesPerShardMax / pageBytes);
  const control = new SharedArrayBuffer(map.words * 4);
  const words = new Int32Array(control);
  words[Header.magic] = MAGIC;
  words[Header.layoutVersion] = LAYOUT_VERSION;
  words[Header.shards] = options.shards;
  words[Header.threadsMax] = options.threadsMax + 1; // and the coordinator
  words[Header.ownersMax] = options.ownersMax;
  words[Header.entriesPerShardMax] = options.entriesPerShardMax;
  words[Header.configBytesMax] = options.configBytesMax;
  words[Header.pagesPerShardMax] = pagesMax;
  words[Header.alarmLockWaitMs] = options.alarmLockWaitMs;
  words[Header.alarmWriteMeanMs] = options.alarmWriteMeanMs;
  words[Header.alarmedPercentMax] = options.alarmedPercentMax;
  const openedMs = Math.floor(monotonicMs());
  words[Header.openedMs] = openedMs;
  words[Header.openedMs + 1] = openedMs / 2 ** 32;
  words[Header.state] = RegistryState.open;
  randomFillSync(new Uint8Array(control, Header.hashKey * 4, 8));
  randomFillSync(new Uint8Array(control, Header.identity * 4, 16));
  const shards = Array.from({ length: options.shards }, () => allocateShard(options.entriesPerShardMax, pagesMax));
  for (const [n, buffers] of shards.entries()) new ShardMemory(words, map.shard(n), buffers).initialise();
  const lanes = allocateLanes(options.messageBytesMax);
  stampShards(words, shards);
  stampLanes(words, lanes);
  return { control, shards, lanes };
}

/** One attachment of one thread to a table: its views, its locks, its identity. */
export class Table {
  readonly control: Int32Array<SharedArrayBuffer>;
  readonly map: ControlMap;
  readonly owners: Owners;
  readonly ownerTable: OwnerTable;
  readonly kinds: Kinds;
  readonly contention: Contention;
  readonly counters: CounterTable;
  readonly key: NameKey;
  readonly shards: readonly Shard[];
  readonly readers: readonly ShardReader[];
  readonly mailbox: Mailbox;
  /** This attachment's own owner: its thread. */
  readonly slot: number;
  readonly epoch: number;
  readonly #shift: number;

  /** Attaches the calling thread. Takes no lock and needs no other thread to run.
   *  @throws {RegistryError} `INCOMPATIBLE_HANDLE`, `CLOSED`, `THREADS_FULL`, `CORRUPT` */
  constructor(buffers: TableBuffers, role: 'thread' | 'coordinator' = 'thread') {
    checkHandle(buffers);
    const control = new Int32Array(buffers.control);
    this.control = control;
    if (this.closed) throw new RegistryError('CLOSED', 'this registry has been closed by the thread that opened it');
    const map = new ControlMap(control[Header.shards], control[Header.threadsMax], control[Header.ownersMax]);
    this.map = map;
    this.owners = new Owners(control, map, control[Header.threadsMax], control[Header.ownersMax]);
    this.ownerTable = new OwnerTable(control, map, this.owners);
    this.slot = role === 'coordinator' ? this.ownerTable.claimCoordinator() : this.#claimThread();
    if (this.slot === -1) {
      throw new RegistryError(
        'THREADS_FULL',
        `${this.owners.threadsMax - 1} threads are attached: close registries you no longer need or raise threadsMax`,
      );
    }
    this.epoch = this.owners.epoch(this.slot);
    this.kinds = new Kinds(control, map, this.ownerTable);
    this.key = new NameKey(control[Header.hashKey], control[Header.hashKey + 1]);
    this.contention = new Contention(control, map);
    this.counters = new CounterTable(control, map, this.owners);
    const memories = buffers.shards.map((shard, n) => new ShardMemory(control, map.shard(n), shard));
    this.readers = memories.map((memory) => new ShardReader(memory, this.owners));
    this.shards = memories.map((memory) => new Shard(memory, this.owners));
    const lanes = new Lanes(buffers.lanes, control, map, this.owners, this.ownerTable);
    this.mailbox = new Mailbox(lanes, control, this.owners, this.slot, this.epoch);
    for (const [n, shard] of this.shards.entries()) {
      shard.timer = new WriteTimer(control, map.shard(n), map.monitor(n));
      shard.timer.slowMs = this.contention.writeMeanMs;
      shard.timer.onSlow = shard.lock.onSleep = () => this.contention.ask();
    }
    for (const lock of this.#locks()) lock.hold(this.slot, this.epoch);
    this.#shift = Math.clz32(this.shards.length) + 1;
    if (role === 'coordinator') return; // what is corrupt shall not keep it from starting
    try {
      this.recoverFromPredecessor();
    } catch (error) {
      this.owners.kill(this.slot, this.epoch); // who is refused keeps no row
      throw error;
    }
  }

  /** Repairs and frees the locks that earlier tenants of this attachment's slot left behind.
   *  @throws {RegistryError} `CORRUPT` when one cannot be repaired; all are free then, too */
  recoverFromPredecessor(): void {
    forAll(this.#guards(), (guard) => guard.recoverFromPredecessor());
  }

  get closed(): boolean {
    return Atomics.load(this.control, Header.state) !== RegistryState.open;
  }

  /** The shard of a hash: its top bits. */
  shardOf(hash: number): number {
    return this.#shift === 32 ? 0 : hash >>> this.#shift;
  }

  /** Told when a living thread holds a lock for long: see `Lock.onSuspect`. */
  set onSuspect(listener: (slot: number) => void) {
    for (const lock of this.#locks()) lock.onSuspect = listener;
  }

  /** Repairs and frees every lock that a tenancy of a thread slot left behind. The thread has ended, or is the caller.
   *  @throws {RegistryError} `CORRUPT` when one cannot be repaired; all are free then, too */
  recoverLocks(slot: number, epoch: number): void {
    forAll(this.#guards(), (guard) => guard.recoverFrom(slot, epoch));
  }

  /** A thread has ended: all it owned vanishes, its locks are repaired and freed, a sweep is asked for.
   *  @throws {RegistryError} `CORRUPT` when a lock could not be repaired; all the rest is done then, too */
  endThread(threadId: number): void {
    // The epoch is looked at once: by the time of the burial the row may have been freed, and have its next tenant.
    const attachments: { slot: number; epoch: number }[] = [];
    for (let slot = 0; slot < this.owners.threadsMax; slot++) {
      const epoch = this.owners.epoch(slot);
      if (this.owners.isAlive(epoch) && this.owners.threadIdOf(slot) === threadId) attachments.push({ slot, epoch });
    }
    this.ownerTable.freeClaimOf(threadId);
    if (attachments.length > 0 || this.ownerTable.hasOpenClaims()) this.requestSweep();
    forAll(attachments, ({ slot, epoch }) => this.bury(slot, epoch));
  }

  /** The same for one attachment of it. */
  bury(slot: number, epoch: number): void {
    this.owners.kill(slot, epoch);
    this.mailbox.wakeAll(); // it may have ended between a message and its ring
    this.recoverLocks(slot, epoch);
  }

  /** Closes the table for every thread: all names vanish, writes refuse. */
  close(): void {
    Atomics.store(this.control, Header.state, RegistryState.closed);
    for (let slot = 0; slot < this.owners.threadsMax; slot++) {
      const epoch = this.owners.epoch(slot);
      if (this.owners.isAlive(epoch)) this.owners.kill(slot, epoch);
    }
    this.mailbox.wakeAll();
  }

  /** Ends this attachment: its names vanish, locks it abandoned are freed. */
  detach(): void {
    try {
      this.recoverLocks(this.slot, this.epoch);
    } catch (error) {
      if (!isCorrupt(error)) throw error; // else those who stay are told when they take that lock
    } finally {
      this.owners.kill(this.slot, this.epoch, EndReason.closed);
      this.mailbox.wakeAll(); // who waits for room in a lane to this thread, and this thread itself
      for (const lock of this.#locks()) lock.retire();
      this.requestSweep();
    }
  }

  /** Asks the coordinator to free what the dead left. Needs no turn of this thread's event loop, and none is lost: a
   *  coordinator that starts sweeps first of all. */
  requestSweep(): void {
    Atomics.add(this.control, Header.requests, 1);
    Atomics.notify(this.control, Header.requests);
  }

  /** Asks the coordinator to have locks given back that living threads may have abandoned. */
  requestLocks(): void {
    Atomics.add(this.control, Header.lockRequests, 1);
    this.requestSweep();
  }

  /** How often the coordinator was asked for anything, and for locks. */
  requests(): { all: number; locks: number } {
    const all = Atomics.load(this.control, Header.requests);
    return { all, locks: Atomics.load(this.control, Header.lockRequests) };
  }

  /** Resolves when it has been asked for more than `seen`. One wait of a thread at a time. */
  async requested(seen: number): Promise<void> {
    await Atomics.waitAsync(this.control, Header.requests, seen).value;
  }

  /** Slots of the threads that hold a lock now. */
  lockHolders(): Set<number> {
    return new Set([...this.#locks()].map((lock) => lock.holder).filter((slot) => slot !== -1));
  }

  /** Frees what the dead left: entries, locks, owner rows; with `expired` what has expired, though nobody is dead. Yields between slices, each of which holds one lock for some
   *  10 µs; run it to its end at once, or with other work in between.
   *  @throws {RegistryError} `BUSY`, or `CORRUPT`, of a shard: all others are swept then, and no row is freed */
  *sweepDead(expired = false): Generator<void, void, void> {
    this.ownerTable.freeBrokenClaims();
    const dead = this.ownerTable.dead();
    if ((dead.length === 0 && !expired) || this.closed) return; // closing kills rows whose threads may be anywhere
    for (const [slot, epoch] of dead) {
      const isThread = slot < this.owners.threadsMax;
      if (isThread && this.owners.threadEnded(slot)) this.recoverLocks(slot, epoch - 1);
    }
    const failures: unknown[] = [];
    for (const shard of this.shards) {
      try {
        for (let from = shard.sweep(1); from !== 0; from = shard.sweep(from)) yield;
      } catch (error) {
        failures.push(error); // somebody is stopped in there, or it is corrupt: others are swept all the same
      }
    }
    this.counters.sweep();
    // A row is for the next tenant once nothing names the one before: not while a shard could not be swept.
    if (failures.length > 0) throw failures.find(isBusy) ?? failures[0];
    for (const [slot, epoch] of dead) this.ownerTable.reclaim(slot, epoch);
    this.owners.tellEnding(); // for whoever ended an owner and was cut off before it could
  }

  /** Sets what the shards count back to 0, of each as it stands at one moment.
   *  @throws {RegistryError} `BUSY`, `CORRUPT` of a shard; all others are reset then */
  resetStats(): void {
    forAll(this.shards, (shard) => shard.resetStats());
  }

  /** Milliseconds this attachment's waits for locks may take. */
  set lockWaitMs(waitMs: number) {
    for (const lock of this.#locks()) lock.waitMs = waitMs;
  }

  /** A row of a thread that left is free once the coordinator has swept: that takes some milliseconds. */
  #claimThread(): number {
    const idle = new Int32Array(new SharedArrayBuffer(4));
    for (let waitedMs = 0; ; waitedMs += limits.lockSliceMs) {
      const slot = this.ownerTable.claimThread();
      if (slot !== -1 || waitedMs >= limits.attachWaitMs) return slot;
      this.requestSweep();
      Atomics.wait(idle, 0, 0, limits.lockSliceMs);
    }
  }

  #guards(): readonly Guarded[] {
    return [this.ownerTable, this.counters, ...this.shards];
  }

  *#locks() {
    for (const guard of this.#guards()) yield guard.lock;
  }
}

/** Does it for all, also when it fails for one; the first failure is thrown in the end. */
function forAll<T>(items: Iterable<T>, act: (item: T) => void): void {
  const failures: unknown[] = [];
  for (const item of items) {
    try {
      act(item);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}
