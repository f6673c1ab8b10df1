import { encodeConfig } from '../../src/shared/codec.ts';
import { ControlMap, Header, Shard } from '../../src/shared/layout.ts';
import { NameKey } from '../../src/shared/name-key.ts';
import { ShardMemory } from '../../src/shared/shard-memory.ts';
import { allocateTable } from '../../src/shared/table.ts';
import { auditShard } from '../support/bookkeeping.ts';
import { INDEX_LOG2, type SteppedSource } from './load.ts';
import { $run, $shared, type Access } from './runtime.ts';

/** One operation of a program. `config` tells values apart; names are single letters. */
export type Operation =
  | { readonly op: 'register' | 'registerOrUpdate' | 'update'; readonly name: string; readonly config: string }
  | { readonly op: 'unregister' | 'whereis' | 'find'; readonly name: string }
  | { readonly op: 'kill' | 'bury'; readonly thread: number }
  | { readonly op: 'sweep' }
  /** The thread's slot is freed and it attaches again; or, later, its first death is told a second time. */
  | { readonly op: 'rebirth' | 'buryAgain'; readonly thread: number }
  /** Other names come and go, in one step of the schedule, until the index has been rebuilt so many times. */
  | { readonly op: 'churn'; readonly rebuilds: number }
  | { readonly op: 'list' };

/** What an operation answered: `done`, `taken`, `notFound`, `full`, a config, `absent`, or a list. */
export type Result = string;

export type Steps<T> = Generator<Access, T, string | undefined>;

const THREADS_MAX = 6;
/** And the coordinator's row. */
const ROWS = THREADS_MAX + 1;
const outcomes = ['done', 'taken', 'full', 'notFound', 'changed'];

/** A table of one shard, small, with a fixed hash key, and virtual threads attached to it. */
export class World {
  readonly #source: SteppedSource;
  readonly #buffers;
  readonly control: Int32Array<SharedArrayBuffer>;
  readonly map = new ControlMap(1, ROWS, 2);
  readonly actors: Actor[] = [];
  readonly sameHash: boolean;

  /** With `sameHash` all names have the same hash. */
  constructor(source: SteppedSource, threads: number, sameHash: boolean) {
    this.#source = source;
    this.sameHash = sameHash;
    this.#buffers = allocateTable({
      shards: 1,
      entriesPerShardMax: 200,
      threadsMax: THREADS_MAX,
      ownersMax: 2,
      configBytesMax: 4096,
      valueBytesPerShardMax: 1 << 18,
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

  /** Checks the memory when nobody runs. @throws what is wrong */
  audit(): void {
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

/** One virtual thread: its attachment, and its operations in steps. */
export class Actor {
  // biome-ignore lint/suspicious/noExplicitAny: classes of the stepped source
  [part: string]: any;
  readonly thread: number;
  readonly cache = new Map<string, unknown>();
  /** While it is true no other thread runs. */
  atomic = false;

  constructor(source: SteppedSource, world: World, thread: number) {
    this.thread = thread;
    this.world = world;
    const { control, map, buffers } = world;
    this.owners = new source.Owners(control, map, ROWS, 2);
    this.ownerTable = new source.OwnerTable(control, map, this.owners);
    $run(thread);
    this.memory = new source.ShardMemory(control, map.shard(0), buffers.shards[0]);
    this.shard = new source.Shard(this.memory, this.owners);
    this.reader = new source.ShardReader(this.memory, this.owners);
    finish(this.attach());
    this.firstEpoch = this.epoch;
    this.key = new ModelKey(control[Header.hashKey], control[Header.hashKey + 1], world.sameHash);
    this.resolver = new source.Resolver({
      control,
      owners: this.owners,
      key: this.key,
      kinds: {
        find: () => ({ [Symbol.iterator]: () => ({ next: () => ({ done: true, value: 1 }) }) }),
        name: () => 'k',
      },
      readers: [this.reader],
      shardOf: () => 0,
    });
    for (const words of [control, this.memory.records, this.memory.index, this.memory.arena]) $shared(words);
  }

  *perform(operation: Operation): Steps<Result> {
    const { op } = operation;
    if ('name' in operation) this.key.encode(1, operation.name);
    if (op === 'register' || op === 'registerOrUpdate') {
      const config = encodeConfig(operation.config);
      const update = op === 'registerOrUpdate';
      return outcomes[yield* this.shard.register(this.key, this.slot, this.epoch, config, update)];
    }
    if (op === 'update') return outcomes[yield* this.shard.update(this.key, 0, encodeConfig(operation.config))];
    if (op === 'unregister') return outcomes[yield* this.shard.unregister(this.key)];
    if (op === 'whereis') return yield* this.#whereis(operation.name);
    if (op === 'find') return (yield* this.reader.find(this.key)) === 0 ? 'absent' : 'present';
    if (op === 'list') return yield* this.#list();
    if (op === 'sweep') {
      for (let from = yield* this.shard.sweep(1); from !== 0; from = yield* this.shard.sweep(from));
      return 'done';
    }
    if (op === 'kill' || op === 'bury') {
      const { slot, epoch } = this.world.actors[operation.thread];
      yield* this.owners.kill(slot, epoch);
      if (op === 'bury') yield* this.shard.recoverFrom(slot, epoch);
      return 'done';
    }
    if (op === 'rebirth' || op === 'buryAgain') {
      const other = this.world.actors[operation.thread];
      if (op === 'buryAgain') yield* this.owners.kill(other.slot, other.firstEpoch);
      else {
        yield* this.ownerTable.reclaim(other.slot, other.epoch + 1);
        yield* other.attach();
      }
      return 'done';
    }
    if (op === 'churn') return yield* this.#churn(operation.rebuilds);
    throw new Error(`unknown operation ${op}`);
  }

  /** As `Registry.whereis` does it: what is cached, if it still holds, else looked up and cached. */
  *#whereis(name: string): Steps<Result> {
    // biome-ignore lint/suspicious/noExplicitAny: a Resolution of the stepped source
    let resolution = this.cache.get(name) as any;
    if (resolution === undefined || !(yield* resolution.holds())) {
      resolution = yield* this.resolver.resolve('k', name);
      this.cache.set(name, resolution);
    }
    return resolution?.entry === undefined ? 'absent' : (resolution.entry.config as string);
  }

  *attach(): Steps<void> {
    this.slot = yield* this.ownerTable.claimThread();
    this.epoch = yield* this.owners.epoch(this.slot);
    this.shard.lock.hold(this.slot, this.epoch);
    this.ownerTable.lock.hold(this.slot, this.epoch);
  }

  *#churn(rebuilds: number): Steps<Result> {
    this.atomic = true;
    const { control, at } = this.memory;
    const end = control[at + Shard.resizes] + rebuilds;
    for (let n = 0; control[at + Shard.resizes] < end; n++) {
      this.key.encode(1, `churn${n}`);
      yield* this.shard.register(this.key, this.slot, this.epoch, undefined, false);
      yield* this.shard.unregister(this.key);
    }
    this.atomic = false;
    return 'done';
  }

  *#list(): Steps<Result> {
    for (;;) {
      const entries = yield* this.reader.snapshot(0);
      if (entries === undefined) continue;
      const pairs = entries.map(({ name, text }: { name: string; text: string }) => `${name}=${JSON.parse(text)}`);
      return pairs.toSorted().join(' ');
    }
  }
}

/** Runs steps to their end, alone. */
export function finish<T>(steps: Steps<T>): T {
  for (let step = steps.next(); ; step = steps.next('timed-out')) if (step.done) return step.value;
}
