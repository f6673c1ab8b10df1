import { randomFillSync } from 'node:crypto';
import { tablePages } from './arena.ts';
import { RegistryError } from './errors.ts';
import type { Guarded } from './guard.ts';
import { Kinds } from './kinds.ts';
import { ControlMap, Header, LAYOUT_VERSION, MAGIC, pageBytes, RegistryState } from './layout.ts';
import { limits } from './limits.ts';
import { NameKey } from './name-key.ts';
import { OwnerTable } from './owner-table.ts';
import { Owners } from './owners.ts';
import { Shard } from './shard.ts';
import { allocateShard, type ShardBuffers, ShardMemory } from './shard-memory.ts';
import { ShardReader } from './shard-reader.ts';

/** Sizes of a table, all set. */
export interface TableOptions {
  readonly shards: number;
  readonly entriesPerShardMax: number;
  readonly threadsMax: number;
  readonly ownersMax: number;
  readonly configBytesMax: number;
  readonly valueBytesPerShardMax: number;
}

/** The buffers of a table: what goes from thread to thread. */
export interface TableBuffers {
  readonly control: SharedArrayBuffer;
  readonly shards: readonly ShardBuffers[];
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
  words[Header.state] = RegistryState.open;
  randomFillSync(new Uint8Array(control, Header.hashKey * 4, 8));
  randomFillSync(new Uint8Array(control, Header.identity * 4, 16));
  const shards = Array.from({ length: options.shards }, () => allocateShard(options.entriesPerShardMax, pagesMax));
  for (const [n, buffers] of shards.entries()) new ShardMemory(words, map.shard(n), buffers).initialise();
  return { control, shards };
}

/** One attachment of one thread to a table: its views, its locks, its identity. */
export class Table {
  readonly control: Int32Array<SharedArrayBuffer>;
  readonly owners: Owners;
  readonly ownerTable: OwnerTable;
  readonly kinds: Kinds;
  readonly key: NameKey;
  readonly shards: readonly Shard[];
  readonly readers: readonly ShardReader[];
  /** This attachment's own owner: its thread. */
  readonly slot: number;
  readonly epoch: number;
  readonly #shift: number;

  /** Attaches the calling thread. Takes no lock and needs no other thread to run.
   *  @throws {RegistryError} `INCOMPATIBLE_HANDLE`, `CLOSED`, `THREADS_FULL` */
  constructor(buffers: TableBuffers, role: 'thread' | 'coordinator' = 'thread') {
    checkBuffers(buffers);
    const control = new Int32Array(buffers.control);
    this.control = control;
    if (this.closed) throw new RegistryError('CLOSED', 'this registry has been closed by the thread that opened it');
    const map = new ControlMap(control[Header.shards], control[Header.threadsMax], control[Header.ownersMax]);
    this.owners = new Owners(control, map, control[Header.threadsMax], control[Header.ownersMax]);
    this.ownerTable = new OwnerTable(control, map, this.owners);
    this.slot = role === 'coordinator' ? this.ownerTable.claimCoordinator() : claimThread(this.ownerTable);
    if (this.slot === -1) {
      throw new RegistryError(
        'THREADS_FULL',
        `${this.owners.threadsMax - 1} threads are attached: close registries you no longer need or raise threadsMax`,
      );
    }
    this.epoch = this.owners.epoch(this.slot);
    this.kinds = new Kinds(control, map, this.ownerTable);
    this.key = new NameKey(control[Header.hashKey], control[Header.hashKey + 1]);
    const memories = buffers.shards.map((shard, n) => new ShardMemory(control, map.shard(n), shard));
    this.readers = memories.map((memory) => new ShardReader(memory, this.owners));
    this.shards = memories.map((memory) => new Shard(memory, this.owners));
    for (const lock of this.#locks()) lock.hold(this.slot, this.epoch);
    for (const guard of this.#guards()) guard.recoverFromPredecessor();
    this.#shift = Math.clz32(this.shards.length) + 1;
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

  /** Repairs and frees every lock that a tenancy of a thread slot left behind. The thread has ended, or is the caller. */
  recoverLocks(slot: number, epoch: number): number {
    let recovered = 0;
    for (const guard of this.#guards()) if (guard.recoverFrom(slot, epoch)) recovered++;
    return recovered;
  }

  /** A thread has ended: all it owned vanishes, its locks are repaired and freed. @returns whether it was attached. */
  endThread(threadId: number): boolean {
    let attached = false;
    for (let slot = 0; slot < this.owners.threadsMax; slot++) {
      const epoch = this.owners.epoch(slot);
      if (!this.owners.isAlive(epoch) || this.owners.threadIdOf(slot) !== threadId) continue;
      this.bury(slot, epoch);
      attached = true;
    }
    this.ownerTable.freeClaimOf(threadId);
    return attached;
  }

  /** The same for one attachment of it. */
  bury(slot: number, epoch: number): void {
    this.owners.kill(slot, epoch);
    this.recoverLocks(slot, epoch);
  }

  /** Closes the table for every thread: all names vanish, writes refuse. */
  close(): void {
    Atomics.store(this.control, Header.state, RegistryState.closed);
    for (let slot = 0; slot < this.owners.threadsMax; slot++) {
      const epoch = this.owners.epoch(slot);
      if (this.owners.isAlive(epoch)) this.owners.kill(slot, epoch);
    }
  }

  /** Ends this attachment: its names vanish, locks it abandoned are freed. */
  detach(): void {
    this.recoverLocks(this.slot, this.epoch);
    this.owners.kill(this.slot, this.epoch);
    for (const lock of this.#locks()) lock.retire();
  }

  /** Frees what the dead left: entries, locks, owner rows. Yields between slices, each of which holds one lock for some
   *  10 µs; run it to its end at once, or with other work in between. */
  *sweepDead(): Generator<void, void, void> {
    this.ownerTable.freeBrokenClaims();
    const dead = this.ownerTable.dead();
    if (dead.length === 0 || this.closed) return; // closing kills rows whose threads may be anywhere
    for (const [slot, epoch] of dead) {
      const isThread = slot < this.owners.threadsMax;
      if (isThread && this.owners.threadEnded(slot)) this.recoverLocks(slot, epoch - 1);
    }
    for (const shard of this.shards) {
      for (let from = shard.sweep(1); from !== 0; from = shard.sweep(from)) yield;
    }
    for (const [slot, epoch] of dead) this.ownerTable.reclaim(slot, epoch);
  }

  /** Milliseconds this attachment's waits for locks may take. */
  set lockWaitMs(waitMs: number) {
    for (const lock of this.#locks()) lock.waitMs = waitMs;
  }

  #guards(): readonly Guarded[] {
    return [this.ownerTable, ...this.shards];
  }

  *#locks() {
    for (const guard of this.#guards()) yield guard.lock;
  }
}

/** A row of a thread that left is free once the coordinator has swept: that takes some milliseconds. */
function claimThread(owners: OwnerTable): number {
  const idle = new Int32Array(new SharedArrayBuffer(4));
  for (let waitedMs = 0; ; waitedMs += limits.lockSliceMs) {
    const slot = owners.claimThread();
    if (slot !== -1 || waitedMs >= limits.attachWaitMs) return slot;
    Atomics.wait(idle, 0, 0, limits.lockSliceMs);
  }
}

function checkBuffers({ control, shards }: TableBuffers): void {
  const refuse = (why: string) =>
    new RegistryError('INCOMPATIBLE_HANDLE', `${why}: pass registry.handle of the same version of rollcall unchanged`);
  if (!(control instanceof SharedArrayBuffer) || control.byteLength < Header.words * 4 || !Array.isArray(shards)) {
    throw refuse('this is no registry handle');
  }
  const words = new Int32Array(control, 0, Header.words);
  if (words[Header.magic] !== MAGIC) throw refuse('this is no registry handle');
  if (words[Header.layoutVersion] !== LAYOUT_VERSION) {
    throw refuse(`the handle has memory layout ${words[Header.layoutVersion]}, this package ${LAYOUT_VERSION}`);
  }
  const map = new ControlMap(words[Header.shards], words[Header.threadsMax], words[Header.ownersMax]);
  const minimum = (tablePages(words[Header.pagesPerShardMax]) + 1) * pageBytes;
  const whole =
    control.byteLength === map.words * 4 &&
    shards.length === words[Header.shards] &&
    shards.every(
      (shard) =>
        shard?.records instanceof SharedArrayBuffer &&
        shard.index instanceof SharedArrayBuffer &&
        shard.arena instanceof SharedArrayBuffer &&
        shard.arena.byteLength >= minimum,
    );
  if (!whole) throw refuse('the handle is damaged');
}
