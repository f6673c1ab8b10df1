import { type InspectOptions, inspect } from 'node:util';
import type { JsonInput, JsonValue } from '../shared/codec.ts';
import { RegistryError } from '../shared/errors.ts';
import { Header } from '../shared/layout.ts';
import { ANY, IfHeld } from '../shared/shard.ts';
import { allocateTable, Table, type TableBuffers } from '../shared/table.ts';
import { CoordinatorLink } from '../workers/coordinator-link.ts';
import { watchWorkers } from '../workers/worker-watch.ts';
import { AbortWatch } from './abort.ts';
import { Admission, AdmissionRefusedError } from './admission.ts';
import { Bindings } from './bindings.ts';
import { Alarms, type ContentionStatus, readContention } from './contention.ts';
import { type Counter, type CounterOptions, Counters } from './counters.ts';
import { Endings } from './endings.ts';
import type { Entry, SharedEntry } from './entry.ts';
import { AlreadyRegisteredError } from './errors.ts';
import { Groups } from './groups.ts';
import { Insight } from './insight.ts';
import type { Change } from './kind-changes.ts';
import { Life } from './life.ts';
import { KindCache, LookupCache } from './lookup-cache.ts';
import { Messages } from './messages.ts';
import { type Monitor, type MonitorOptions, Monitors, type MonitorTarget } from './monitors.ts';
import {
  checkKnown,
  checkRegisterOptions,
  checkSignal,
  checkVersion,
  type OwnerOptions,
  type RegisterOptions,
  type RegistryOptions,
  resolveOptions,
  resolveTtl,
} from './options.ts';
import { Owner } from './owner.ts';
import { checkOwner, type Parts } from './parts.ts';
import type { Properties } from './properties.ts';
import { Ref } from './ref.ts';
import type { Registration } from './registration.ts';
import { Resolver } from './resolver.ts';
import { show, valueOrCode } from './show.ts';
import { standBy } from './standby.ts';
import { type PartitionStats, readPartitionStats } from './stats.ts';
import type { StateIterator } from './wait.ts';
import { type AwaitOptions, Watches, type WatchOptions } from './watches.ts';
import { Writes } from './writes.ts';

/** What another thread needs to attach: shared buffers, nothing else. Goes through `workerData` or `postMessage`. */
export interface RegistryHandle extends TableBuffers {}

/** How `tryRegister` ended: a taken name is expected, so it is a value and not an exception. */
export type TryRegisterResult =
  | { readonly ok: true; readonly registration: Registration }
  | { readonly ok: false; readonly error: AlreadyRegisteredError };

/** Snapshots of a shard `list` tries to take beside its writers before it takes the lock. */
const SNAPSHOT_TRIES = 3;

/**
 * One answer for every thread of a process to "who serves this name?".
 *
 * A name is a kind and an id, and has one owner: a thread, or something smaller that lives in one. Lookups read
 * shared memory and take no lock; writes lock one shard. When an owner dies, by whatever cause, its names stop
 * resolving in every thread. All calls are synchronous but `open` and `close`, and those that wait: `awaitName`,
 * `standby`, watches, calls.
 * @example
 * await using registry = await Registry.open();
 * new Worker(file, { workerData: registry.handle }); // there: Registry.attach(workerData)
 * registry.register('server', 'billing', { config: { port: 7400 } });
 * registry.whereis('server', 'billing')?.config; // { port: 7400 }, in any thread
 */
export class Registry implements Disposable, AsyncDisposable {
  /** For `Registry.attach` in other threads. */
  readonly handle: RegistryHandle;
  /** Who belongs together, in every thread. */
  readonly groups: Groups;
  /** Which server a transport is bound to. */
  readonly bindings: Bindings;
  /** Messages and calls between threads. */
  readonly messages: Messages;
  readonly #monitors: Monitors;
  /** Whether new names are taken, and the override. */
  readonly admission: Admission;
  /** Sums of counters, over all who count. */
  readonly counters: Counters;
  /** The registry in numbers: figures, metrics, a socket for `rollcall top`. */
  readonly insight: Insight;
  readonly #table: Table;
  readonly #link: CoordinatorLink;
  readonly #opener: boolean;
  readonly #unwatch: () => void;
  readonly #resolver: Resolver;
  readonly #self: Owner;
  readonly #writes: Writes;
  readonly #cache = new LookupCache();
  readonly #aborts = new AbortWatch();
  #lastKind: string | undefined;
  #lastNames = new KindCache();
  readonly #life: Life;
  readonly #watches: Watches;
  /** The owner that `owner` is about to hand out; slot -1: none. */
  readonly #claim = { slot: -1, epoch: 0 };
  #alarms: Alarms | undefined;
  #closing: Promise<void> | undefined;

  private constructor(handle: RegistryHandle, opener: boolean) {
    this.handle = handle;
    this.#opener = opener;
    this.#table = new Table(handle);
    this.#life = new Life(this.#table);
    this.admission = new Admission(this.#table.contention, this.#life);
    this.counters = new Counters(this.#table, this.#life);
    this.#link = new CoordinatorLink(this.#table, handle);
    this.#unwatch = watchWorkers((threadId) => this.#endOfWorker(threadId));
    this.#resolver = new Resolver(this.#table);
    this.#self = this.#ownerOf(this.#table.slot, this.#table.epoch, 0);
    const endings = new Endings(this.#table);
    this.#monitors = new Monitors(this.#table, endings);
    this.#writes = new Writes(this.#table, this.#life, this.#monitors);
    const parts: Parts = {
      table: this.#table,
      life: this.#life,
      resolver: this.#resolver,
      self: this.#self,
      writes: this.#writes,
    };
    this.#watches = new Watches(parts);
    this.groups = new Groups(parts, this.#watches);
    this.bindings = new Bindings(parts);
    this.insight = new Insight(parts, this);
    this.messages = new Messages({
      table: this.#table,
      life: this.#life,
      endings,
      whereis: this.whereis.bind(this),
      list: this.list.bind(this),
    });
    this.#life.onOwnerEnd = (slot, epoch) => this.messages.ownerEnded(slot, epoch);
  }

  /**
   * Allocates a registry and starts its coordinator thread, which notices the death of threads and sweeps up after
   * them. The registry lives until this thread closes it; neither it nor the coordinator keeps the process alive.
   * @throws {RegistryError} `INVALID_OPTION`; `COORDINATOR_FAILED` when its thread cannot start
   */
  static async open(options: RegistryOptions = {}): Promise<Registry> {
    const registry = new Registry(Object.freeze(allocateTable(resolveOptions(options))), true);
    try {
      await registry.#link.start();
    } catch (error) {
      await registry.close();
      throw error;
    }
    return registry;
  }

  /**
   * Joins this thread to a registry that another opened. Needs no other thread to run, so it works while the main
   * thread is blocked.
   * @throws {RegistryError} `INCOMPATIBLE_HANDLE`, `CLOSED`, `THREADS_FULL`
   */
  static attach(handle: RegistryHandle): Registry {
    if (typeof handle !== 'object' || handle === null) {
      throw new RegistryError('INCOMPATIBLE_HANDLE', `a registry handle is an object, not ${inspect(handle)}`);
    }
    const registry = new Registry(handle, false);
    registry.#link.connect();
    return registry;
  }

  /**
   * Registers a name.
   * @throws {AlreadyRegisteredError} when a living owner has it, which changes nothing
   * @throws {AdmissionRefusedError} when the name is new and too many shards are contended
   * @throws {RegistryError} `INVALID_NAME`, `INVALID_OPTION`, `INVALID_CONFIG`, `CONFIG_TOO_LARGE`, `TABLE_FULL`, `KINDS_FULL`,
   *   `OWNER_DEAD`, `CLOSED`, `BUSY`; the signal's own reason when it has aborted
   */
  register(kind: string, id: string, options: RegisterOptions = {}): Registration {
    return this.#register(kind, id, options, IfHeld.refuse) ?? this.#throwTaken(kind, id);
  }

  /** `register`, with a taken name as a value. @throws {RegistryError} as `register` does otherwise */
  tryRegister(kind: string, id: string, options: RegisterOptions = {}): TryRegisterResult {
    const registration = this.#register(kind, id, options, IfHeld.refuse);
    return registration ? { ok: true, registration } : { ok: false, error: this.#taken(kind, id) };
  }

  /** `register`, but a name that the same owner has gets the new config. @throws {RegistryError} as `register` does */
  registerOrUpdate(kind: string, id: string, options: RegisterOptions = {}): Registration {
    return this.#register(kind, id, options, IfHeld.update) ?? this.#throwTaken(kind, id);
  }

  /** What a name stands for, or undefined. Nothing but loads of memory when it was looked up before and has not
   *  changed. @throws {RegistryError} `INVALID_NAME`, `CLOSED`
   *  @example registry.whereis<{ port: number }>('server', 'billing')?.config?.port */
  whereis<Config = JsonValue>(kind: string, id: string): Entry<Config> | undefined;
  whereis(kind: string, id: string): Entry | undefined {
    const names = kind === this.#lastKind ? this.#lastNames : this.#namesOf(kind);
    const answer = names.young.get(id);
    if (answer?.holds(this.#life.words)) return answer.found;
    return this.#lookup(names, kind, id, answer);
  }

  /** A reference to a name, registered or not: the fastest way to look one name up again and again.
   *  @throws {RegistryError} `INVALID_NAME`, `CLOSED` */
  ref<Config = JsonValue>(kind: string, id: string): Ref<Config> {
    this.#life.checkOpen();
    return new Ref<Config>(kind, id, this.#life, (...name) => this.#resolve(...name));
  }

  /** Whether a name is registered. @throws {RegistryError} `INVALID_NAME`, `CLOSED` */
  has(kind: string, id: string): boolean {
    const names = kind === this.#lastKind ? this.#lastNames : this.#namesOf(kind);
    const answer = names.young.get(id);
    if (answer?.holds(this.#life.words)) return answer.found !== undefined;
    const found = this.#resolver.has(kind, id);
    if (!found) this.#life.checkOpen();
    return found;
  }

  /** The entries of a kind. Each shard's are as they stood together at one moment, so a name that is
   *  registered throughout is there exactly once. Takes a shard's lock when its writers leave no quiet moment.
   *  @throws {RegistryError} when iterated: `INVALID_NAME`, `CLOSED`, `BUSY` */
  list<Config = JsonValue>(kind: string): IterableIterator<Entry<Config>>;
  *list(kind: string): IterableIterator<Entry> {
    this.#life.checkOpen();
    const kindId = this.#table.kinds.find(kind);
    if (kindId === 0) return;
    for (const shard of this.#table.shards.keys()) {
      yield* this.#snapshot(shard, kindId).map((raw) => this.#resolver.entryOf(raw));
    }
  }

  /** How many names of a kind, or in all, are registered. Looks at every record: for people, not for hot
   *  paths. @throws {RegistryError} `INVALID_NAME`, `CLOSED` */
  count(kind?: string): number {
    this.#life.checkOpen();
    const kindId = kind === undefined ? 0 : this.#table.kinds.find(kind);
    if (kind !== undefined && kindId === 0) return 0;
    return this.#table.readers.reduce((sum, reader) => sum + reader.count(kindId), 0);
  }

  /** Replaces the config of a name, whoever owns it. @returns the entry's new version.
   *  @throws {RegistryError} `NOT_FOUND`, `INVALID_NAME`, `CONFIG_TOO_LARGE`, `INVALID_CONFIG`, `TABLE_FULL`, `CLOSED`, `BUSY` */
  update(kind: string, id: string, config: JsonInput | undefined): number {
    return this.#writes.updateName(kind, id, ANY, config);
  }

  /** The same if the entry still has `version`, as an `Entry` tells it. @returns whether it had.
   *  @throws {RegistryError} `INVALID_NAME`, `INVALID_OPTION`, `CONFIG_TOO_LARGE`, `INVALID_CONFIG`, `TABLE_FULL`, `CLOSED`, `BUSY` */
  compareAndUpdate(kind: string, id: string, version: number, config: JsonInput | undefined): boolean {
    return this.#writes.updateName(kind, id, checkVersion(version), config) !== 0;
  }

  /** Takes a name back, whoever owns it. @returns whether there was one.
   *  @throws {RegistryError} `INVALID_NAME`, `CLOSED`, `BUSY` */
  unregister(kind: string, id: string): boolean {
    return this.#writes.removeName(kind, id);
  }

  /** The states of a name: what it stands for now, then each change, undefined while nobody has it. What comes and goes while
   *  nobody asks is not told; the last state always is. Keeps the process alive only while it is waited for.
   *  @throws {RegistryError} `INVALID_NAME`, `INVALID_OPTION`, `CLOSED`
   *  @example for await (const entry of registry.watch('server', 'billing')) console.log(entry?.config); */
  watch<Config = JsonValue>(
    kind: string,
    id: string,
    options: WatchOptions = {},
  ): StateIterator<Entry<Config> | undefined> {
    return this.#watches.name<Config>(kind, id, options);
  }

  /** The entries of a kind, then each change of one, by the same rules.
   *  @throws {RegistryError} `INVALID_NAME`, `INVALID_OPTION`, `CLOSED` */
  watchAll<Config = JsonValue>(kind: string, options: WatchOptions = {}): StateIterator<Change<Config>> {
    return this.#watches.kind<Config>(kind, options);
  }

  /** Resolves with a name's entry, now or when it is registered. Keeps the process alive meanwhile.
   *  @throws {RegistryError} by rejecting: `INVALID_NAME`, `INVALID_OPTION`, `TIMEOUT`, `CLOSED` also when that happens meanwhile;
   *    the signal's own reason when it aborts */
  awaitName<Config = JsonValue>(kind: string, id: string, options: AwaitOptions = {}): Promise<Entry<Config>> {
    return this.#watches.present<Config>(kind, id, options);
  }

  /** Registers a name as soon as nobody has it: now, or when its owner dies or takes it back. Of several that stand by the
   *  first to notice gets it and the others go on waiting, so no order is promised. While admission is closed it waits for that
   *  too. Keeps the process alive meanwhile. `signal` ends the wait, and later the registration.
   *  @throws {RegistryError} by rejecting: as `register` does, but `ADMISSION_REFUSED`; `OWNER_DEAD` and `CLOSED` also when that
   *    happens meanwhile */
  standby(kind: string, id: string, options: RegisterOptions = {}): Promise<Registration> {
    return standBy(this.#watches, this.admission, (...name) => this.tryRegister(...name), kind, id, options);
  }

  /** A counter in shared memory, made on first use: one that all threads share, or an owner's. Keep it: finding it again
   *  takes a lock and a search.
   *  @throws {RegistryError} `INVALID_NAME`, `INVALID_OPTION`, `COUNTERS_FULL` (4,096, of 1,024 names),
   *    `OWNER_DEAD`, `CLOSED`, `BUSY` */
  counter(name: string, options: CounterOptions = {}): Counter {
    return this.counters.get(name, options);
  }

  /** What this thread says of itself; `properties.of(entry.owner)` are those of any owner. */
  get properties(): Properties {
    return this.#self.properties;
  }

  /** Makes an owner that is smaller than this thread.
   *  @throws {RegistryError} `OWNERS_FULL` when `ownersMax` are alive, `CLOSED`, `BUSY` */
  owner(options: OwnerOptions = {}): Owner {
    this.#life.checkOpen();
    checkKnown(options, ['ttlMs']);
    const ttl = resolveTtl(options.ttlMs);
    const table = this.#table;
    this.#freeOrphan();
    let slot = table.ownerTable.claimOwner(table.slot, table.epoch, this.#claim, ttl);
    if (slot === -1) {
      for (const _ of table.sweepDead());
      slot = table.ownerTable.claimOwner(table.slot, table.epoch, this.#claim, ttl);
    }
    if (slot === -1) {
      const max = table.owners.ownersMax;
      throw new RegistryError('OWNERS_FULL', `${max} owners are alive: close some or raise ownersMax`);
    }
    // Not the row's epoch: a short time may be over by now, and the row another's.
    const owner = this.#ownerOf(slot, this.#claim.epoch, ttl);
    this.#claim.slot = -1;
    return owner;
  }

  /** Ends an owner that nobody got: a `vm` time-out cut the call off that had claimed its row. */
  #freeOrphan(): void {
    const { slot, epoch } = this.#claim;
    if (slot === -1) return;
    const { owners, ownerTable } = this.#table;
    // Cut off before it was alive, the row may be another thread's by now, at the same epoch.
    if (owners.thread(slot) === this.#table.slot) {
      owners.kill(slot, epoch);
      ownerTable.reclaim(slot, epoch + 1);
    }
    this.#claim.slot = -1; // last: this may be cut off, too
  }

  #ownerOf(slot: number, epoch: number, ttl: number): Owner {
    return new Owner(this.#table, slot, epoch, this.#life, ttl);
  }

  /** Tells once of the end of an owner or of a name, with the reason. See `Monitor`.
   *  @throws {RegistryError} `INVALID_OPTION`, `INVALID_NAME`, `CLOSED`
   *  @example const { reason } = await registry.monitor({ kind: 'server', id: 'billing' }).down; */
  monitor<Tag = undefined>(target: MonitorTarget, options: MonitorOptions<Tag> = {}): Monitor<Tag> {
    this.#life.checkOpen();
    return this.#monitors.monitor(target, options);
  }

  /** What each shard counts: entries, load, writes, waits, bytes. Also after the close, for a last report: the counters
   *  are then those of the end. */
  partitionStats(): PartitionStats[] {
    return readPartitionStats(this.#table);
  }

  /** Events `alarm` and `clear` of contended shards, from the first use of this on. @throws {RegistryError} `CLOSED` */
  get alarms(): Alarms {
    this.#life.checkOpen();
    this.#alarms ??= new Alarms(this.#table);
    return this.#alarms;
  }

  /** Which shards are contended now, and how much. Also after the close, as it was in the end. */
  contentionStatus(): ContentionStatus {
    return readContention(this.#table);
  }

  /** Sets what `partitionStats` counts and measures back to 0, for every thread.
   *  @throws {RegistryError} `CLOSED`; `BUSY` when a thread is stopped inside a shard: all others are reset then */
  resetStats(): void {
    this.#life.checkOpen();
    this.#table.resetStats();
  }

  /** Whether this thread, or the thread that opened the registry, has closed it. */
  get closed(): boolean {
    return this.#closing !== undefined || this.#table.closed;
  }

  /**
   * In the thread that opened the registry: ends it, for every thread; resolves when the coordinator has stopped, whoever
   * started it.
   * In another: detaches this thread, whose names vanish. Closing twice is no error.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** For `using`. */
  [Symbol.dispose](): void {
    void this.close();
  }

  /** For `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @internal For `console.log`. */
  [inspect.custom](_depth: number, options: InspectOptions): string {
    const { closed } = this;
    const what = closed ? { closed } : { closed, opener: this.#opener, names: valueOrCode(() => this.count()) };
    return show('Registry', what, options);
  }

  async #close(): Promise<void> {
    this.#life.end();
    const inspected = this.insight.end();
    this.#lastKind = undefined;
    this.#lastNames = new KindCache();
    this.#unwatch();
    this.#aborts.end();
    this.#watches.end();
    this.messages.end();
    this.#alarms?.end();
    if (this.#opener) this.#table.close();
    this.#table.detach();
    this.#monitors.end();
    await this.#link.close(this.#opener);
    await inspected;
  }

  /** A worker that this thread had started has exited. So whoever awaits `worker.terminate()` finds its names gone. */
  #endOfWorker(threadId: number): void {
    if (this.closed) return;
    try {
      this.#table.endThread(threadId);
    } catch (error) {
      // This is an event of the worker's: nobody is there to catch it.
      process.emitWarning(`a lock of thread ${threadId} was given back unrepaired: ${error}`, 'RollcallWarning');
    }
  }

  static readonly #noNames = new KindCache();

  #namesOf(kind: string): KindCache {
    this.#life.checkOpen();
    if (this.#table.kinds.find(kind) === 0) return Registry.#noNames;
    this.#lastNames = this.#cache.kind(kind);
    this.#lastKind = kind;
    return this.#lastNames;
  }

  #lookup(names: KindCache, kind: string, id: string, before: SharedEntry | undefined): Entry | undefined {
    const { words } = this.#life;
    let answer = before ?? names.old.get(id);
    if (!answer?.holds(words)) answer = answer?.renewed(words) ?? this.#resolve(kind, id);
    // (Another thread may have registered the first name of this kind a moment ago: next time it has its own names.)
    if (answer !== undefined && names !== Registry.#noNames) this.#cache.keep(names, id, answer);
    return answer?.found;
  }

  #resolve(kind: string, id: string): SharedEntry | undefined {
    this.#life.checkOpen();
    return this.#resolver.resolve(kind, id);
  }

  #snapshot(shard: number, kind: number) {
    const reader = this.#table.readers[shard];
    for (let n = 0; n < SNAPSHOT_TRIES; n++) {
      const entries = reader.snapshot(kind);
      if (entries !== undefined) return entries;
    }
    return this.#table.shards[shard].exclusively(() => reader.settledSnapshot(kind));
  }

  /** @returns undefined when the name is taken. */
  #register(kind: string, id: string, options: RegisterOptions, ifHeld: IfHeld): Registration | undefined {
    this.#life.checkOpen();
    checkRegisterOptions(options);
    const { signal, owner = this.#self } = options;
    const ttl = resolveTtl(options.ttlMs);
    checkSignal(signal);
    signal?.throwIfAborted();
    checkOwner(this.#table, owner);
    const config = this.#writes.encode(kind, id, options.config);
    const table = this.#table;
    const { key, kinds } = table;
    // A kind is for good: it is given out only when nothing else is wrong.
    if (kinds.find(kind) === 0) key.encode(0, id);
    owner.checkAlive(kind, id);
    if (table.control[Header.admission] !== 0) this.#admit(kind, id);
    key.encode(kinds.intern(kind), id);
    const registration = owner.register(this.#writes, kind, id, config, ifHeld, ttl);
    if (registration !== undefined && signal !== undefined) this.#aborts.add(registration, signal);
    return registration;
  }

  /** A name that somebody has is none that is new: it is taken, or gets its next config. */
  #admit(kind: string, id: string): void {
    if (this.admission.state === 'open' || this.#resolver.has(kind, id)) return;
    throw new AdmissionRefusedError(kind, id, this.#table.contention);
  }

  #taken(kind: string, id: string): AlreadyRegisteredError {
    const { key, shards } = this.#table;
    const { holder, holderEpoch } = shards[this.#table.shardOf(key.hash)];
    return new AlreadyRegisteredError(kind, id, this.#resolver.owner(holder, holderEpoch).info);
  }

  #throwTaken(kind: string, id: string): never {
    throw this.#taken(kind, id);
  }
}
