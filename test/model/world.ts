import { encodeConfig } from '../../src/shared/codec.ts';
import { NOBODY } from '../../src/shared/counter-table.ts';
import { ControlMap, CounterRow, Header, OwnerRow, OwnerState, Shard } from '../../src/shared/layout.ts';
import { defaults } from '../../src/shared/limits.ts';
import { NameKey } from '../../src/shared/name-key.ts';
import { ANY, IfHeld, versionToken } from '../../src/shared/shard.ts';
import { ShardMemory } from '../../src/shared/shard-memory.ts';
import type { RawEntry } from '../../src/shared/shard-reader.ts';
import { allocateTable } from '../../src/shared/table.ts';
import { auditOwners, auditShard } from '../support/bookkeeping.ts';
import { CLOCK, INDEX_LOG2, type SteppedSource } from './load.ts';
import { $isKilled, $place, $run, $shared, $wait, type Access } from './runtime.ts';

/** One operation of a program. `config` tells values apart. */
export type Operation =
  /** `owned`: for the owner that the thread opened last, instead of the thread itself. */
  | {
      readonly op: 'register' | 'registerOrUpdate' | 'takeOver';
      readonly name: string;
      readonly config: string;
      readonly owned?: boolean;
      /** Ticks to live. */
      readonly ttl?: number;
    }
  /** Renews the registration this thread made last. */
  | { readonly op: 'renew'; readonly name: string; readonly ttl: number }
  /** Renews the owner it opened last. */
  | { readonly op: 'renewOwner'; readonly ttl: number }
  /** The clock moves on. */
  | { readonly op: 'tick' }
  /** Updates the name, the registration this thread made last, or the version it looked at last. */
  | { readonly op: 'update' | 'updateMine' | 'updateIf'; readonly name: string; readonly config: string }
  | { readonly op: 'unregister' | 'unregisterMine'; readonly name: string }
  | { readonly op: 'whereis' | 'find' | 'look' | 'isMine'; readonly name: string }
  | { readonly op: 'closeOwner' | 'list' | 'view' | 'sweep' | 'attach' }
  | { readonly op: 'openOwner'; readonly ttl?: number }
  /** `bury` also frees the locks of the killed; `reclaim` frees its row; `rebirth` does and attaches it again; `buryAgain`
   *  tells its first death a second time. */
  | { readonly op: 'kill' | 'bury' | 'reclaim' | 'rebirth' | 'buryAgain'; readonly thread: number }
  /** Sleeps until the config is another. (Or until thread 0 was killed: then whatever it is.) */
  | { readonly op: 'await'; readonly name: string; readonly config: string }
  /** The thread becomes the coordinator, if the one before it (that thread) has ended. */
  | { readonly op: 'succeed'; readonly thread?: number }
  /** Gives a kind its number, if it has none. */
  | { readonly op: 'intern'; readonly kind: string }
  /** Finds or makes a counter, the shared one or (`owned`) that of the owner it opened last. */
  | { readonly op: 'counter'; readonly owned?: boolean; readonly keep?: boolean }
  /** Adds to the counter that this thread found last. */
  | { readonly op: 'count'; readonly by: number }
  | { readonly op: 'sum' | 'sweepCounters' }
  /** What the coordinator does about whoever has ended. */
  | { readonly op: 'settle' }
  /** Other names come and go, in one step of the schedule, until the index has been rebuilt so many times. */
  | { readonly op: 'churn'; readonly rebuilds: number };

/** What an operation answered: an outcome, `present` or `absent`, a config, or a list. */
export type Result = string;

export type Steps<T> = Generator<Access, T, string | undefined>;

const THREADS_MAX = 6;
/** And the coordinator's row. */
const ROWS = THREADS_MAX + 1;
const OWNERS_MAX = 3;
/** The kind of all names. */
const KIND = 'k';
const ifHeld = { register: IfHeld.refuse, registerOrUpdate: IfHeld.update, takeOver: IfHeld.takeOver } as const;
/** The name of the one counter that programs count in. */
const COUNTER = 7;
const outcomes = ['done', 'taken', 'full', 'notFound', 'changed'];

/** A table of one shard, small, with a fixed hash key, and virtual threads attached to it. */
export class World {
  readonly #source: SteppedSource;
  readonly #buffers;
  readonly control: Int32Array<SharedArrayBuffer>;
  readonly map = new ControlMap(1, ROWS, OWNERS_MAX);
  readonly actors: Actor[] = [];
  readonly sameHash: boolean;
  /** Rows handed out: nobody gets what another got. */
  claims = new Set<string>();
  #claimsBefore = new Set<string>();

  /** With `sameHash` all names have the same hash. */
  constructor(source: SteppedSource, threads: number, sameHash: boolean) {
    this.#source = source;
    this.sameHash = sameHash;
    this.#buffers = allocateTable({
      ...defaults,
      shards: 1,
      entriesPerShardMax: 200,
      threadsMax: THREADS_MAX,
      ownersMax: OWNERS_MAX,
      configBytesMax: 4096,
      valueBytesPerShardMax: 1 << 18,
      messageBytesMax: 64,
    });
    this.control = new Int32Array(this.#buffers.control);
    this.control[Header.hashKey] = 0x1234567;
    this.control[Header.hashKey + 1] = 0x7654321;
    this.control[this.map.shard(0) + Shard.descriptor] = INDEX_LOG2;
    for (let n = 0; n < threads; n++) this.actors.push(new Actor(this.#source, this, n));
  }

  get buffers() {
    return this.#buffers;
  }

  /** An owner that lives is one of a thread that lives. */
  #auditOwnersAlive(): void {
    const word = (slot: number, field: number) => this.control[this.map.owners + slot * OwnerRow.words + field];
    const isAlive = (epoch: number) => (epoch & OwnerState.mask) === OwnerState.alive;
    for (let slot = ROWS; slot < ROWS + OWNERS_MAX; slot++) {
      if (!isAlive(word(slot, OwnerRow.epoch))) continue;
      const epoch = word(word(slot, OwnerRow.thread), OwnerRow.epoch);
      const lives = isAlive(epoch) && epoch === word(slot, OwnerRow.threadEpoch);
      if (!lives) throw new Error(`owner ${slot} outlives its thread`);
    }
  }

  /** The program begins here. */
  keep(): void {
    this.#claimsBefore = new Set(this.claims);
  }

  /** Back to where the program began. */
  reset(): void {
    this.claims = new Set(this.#claimsBefore);
  }

  /** Notes that a row was handed out. @throws when it had been, to another */
  claimed(slot: number, epoch: number): void {
    const claim = `${slot} at ${epoch}`;
    if (this.claims.has(claim)) throw new Error(`row ${claim} is handed out twice`);
    this.claims.add(claim);
  }

  /** Checks the memory when nobody runs and the dead are settled. @throws what is wrong */
  audit(): void {
    auditOwners(this.control);
    this.#auditOwnersAlive();
    auditShard(new ShardMemory(this.control, this.map.shard(0), this.#buffers.shards[0]));
  }
}

class ModelKey extends NameKey {
  readonly #sameHash: boolean;

  constructor(key0: number, key1: number, sameHash: boolean) {
    super(key0, key1);
    this.#sameHash = sameHash;
  }

  override encode(kind: number, id: string): void {
    super.encode(kind, id);
    if (this.#sameHash) this.hash = 0;
  }
}

/** A registration: its record and the version it began with. */
interface Made {
  readonly record: number;
  readonly born: number;
}

/** What a virtual thread remembers from one operation to the next. */
class Memory {
  slot = 0;
  epoch = 0;
  owner = 0;
  ownerEpoch = 0;
  /** By name: the registration it made last, the version it looked at last, and what it has cached. */
  made = new Map<string, Made>();
  seen = new Map<string, number>();
  cache = new Map<string, unknown>();
  /** The counter it found last: where it lies, and the word that says it is that one. */
  counter = { row: -1, proofAt: 0, proof: 0 };
  /** It keeps a view of all names. */
  viewed = false;

  copy(): Memory {
    const { made, seen, cache } = this;
    return Object.assign(new Memory(), this, {
      made: new Map(made),
      seen: new Map(seen),
      cache: new Map(cache),
    });
  }
}

/** One virtual thread: its attachment, and its operations in steps. */
export class Actor {
  // biome-ignore lint/suspicious/noExplicitAny: classes of the stepped source
  [part: string]: any;
  readonly thread: number;
  own = new Memory();
  /** What it remembered when the program began. */
  #start = new Memory();
  #views: Partial<ShardMemory> = {};
  /** While it is true no other thread runs. */
  atomic = false;

  constructor(source: SteppedSource, world: World, thread: number) {
    this.thread = thread;
    this.world = world;
    const { control, map, buffers } = world;
    this.owners = new source.Owners(control, map, ROWS, OWNERS_MAX);
    this.ownerTable = new source.OwnerTable(control, map, this.owners);
    $run(thread);
    this.memory = new source.ShardMemory(control, map.shard(0), buffers.shards[0]);
    this.shard = new source.Shard(this.memory, this.owners);
    this.reader = new source.ShardReader(this.memory, this.owners);
    this.counters = new source.CounterTable(control, map, this.owners);
    this.guards = [this.ownerTable, this.shard, this.counters];
    finish(this.#attach());
    this.firstEpoch = this.own.epoch;
    this.key = new ModelKey(control[Header.hashKey], control[Header.hashKey + 1], world.sameHash);
    const { owners, key } = this;
    this.source = source;
    const [shards, readers] = [[this.shard], [this.reader]];
    this.table = { control, owners, key, kinds: undefined, shards, readers, shardOf: () => 0 };
    this.#readKinds();
    finish(this.table.kinds.intern(KIND));
    this.resolver = new source.Resolver(this.table);
    this.index = new source.KindIndex(this.table, this.resolver, 1);
    for (const words of [control, this.memory.records, this.memory.index, this.memory.arena]) $shared(words);
  }

  /** The program begins here, each time in the same state. */
  keep(): void {
    this.#start = this.own.copy();
    const { records, index, arena, arenaBytes } = this.memory;
    this.#views = { records, index, arena, arenaBytes };
    this.reset();
  }

  /** It knows the kind of all names, and no other. */
  #readKinds(): void {
    const { world, ownerTable } = this;
    this.table.kinds = new this.source.Kinds(world.control, world.map, ownerTable);
    finish(this.table.kinds.find(KIND));
  }

  /** Back to where the program began. What it had cached then is looked up again: an answer changes as it is used. */
  reset(): void {
    this.own = this.#start.copy();
    // Buffers that have grown stay so; but that a view does not cover all of them is met in each run.
    Object.assign(this.memory, this.#views);
    this.#readKinds();
    this.resolver = new this.source.Resolver(this.table); // which remembers owners
    this.index = new this.source.KindIndex(this.table, this.resolver, 1);
    if (this.own.viewed) finish(this.index.living());
    for (const name of this.#start.cache.keys()) this.own.cache.set(name, finish(this.resolver.resolve(KIND, name)));
    this.atomic = false;
    this.#hold();
  }

  *perform(operation: Operation): Steps<Result> {
    const { own, shard, reader, key, owners } = this;
    if ('name' in operation) key.encode(1, operation.name);
    switch (operation.op) {
      case 'register':
      case 'registerOrUpdate':
      case 'takeOver':
        return yield* this.#register(operation);
      case 'update':
        return outcomes[yield* shard.update(key, ANY, encodeConfig(operation.config))];
      case 'updateIf':
        return yield* this.#updateIf(operation.name, operation.config);
      case 'updateMine': {
        const { record, born } = own.made.get(operation.name) ?? { record: 0, born: 0 };
        return outcomes[yield* shard.updateRecord(record, born, ANY, encodeConfig(operation.config))];
      }
      case 'unregister':
        return outcomes[yield* shard.unregister(key)];
      case 'unregisterMine': {
        const made = own.made.get(operation.name);
        return made ? outcomes[yield* shard.unregisterRecord(made.record, made.born)] : 'notFound';
      }
      case 'whereis':
        return yield* this.#whereis(operation.name);
      case 'find':
        return (yield* reader.find(key)) === 0 ? 'absent' : 'present';
      case 'look': {
        const id = yield* reader.find(key);
        if (id === 0) own.seen.delete(operation.name);
        else own.seen.set(operation.name, versionToken(id, reader.version));
        return id === 0 ? 'absent' : 'present';
      }
      case 'isMine': {
        const made = own.made.get(operation.name);
        return made && (yield* reader.isRegistration(made.record, made.born)) ? 'present' : 'absent';
      }
      case 'list':
        return yield* this.#list();
      case 'view':
        own.viewed = true;
        return listing(yield* this.index.living());
      case 'await':
        return yield* this.#await(operation.name, operation.config);
      case 'renew': {
        const made = own.made.get(operation.name);
        return made ? outcomes[yield* shard.renewRecord(made.record, made.born, operation.ttl)] : 'notFound';
      }
      case 'renewOwner':
        return (yield* owners.renew(own.owner, own.ownerEpoch, operation.ttl)) ? 'done' : 'notFound';
      case 'tick':
        yield $place(this.world.control, CLOCK, 'u');
        this.world.control[CLOCK]++;
        return 'done';
      case 'sweep':
        yield* this.#sweep();
        return 'done';
      case 'counter':
        return yield* this.#findCounter(operation.owned === true, operation.keep === true);
      case 'count':
        return yield* this.#count(operation.by);
      case 'sum':
        return `${yield* this.counters.sum(COUNTER)}`;
      case 'sweepCounters':
        yield* this.counters.sweep();
        return 'done';
      case 'intern':
        return `kind ${yield* this.table.kinds.intern(operation.kind)}`;
      case 'openOwner':
        own.owner = yield* this.ownerTable.claimOwner(own.slot, own.epoch, undefined, operation.ttl);
        if (own.owner === -1) return 'full';
        own.ownerEpoch = yield* owners.epoch(own.owner);
        this.world.claimed(own.owner, own.ownerEpoch);
        return 'done';
      case 'closeOwner':
        yield* this.#closeOwner();
        return 'done';
      case 'attach':
        return yield* this.#attach();
      case 'succeed':
        return yield* this.#succeed(operation.thread);
      case 'settle':
        return yield* this.#settle();
      case 'churn':
        return yield* this.#churn(operation.rebuilds);
      default:
        return yield* this.#toAnother(operation.op, this.world.actors[operation.thread]);
    }
  }

  *#register({ op, name, config, owned, ttl }: Operation & { op: keyof typeof ifHeld }): Steps<Result> {
    const { own, shard } = this;
    const owner = owned ? own.owner : own.slot;
    const epoch = owned ? own.ownerEpoch : own.epoch;
    const outcome = outcomes[yield* shard.register(this.key, owner, epoch, encodeConfig(config), ifHeld[op], ttl)];
    if (outcome === 'done') own.made.set(name, { record: shard.record, born: shard.born });
    return outcome;
  }

  /** As `Registry.compareAndUpdate`, which does not tell a name that has gone from one that has changed. */
  *#updateIf(name: string, config: string): Steps<Result> {
    const outcome = outcomes[yield* this.shard.update(this.key, this.own.seen.get(name) ?? -1, encodeConfig(config))];
    return outcome === 'notFound' ? 'changed' : outcome;
  }

  *#toAnother(op: 'kill' | 'bury' | 'reclaim' | 'rebirth' | 'buryAgain', other: Actor): Steps<Result> {
    const { slot, epoch } = other.own;
    if (op === 'kill' || op === 'bury') yield* this.owners.kill(slot, epoch);
    if (op === 'bury') for (const guard of this.guards) yield* guard.recoverFrom(slot, epoch);
    if (op === 'buryAgain') yield* this.owners.kill(slot, other.firstEpoch);
    if (op === 'reclaim' || op === 'rebirth') yield* this.ownerTable.reclaim(slot, epoch + 1);
    if (op === 'rebirth') yield* other.#attach();
    return 'done';
  }

  /** As `Registry.whereis` does it: what is cached, if it still holds, else looked up and cached. */
  *#whereis(name: string): Steps<Result> {
    const { cache } = this.own;
    // biome-ignore lint/suspicious/noExplicitAny: a SharedEntry of the stepped source
    let answer = cache.get(name) as any;
    if (answer === undefined || !(yield* answer.holds(this.world.control))) {
      answer = answer && (yield* answer.renewed(this.world.control));
      answer ??= yield* this.resolver.resolve(KIND, name);
      cache.set(name, answer);
    }
    return answer?.found === undefined ? 'absent' : (answer.found.config as string);
  }

  /** As `Watches` do it: arm the bell, look, sleep. Nobody else wakes it: to sleep without end is to have lost a wake-up. */
  *#await(name: string, before: string): Steps<Result> {
    for (let told = false; ; ) {
      const armed = yield* this.owners.bell.arm();
      const config = yield* this.#whereis(name);
      if (config !== before || told) return config;
      while ((yield* $wait(this.world.control, Header.watchBell, armed)) === 'timed-out') {
        if (!told && (yield* $isKilled(0))) {
          yield* this.#settle();
          told = true;
        }
      }
    }
  }

  /** As `Counters.get` does it. */
  *#findCounter(owned: boolean, keep: boolean): Steps<Result> {
    const { own, counters, owners } = this;
    const [owner, epoch] = owned ? [own.owner, own.ownerEpoch] : [NOBODY, 0];
    const row: number = yield* counters.claim(COUNTER, owner, epoch, keep);
    if (row === -1) return 'full';
    const proofAt = owned ? owners.epochAt(owner) : row + CounterRow.epoch;
    if (!owned) yield $place(this.world.control, proofAt, 'r');
    own.counter = { row, proofAt, proof: owned ? epoch : this.world.control[proofAt] };
    return 'done';
  }

  /** As `Counter.increment` does it. */
  *#count(by: number): Steps<Result> {
    const { row, proofAt, proof } = this.own.counter;
    const { control } = this.world;
    yield $place(control, proofAt, 'r');
    if (control[proofAt] !== proof) return 'notFound';
    const values = new BigInt64Array(control.buffer);
    const at = (row + CounterRow.value) >> 1;
    yield $place(values, at, 'u');
    Atomics.add(values, at, BigInt(by));
    return 'done';
  }

  /** As `Owner.close` does it. */
  *#closeOwner(): Steps<void> {
    const { own, shard } = this;
    if (!(yield* this.owners.kill(own.owner, own.ownerEpoch))) return;
    for (const { record, born } of own.made.values()) yield* shard.sweepRecord(record, born);
    yield* this.ownerTable.reclaim(own.owner, own.ownerEpoch + 1);
  }

  *#attach(): Steps<Result> {
    const slot = yield* this.ownerTable.claimThread();
    if (slot === -1) return 'full';
    return yield* this.#enter(slot);
  }

  /** As `Coordinator.start` and `Table` do it: the address is free once the coordinator before has ended. */
  *#succeed(before: number | undefined): Steps<Result> {
    if (before !== undefined && !(yield* $isKilled(before))) return 'refused';
    return yield* this.#enter(yield* this.ownerTable.claimCoordinator());
  }

  *#enter(slot: number): Steps<Result> {
    this.own.slot = slot;
    this.own.epoch = yield* this.owners.epoch(slot);
    this.world.claimed(slot, this.own.epoch);
    this.#hold();
    for (const guard of this.guards) yield* guard.recoverFromPredecessor();
    return 'done';
  }

  #hold(): void {
    for (const { lock } of this.guards) lock.hold(this.own.slot, this.own.epoch);
  }

  /** As `Coordinator` and `Table.sweepDead` do it. */
  *#settle(): Steps<Result> {
    const { owners, ownerTable } = this;
    const ended: string[] = [];
    for (let slot = 0; slot < ROWS; slot++) {
      const epoch = yield* owners.epoch(slot);
      if (!owners.isAlive(epoch) || !(yield* owners.threadEnded(slot))) continue;
      yield* owners.kill(slot, epoch);
      for (const guard of this.guards) yield* guard.recoverFrom(slot, epoch);
      ended.push(`${yield* owners.threadIdOf(slot)}`);
    }
    yield* ownerTable.freeBrokenClaims();
    const dead: [number, number][] = yield* ownerTable.dead();
    yield* this.#sweep();
    yield* this.counters.sweep();
    for (const [slot, epoch] of dead) yield* ownerTable.reclaim(slot, epoch);
    return ['ended', ...ended].join(' ');
  }

  *#sweep(): Steps<void> {
    for (let from = yield* this.shard.sweep(1); from !== 0; from = yield* this.shard.sweep(from));
  }

  *#churn(rebuilds: number): Steps<Result> {
    this.atomic = true;
    const { control, at } = this.memory;
    const end = control[at + Shard.resizes] + rebuilds;
    for (let n = 0; control[at + Shard.resizes] < end; n++) {
      this.key.encode(1, `churn${n}`);
      yield* this.shard.register(this.key, this.own.slot, this.own.epoch, undefined, IfHeld.refuse);
      yield* this.shard.unregister(this.key);
    }
    this.atomic = false;
    return 'done';
  }

  *#list(): Steps<Result> {
    for (;;) {
      const entries = yield* this.reader.snapshot(0);
      if (entries === undefined) continue;
      return listing(entries.map(({ name, text }: RawEntry) => ({ id: name, config: JSON.parse(text as string) })));
    }
  }
}

const listing = (entries: readonly { readonly id: string; readonly config: string }[]): Result =>
  entries
    .map(({ id, config }) => `${id}=${config}`)
    .toSorted()
    .join(' ');

/** Runs steps to their end, alone. */
export function finish<T>(steps: Steps<T>): T {
  for (let step = steps.next(); ; step = steps.next('timed-out')) if (step.done) return step.value;
}
