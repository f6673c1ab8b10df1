import { EventEmitter } from 'node:events';
import { alarmReasons, type Contention, isAdmissionClosed } from '../shared/contention.ts';
import type { Table } from '../shared/table.ts';

/** Why a shard is alarmed: the recent lock waits' p99, or the recent writes' mean, is over its threshold; or one thread
 *  has held the lock for so long, while others wait. */
export type AlarmReason = (typeof alarmReasons)[number][1];

/** How contended one shard is. The figures are of the last 100 to 200 ms, as the coordinator last saw them; 0 when nobody
 *  had to wait. */
export interface ShardContention {
  readonly shard: number;
  readonly alarmed: boolean;
  readonly reasons: readonly AlarmReason[];
  /** Milliseconds that 99 % of lock waits took at most. Writes that found the lock free did not wait. */
  readonly lockWaitP99Ms: number;
  /** Mean milliseconds of a write, its lock wait included. */
  readonly writeMeanMs: number;
  /** Milliseconds for which the present holder of the lock has been seen with others waiting. */
  readonly lockHeldMs: number;
}

/** How contended a registry is. */
export interface ContentionStatus {
  /** Shards that are alarmed. */
  readonly alarmed: number;
  /** Whether new names are taken: see `registry.admission`. */
  readonly admission: 'open' | 'closed';
  readonly shards: readonly ShardContention[];
}

export function readContention({ contention, shards }: Table): ContentionStatus {
  const all = shards.map((_, shard) => shardContention(contention, shard));
  const admission = isAdmissionClosed(contention.admission) ? 'closed' : 'open';
  return { alarmed: all.filter(({ alarmed }) => alarmed).length, admission, shards: all };
}

function shardContention(contention: Contention, shard: number): ShardContention {
  const { reasons: bits, lockWaitP99Ms, writeMeanMs, heldMs } = contention.recent(shard);
  const reasons = alarmReasons.filter(([bit]) => (bits & bit) !== 0).map(([, reason]) => reason);
  return { shard, alarmed: bits !== 0, reasons, lockWaitP99Ms, writeMeanMs, lockHeldMs: heldMs };
}

/** What `registry.alarms` tells. */
export interface AlarmEvents {
  /** A shard has become contended. */
  alarm: [ShardContention];
  /** It is no longer. */
  clear: [ShardContention];
}

/**
 * Alarms of the shards as events, in whichever thread listens, usually within 100 ms. They begin when `registry.alarms`
 * is first asked for: what was before is told by `registry.contentionStatus()`. An alarm that is raised and cleared between
 * two turns of this thread's event loop is not told. A listener that throws is an uncaught exception of its thread, as
 * with any emitter, and the next event comes all the same. Listening keeps no process alive and polls nothing.
 * @example registry.alarms.on('alarm', ({ shard, reasons }) => console.warn(`shard ${shard}: ${reasons}`));
 */
export class Alarms extends EventEmitter<AlarmEvents> {
  readonly #table: Table;
  #ended = false;

  /** @internal Made by `registry.alarms`. */
  constructor(table: Table) {
    super();
    this.#table = table;
    void this.#listen();
  }

  /** @internal The attachment ends: listeners hear no more. */
  end(): void {
    this.#ended = true;
    this.#table.contention.tell(); // ends the wait; the other threads find nothing new
  }

  /** One outstanding wait of the thread. */
  async #listen(): Promise<void> {
    const { contention, shards } = this.#table;
    let seen = contention.changes();
    let before = shards.map((_, shard) => shardContention(contention, shard));
    for (;;) {
      await contention.told(seen);
      if (this.#ended || this.#table.closed) return;
      seen = contention.changes();
      const now = shards.map((_, shard) => shardContention(contention, shard));
      for (const shard of now) {
        // Each in a call of its own, so that one that throws keeps nobody else from hearing.
        if (shard.alarmed !== before[shard.shard].alarmed)
          queueMicrotask(() => this.emit(shard.alarmed ? 'alarm' : 'clear', shard));
      }
      before = now;
    }
  }
}
