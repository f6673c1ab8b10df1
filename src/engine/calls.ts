import { RegistryError } from '../shared/errors.ts';
import { EndReason } from '../shared/layout.ts';
import { limits } from '../shared/limits.ts';
import type { Table } from '../shared/table.ts';
import type { Endings } from './endings.ts';
import { thrownBy } from './failure.ts';
import type { Mailroom } from './mailroom.ts';
import { offAbort, onAbort } from './signals.ts';

/** Whom a call asks: an owner, and the tenancy of the thread that it lives in. */
export interface Callee {
  readonly slot: number;
  readonly epoch: number;
  readonly thread: number;
  readonly threadEpoch: number;
}

/** A call that waits for its reply. */
interface Pending {
  readonly call: number;
  readonly callee: Callee;
  /** Whom it asks, for errors. */
  readonly what: () => string;
  readonly deadlineMs: number;
  readonly resolve: (reply: unknown) => void;
  readonly reject: (error: unknown) => void;
  /** Tells the handler that nobody waits any more. */
  readonly cancel: () => void;
  readonly signal: AbortSignal | undefined;
  readonly abort: () => void;
}

/** Milliseconds by which a time-out may come late: one timer serves many calls. */
const DEADLINE_STEP_MS = 10;

/**
 * The calls of this thread that wait for their reply: each is settled once, by reply, failure, death, abort or time-out.
 *
 * When an owner has ended and its thread lives, that thread tells its callers (`Services`): it alone knows which replies have left, and
 * which will leave yet in the turn in which the owner was closed. Of whom a thread has left alone, by its own end or because the
 * owner's time was over, the caller finds out itself.
 */
export class Calls {
  readonly #table: Table;
  readonly #mailroom: Mailroom;
  readonly #endings: Endings;
  readonly #pending = new Map<number, Pending>();
  #last = 0;
  #timer: NodeJS.Timeout | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  /** No call ends before. */
  #earliestMs = Number.POSITIVE_INFINITY;
  #arms = false;
  #ending = false;
  /** Those who nobody would answer any more when this turn began. */
  #doomed: Pending[] = [];

  constructor(table: Table, mailroom: Mailroom, endings: Endings) {
    this.#table = table;
    this.#mailroom = mailroom;
    this.#endings = endings;
  }

  /** How many wait. */
  get size(): number {
    return this.#pending.size;
  }

  /** A number for the next call, which no call that waits has.
   *  @throws {RegistryError} `MAILBOX_FULL` */
  number(): number {
    if (this.#pending.size >= limits.callsPendingMax) {
      const why = `${this.#pending.size} calls of this thread wait for replies`;
      throw new RegistryError('MAILBOX_FULL', `${why}: wait for some of them first`);
    }
    do this.#last = (this.#last % 0x7fffffff) + 1;
    while (this.#pending.has(this.#last));
    return this.#last;
  }

  /** The promise of a call that is sent in a moment. */
  expect(
    call: number,
    callee: Callee,
    what: () => string,
    timeoutMs: number,
    signal: AbortSignal | undefined,
    cancel: () => void,
  ): Promise<unknown> {
    // Made by hand, as V8 inlines this and not `Promise.withResolvers`.
    let resolve!: (reply: unknown) => void;
    let reject!: (error: unknown) => void;
    const promise = new Promise<unknown>((onReply, onError) => {
      resolve = onReply;
      reject = onError;
    });
    const deadlineMs = performance.now() + timeoutMs;
    const abort = () => this.#giveUp(call, signal?.reason);
    this.#pending.set(call, { call, callee, what, deadlineMs, resolve, reject, cancel, signal, abort });
    if (signal !== undefined) onAbort(signal, abort);
    this.#mailroom.expectMail();
    this.#endings.listen(this.#onEnding);
    this.#earliestMs = Math.min(this.#earliestMs, deadlineMs);
    if (this.#earliestMs < this.#timerAtMs) this.#armLater();
    return promise;
  }

  /** The reply to a call. One that nobody waits for any more is dropped. */
  resolve(call: number, reply: unknown): void {
    this.#take(call)?.resolve(reply);
  }

  /** The failure that came in place of one. */
  fail(call: number, failure: unknown): void {
    const pending = this.#take(call);
    pending?.reject(thrownBy(failure, pending.what()));
  }

  /** Why there is none. */
  reject(call: number, error: unknown): void {
    this.#take(call)?.reject(error);
  }

  #take(call: number): Pending | undefined {
    const pending = this.#pending.get(call);
    if (pending === undefined) return undefined;
    this.#pending.delete(call);
    if (pending.signal !== undefined) offAbort(pending.signal, pending.abort);
    this.#mailroom.listen(); // the thread need not stay for it
    if (this.#pending.size === 0) this.#endings.forget(this.#onEnding);
    return pending;
  }

  #giveUp(call: number, reason: unknown): void {
    const pending = this.#take(call);
    if (pending === undefined) return;
    pending.reject(reason);
    pending.cancel();
  }

  /** Some owner has ended. What it replied before that may be on its way: so first what has arrived is delivered. */
  readonly #onEnding = (): void => {
    this.#ending = true;
    this.#mailroom.listen();
  };

  beforeDrain(): void {
    if (!this.#ending) return;
    this.#ending = false;
    for (const pending of this.#pending.values()) if (this.#isLeftAlone(pending.callee)) this.#doomed.push(pending);
  }

  #isLeftAlone({ slot, epoch, thread, threadEpoch }: Callee): boolean {
    const { owners } = this.#table;
    if (owners.epoch(thread) !== threadEpoch) return true;
    return !owners.livesOn(slot, epoch) && owners.endReason(slot, epoch) === EndReason.expired;
  }

  afterDrain(): void {
    if (this.#doomed.length === 0) return;
    for (const { call, what } of this.#doomed.splice(0)) {
      this.reject(call, new RegistryError('OWNER_DEAD', `${what()}: it ended before it replied`));
    }
  }

  #armLater(): void {
    if (this.#arms) return;
    void Promise.resolve().then(() => {
      this.#arms = false;
      this.#arm();
    });
    this.#arms = true;
  }

  /** One timer for the earliest deadline. It keeps nothing alive: the calls do. */
  #arm(): void {
    if (this.#earliestMs >= this.#timerAtMs || this.#pending.size === 0) return;
    clearTimeout(this.#timer);
    this.#timerAtMs = this.#earliestMs;
    const inMs = Math.ceil((this.#earliestMs - performance.now()) / DEADLINE_STEP_MS) * DEADLINE_STEP_MS;
    this.#timer = setTimeout(this.#onTimer, Math.min(Math.max(0, inMs), limits.timeoutMsMax)).unref();
  }

  readonly #onTimer = (): void => {
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    this.#earliestMs = Number.POSITIVE_INFINITY;
    const now = performance.now();
    for (const { call, deadlineMs, what } of [...this.#pending.values()]) {
      if (deadlineMs <= now) this.#giveUp(call, new RegistryError('TIMEOUT', `${what()}: no reply in time`));
      else this.#earliestMs = Math.min(this.#earliestMs, deadlineMs);
    }
    this.#arm();
  };

  /** The registry is closed in this thread. */
  end(): void {
    clearTimeout(this.#timer);
    for (const { call, what } of [...this.#pending.values()]) {
      this.reject(call, new RegistryError('CLOSED', `${what()}: the registry was closed`));
    }
  }
}
