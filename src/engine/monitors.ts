import { inspect } from 'node:util';
import { hasPassed } from '../shared/clock.ts';
import { RegistryError } from '../shared/errors.ts';
import { EndReason, Header } from '../shared/layout.ts';
import { loadAfter } from '../shared/ordering.ts';
import type { Table } from '../shared/table.ts';
import type { Endings } from './endings.ts';
import type { Entry } from './entry.ts';
import { checkKnown, checkSignal } from './options.ts';
import { Registration } from './registration.ts';
import { offAbort, onAbort } from './signals.ts';

/** An owner (an `Owner`, an entry's `owner`, the `from` of a message), or a name (an `Entry`, a `Registration`). */
export type MonitorTarget =
  | { readonly slot: number; readonly epoch: number }
  | { readonly kind: string; readonly id: string };

/** How something is monitored. */
export interface MonitorOptions<Tag> {
  /** Comes back with the news: what tells one monitor from another. */
  readonly tag?: Tag;
  /** Ends the monitor when it aborts: nothing is told any more. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Why it ended.
 * - `closed`: the owner, or its thread's attachment, was closed in good order
 * - `thread exit`: its thread ended, by whatever cause
 * - `expired`: its time to live was over, the owner's or the name's
 * - `unregistered`: the name was taken back; its owner may live on
 * - `already gone`: there was no such owner or name when the monitor was made
 * - `registry closed`: the registry was closed, in this thread or for all
 */
export type DownReason = 'closed' | 'thread exit' | 'expired' | 'unregistered' | 'already gone' | 'registry closed';

/** The news of an end. */
export interface Down<Tag = undefined> {
  readonly tag: Tag;
  readonly reason: DownReason;
  readonly target: MonitorTarget;
}

/** What is looked at: an owner with the thread it lives in, and for a name its registration. */
interface Watched {
  readonly slot: number;
  readonly epoch: number;
  readonly thread: number;
  readonly threadEpoch: number;
  readonly shard: number;
  /** 0: no name. */
  readonly record: number;
  readonly born: number;
  /** The name's deadline when the monitor was made; 0: none. */
  readonly expiry: number;
}

/**
 * Waits for the end of an owner or of a registration. It keeps no thread alive.
 * @example
 * const monitor = registry.monitor(registry.whereis('server', 'billing')!.owner, { tag: 'billing' });
 * monitor.down.then(({ tag, reason }) => console.log(`${tag} has ended: ${reason}`));
 */
export class Monitor<Tag = undefined> implements Disposable {
  /** Resolves once, with tag and reason; never after `close`, and never rejects. */
  readonly down: Promise<Down<Tag>>;
  readonly target: MonitorTarget;
  readonly tag: Tag;
  /** @internal */
  readonly tell: (reason: DownReason) => void;
  readonly #forget: (monitor: Monitor<Tag>) => void;

  /** @internal Made by `registry.monitor`. */
  constructor(target: MonitorTarget, tag: Tag, forget: (monitor: Monitor<Tag>) => void) {
    const { promise, resolve } = Promise.withResolvers<Down<Tag>>();
    this.down = promise;
    this.target = target;
    this.tag = tag;
    this.#forget = forget;
    this.tell = (reason) => resolve(Object.freeze({ tag, reason, target }));
  }

  /** Tells nothing any more. Closing twice is no error. */
  close(): void {
    this.#forget(this);
  }

  /** For `using`. */
  [Symbol.dispose](): void {
    this.close();
  }
}

/** The monitors of one thread. */
export class Monitors {
  readonly #table: Table;
  readonly #endings: Endings;
  // biome-ignore lint/suspicious/noExplicitAny: each monitor has a tag of its own type
  readonly #watched = new Map<Monitor<any>, Watched>();
  #tells = false;
  #told = false;

  constructor(table: Table, endings: Endings) {
    this.#table = table;
    this.#endings = endings;
  }

  monitor<Tag>(target: MonitorTarget, options: MonitorOptions<Tag>): Monitor<Tag> {
    checkKnown(options, ['tag', 'signal']);
    const { signal } = options;
    checkSignal(signal);
    signal?.throwIfAborted();
    const watched = 'slot' in Object(target) ? this.#ownerOf(target) : this.#nameOf(target);
    const close = () => monitor.close();
    const monitor = new Monitor(target, options.tag as Tag, (closed) => {
      if (signal !== undefined) offAbort(signal, close);
      this.#watched.delete(closed);
      if (this.#watched.size === 0) this.#endings.forget(this.#look);
    });
    if (watched === undefined) {
      monitor.tell('already gone');
      return monitor;
    }
    if (signal !== undefined) onAbort(signal, close);
    this.#watched.set(monitor, watched);
    this.#endings.listen(this.#look);
    return monitor;
  }

  /** @returns undefined when it has ended */
  #ownerOf(target: MonitorTarget): Watched | undefined {
    const { owners } = this.#table;
    const { slot, epoch } = target as { slot: number; epoch: number };
    const isSlot = Number.isInteger(slot) && slot >= 0 && slot < owners.threadsMax + owners.ownersMax;
    if (!isSlot || !Number.isInteger(epoch)) throw invalidTarget(target);
    const [thread, threadEpoch] = [owners.thread(slot), owners.threadEpoch(slot)];
    // Read before it is known to live, so they are of this tenancy.
    if (!owners.alive(slot, epoch)) return undefined;
    return { slot, epoch, thread, threadEpoch, shard: 0, record: 0, born: 0, expiry: 0 };
  }

  #nameOf(target: MonitorTarget): Watched | undefined {
    const { kind, id } = Object(target) as { kind: string; id: string };
    if (typeof kind !== 'string' || typeof id !== 'string') throw invalidTarget(target);
    const { control, kinds, key, readers } = this.#table;
    // Before the look: a removal that it does not see sees this.
    if (Atomics.load(control, Header.namesMonitored) === 0) Atomics.store(control, Header.namesMonitored, 1);
    const kindId = kinds.find(kind);
    key.encode(kindId, id);
    if (kindId === 0) return undefined;
    const shard = this.#table.shardOf(key.hash);
    const record = readers[shard].read(key);
    if (record === 0) return undefined;
    const { owner: slot, ownerEpoch: epoch, born, expiry } = readers[shard];
    // What is monitored by an entry or a registration is no longer there when the name is another's by now.
    if (target instanceof Registration && (target.record !== record || target.born !== born)) return undefined;
    const { owner: holder } = Object(target) as Partial<Entry>;
    if (holder !== undefined && (holder.slot !== slot || holder.epoch !== epoch)) return undefined;
    const owner = this.#ownerOf({ slot, epoch });
    return owner && { ...owner, shard, record, born, expiry };
  }

  /** Something has ended, anywhere. */
  readonly #look = (): void => {
    for (const [monitor, watched] of this.#watched) {
      const reason = this.#reasonOf(watched);
      const { closed } = this.#table; // afterwards: who closes it says so before all owners end
      if (reason === undefined && !closed) continue;
      monitor.close();
      monitor.tell(closed ? 'registry closed' : reason!);
    }
  };

  #reasonOf(watched: Watched): DownReason | undefined {
    const { slot, epoch, thread, threadEpoch, shard, record, born } = watched;
    const { owners, readers } = this.#table;
    const gone = record !== 0 && !readers[shard].isRegistration(record, born);
    // Afterwards: names of the dead are swept, and that is not their end.
    if (owners.livesOn(slot, epoch)) return gone ? this.#reasonOfName(watched) : undefined;
    const reason = owners.endReason(slot, epoch);
    if (reason === EndReason.expired) return 'expired';
    const closed = reason === EndReason.closed || owners.endReason(thread, threadEpoch) === EndReason.closed;
    return closed ? 'closed' : 'thread exit';
  }

  /** Its record says what its deadline was, until another name gets it. */
  #reasonOfName({ shard, record, born, expiry }: Watched): DownReason {
    const { owners, readers } = this.#table;
    const deadline = readers[shard].lastDeadlineOf(record, born) ?? expiry;
    return hasPassed(deadline, owners.clock.time()) ? 'expired' : 'unregistered';
  }

  /** A name is about to be taken back. If that is cut off before it is told, it is told in a moment. */
  beforeRemoval(): void {
    if (loadAfter(this.#table.control, Header.namesMonitored) === 0) return;
    this.#told = false;
    if (this.#tells) return;
    void Promise.resolve().then(() => {
      this.#tells = false;
      if (!this.#told) this.#table.owners.tellEnding();
    });
    this.#tells = true;
  }

  /** It was: who monitors names looks at theirs. */
  afterRemoval(): void {
    if (loadAfter(this.#table.control, Header.namesMonitored) === 0) return;
    this.#told = true;
    this.#table.owners.tellEnding();
  }

  /** The registry is closed in this thread. */
  end(): void {
    for (const monitor of this.#watched.keys()) {
      monitor.close();
      monitor.tell('registry closed');
    }
  }
}

function invalidTarget(target: unknown): RegistryError {
  return new RegistryError('INVALID_OPTION', `${inspect(target)} cannot be monitored: an owner, or { kind, id }`);
}
