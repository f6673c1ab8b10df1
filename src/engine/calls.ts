import { RegistryError } from '../shared/errors.ts';
import { limits } from '../shared/limits.ts';
import type { Table } from '../shared/table.ts';
import type { Endings } from './endings.ts';
import type { Mailroom } from './mailroom.ts';

/** A call that waits for its reply. */
interface Pending {
  readonly call: number;
  readonly slot: number;
  readonly epoch: number;
  /** Whom it asks, for errors. */
  readonly what: () => string;
  readonly deadlineMs: number;
  readonly resolve: (reply: unknown) => void;
  readonly reject: (error: unknown) => void;
  /** Tells the handler that nobody waits any more. */
  readonly cancel: () => void;
  readonly signal: AbortSignal | undefined;
  readonly onAbort: () => void;
}

/** Milliseconds by which a time-out may come late: one timer serves many calls. */
const DEADLINE_STEP_MS = 10;

/** The calls of this thread that wait for their reply: each is settled once, by reply, failure, death, abort or time-out. */
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
  /** Those whose target had ended when this turn began. */
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
    owner: { readonly slot: number; readonly epoch: number },
    what: () => string,
    timeoutMs: number,
    signal: AbortSignal | undefined,
    cancel: () => void,
  ): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const deadlineMs = performance.now() + timeoutMs;
    const onAbort = () => this.#giveUp(call, signal?.reason);
    const { slot, epoch } = owner;
    this.#pending.set(call, { call, slot, epoch, what, deadlineMs, resolve, reject, cancel, signal, onAbort });
    signal?.addEventListener('abort', onAbort, { once: true });
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

  /** Why there is none. */
  reject(call: number, error: unknown): void {
    this.#take(call)?.reject(error);
  }

  #take(call: number): Pending | undefined {
    const pending = this.#pending.get(call);
    if (pending === undefined) return undefined;
    this.#pending.delete(call);
    pending.signal?.removeEventListener('abort', pending.onAbort);
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
    const { owners } = this.#table;
    for (const pending of this.#pending.values()) {
      if (!owners.alive(pending.slot, pending.epoch)) this.#doomed.push(pending);
    }
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
