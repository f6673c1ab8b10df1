import { BellState } from '../shared/bell.ts';
import { corrupt, isCorrupt, RegistryError } from '../shared/errors.ts';
import type { ReceivingEnd, SendingEnd } from '../shared/lanes.ts';
import { Takes } from '../shared/layout.ts';
import { limits } from '../shared/limits.ts';
import { type Deliver, RecordType } from '../shared/mailbox.ts';
import type { Body } from '../shared/message-body.ts';
import type { RingWriter } from '../shared/ring.ts';
import type { Table } from '../shared/table.ts';
import type { Endings } from './endings.ts';

/** How a record was sent. */
export const Sent = { done: 0, full: 1, dead: 2, notReceiving: 3, notServing: 4, closed: 5 } as const;
export type Sent = (typeof Sent)[keyof typeof Sent];

/** A record that waits for room in its ring. */
interface Waiting {
  readonly lane: SendingEnd;
  readonly type: number;
  readonly slot: number;
  readonly epoch: number;
  readonly call: number;
  readonly body: Body;
  /** Told how it was sent, once. */
  readonly done: (sent: Sent) => void;
}

/** What the mailroom does its work for. */
export interface MailroomHost {
  readonly deliver: Deliver;
  /** Before what has arrived is looked at, and after it was found to be all: what has ended by the first can have sent nothing
   *  more by the second. */
  beforeDrain(): void;
  afterDrain(): void;
  /** All that a sender had sent is delivered, and it has ended. */
  senderEnded(end: ReceivingEnd): void;
  /** Whether the thread has to stay alive for what may come. */
  keepsAlive(): boolean;
  /** The registry was closed, or its memory is corrupt: nothing more comes. */
  closed(): void;
}

/**
 * A thread's part in sending and receiving that needs its event loop.
 *
 * Idle, it has exactly one `Atomics.waitAsync` outstanding, on the thread's bell: an idle thread uses no processor, and
 * nothing piles up however often it is woken. From the first message on it looks once a turn (`setImmediate`), until
 * there was nothing for `limits.lingerMs`. A turn delivers a bounded number, so that a flooded thread still serves its sockets.
 *
 * Calls of the application may be cut off by a `vm` time-out. So they only note what they want, and timers and the
 * wait are set up in a promise of their own.
 */
export class Mailroom {
  readonly #table: Table;
  readonly #endings: Endings;
  readonly #host: MailroomHost;
  /** In the order in which they came. Sets: any of them may be taken back, and 65,536 cancelled calls may wait. */
  readonly #waiting = new Map<RingWriter, Set<Waiting>>();
  /** Some owner has ended: one that waits behind others may wait for it. */
  #ending = false;
  /** A wait for the bell is outstanding. */
  #waits = false;
  /** A turn is scheduled. */
  #polls = false;
  #ended = false;
  #mailAtMs = 0;
  /** How many tenancies had ended when lanes of the dead were looked for. */
  #deathsSeen = -1;
  #lingers = false;
  #lingerSkips = 0;
  #lingerBackOff = 0;
  #turnEndsMs = 0;
  #exhausted = false;
  #held = false;
  #alive: NodeJS.Timeout | undefined;
  #looks = false;
  /** It is about to look, as `listen` asked it to. */
  #wakes = false;

  constructor(table: Table, endings: Endings, host: MailroomHost) {
    this.#table = table;
    this.#endings = endings;
    this.#host = host;
  }

  /** Sends a record to an owner, if it lives and takes such.
   *  @throws {RegistryError} `LANES_FULL`, `CLOSED`, `BUSY`, `CORRUPT` */
  sendToOwner(slot: number, epoch: number, type: number, call: number, body: Body, urgent: boolean): Sent {
    const { owners } = this.#table;
    const thread = owners.thread(slot);
    const threadEpoch = owners.threadEpoch(slot);
    // Read before it is known to live, so they are of this tenancy.
    const obstacle = this.#obstacle(slot, epoch, type);
    if (obstacle !== Sent.done) return obstacle;
    return this.#send(thread, threadEpoch, type, slot, epoch, call, body, urgent);
  }

  /** Sends a record to a thread, whether it takes messages or not: what it waits for.
   *  @throws {RegistryError} `LANES_FULL`, `CLOSED`, `BUSY`, `CORRUPT` */
  sendToThread(slot: number, epoch: number, type: number, call: number, body: Body): Sent {
    if (this.#table.owners.epoch(slot) !== epoch) return Sent.dead;
    return this.#send(slot, epoch, type, slot, epoch, call, body, false);
  }

  /** Why a record of that type is not for that owner; `done` when it is. */
  #obstacle(slot: number, epoch: number, type: number): Sent {
    const { owners } = this.#table;
    if (!owners.alive(slot, epoch)) return Sent.dead;
    if (type === RecordType.message && !owners.takes(slot, epoch, Takes.messages)) return Sent.notReceiving;
    if (type === RecordType.call && !owners.takes(slot, epoch, Takes.calls)) return Sent.notServing;
    return Sent.done;
  }

  #send(
    thread: number,
    threadEpoch: number,
    type: number,
    slot: number,
    epoch: number,
    call: number,
    body: Body,
    urgent: boolean,
  ): Sent {
    this.#lookLater();
    const { mailbox } = this.#table;
    const lane = mailbox.laneTo(thread, threadEpoch);
    const writer = urgent ? lane.urgent : lane.normal;
    if (this.#waiting.size > 0 && this.#waiting.has(writer)) return Sent.full; // those that wait came first
    return mailbox.send(lane, writer, type, slot, epoch, call, body) ? Sent.done : Sent.full;
  }

  /** If this send is cut off before its ring, the ring is made up for. */
  #lookLater(): void {
    if (this.#looks) return;
    void Promise.resolve().then(() => {
      this.#looks = false;
      this.#table.mailbox.ringAgain();
    });
    this.#looks = true;
  }

  /** Sends a record as soon as there is room, after those that wait already. `done` is told.
   *  @returns what takes it back; undefined when too many wait */
  sendLater(
    slot: number,
    epoch: number,
    type: number,
    call: number,
    body: Body,
    urgent: boolean,
    done: (sent: Sent) => void,
    bounded = true,
  ): (() => void) | undefined {
    const { owners, mailbox } = this.#table;
    const [thread, threadEpoch] = [owners.thread(slot), owners.threadEpoch(slot)];
    if (thread >>> 0 >= owners.threadsMax) throw corrupt(`thread ${thread} of owner ${slot}`);
    const lane = mailbox.laneTo(thread, threadEpoch);
    const writer = urgent ? lane.urgent : lane.normal;
    const queue = this.#waiting.get(writer) ?? new Set();
    if (bounded && queue.size >= limits.waitingMax) return undefined;
    const waiting: Waiting = { lane, type, slot, epoch, call, body: body.keep(), done };
    if (queue.size === 0) {
      mailbox.wanting.set(writer, body.byteLength);
      this.#waiting.set(writer, queue);
    }
    queue.add(waiting);
    this.#endings.listen(this.#onEnding);
    this.listen();
    return () => {
      queue.delete(waiting);
      this.listen(); // the next may fit
    };
  }

  /** A thread that is stopped reads nothing, so there is no room, and no bell, to tell of an owner of it that has ended. */
  readonly #onEnding = (): void => {
    this.#ending = true;
    this.listen();
  };

  /** Sends what waits and fits now; after an ending all that wait are looked at, and those are told that wait in vain. */
  #flush(): void {
    const { mailbox } = this.#table;
    const all = this.#ending;
    this.#ending = false;
    for (const [writer, queue] of this.#waiting) {
      let full = false;
      for (const waiting of queue) {
        const { lane, type, slot, epoch, call, body, done } = waiting;
        const obstacle = this.#obstacle(slot, epoch, type);
        if (obstacle === Sent.done) {
          full ||= !mailbox.send(lane, writer, type, slot, epoch, call, body);
          if (full && all) continue;
          if (full) break;
        }
        queue.delete(waiting);
        done(obstacle);
      }
      const [first] = queue;
      if (first !== undefined) mailbox.wanting.set(writer, first.body.byteLength);
      else {
        this.#waiting.delete(writer);
        mailbox.wanting.delete(writer);
      }
    }
    if (this.#waiting.size === 0) this.#endings.forget(this.#onEnding);
  }

  /** From now on what arrives is delivered; now is a good moment to look. */
  listen(): void {
    if (this.#polls || this.#ended || this.#wakes) return;
    void Promise.resolve().then(() => {
      this.#wakes = false;
      this.#wake();
    });
    this.#wakes = true;
  }

  /** The same when something is expected soon. */
  expectMail(): void {
    if (this.#polls || !this.#waits || this.#lingerSkips === 0) {
      this.listen();
      return;
    }
    this.#lingerSkips--; // it sleeps, and will be rung
    if (!this.#held) void Promise.resolve().then(() => this.#keepAlive());
  }

  #wake(): void {
    if (this.#polls || this.#ended) return;
    this.#table.mailbox.wakeUp();
    this.#mailAtMs = performance.now();
    this.#turn();
  }

  readonly #turn = (): void => {
    this.#polls = true; // what is delivered need not ask for a turn
    let again = true;
    try {
      again = this.#work() || !this.#sleep();
    } catch (error) {
      if (!isCorrupt(error)) throw error;
      warnOfCorruption(error);
      this.#host.closed(); // nothing can be believed any more
    } finally {
      this.#polls = again && !this.#ended;
      if (this.#polls) setImmediate(this.#turn);
    }
  };

  /** @returns whether to look again in the next turn */
  #work(): boolean {
    if (this.#table.closed) this.#host.closed();
    if (this.#ended) return false;
    const delivered = this.#drain();
    if (this.#ended) return false; // by what was delivered
    const now = performance.now();
    if (delivered > 0) {
      if (this.#lingers) this.#lingerBackOff = 0;
      this.#mailAtMs = now;
      this.#lingers = false;
    }
    this.#freeLanes(delivered);
    this.#keepAlive();
    // Where several came at once more are on their way: to sleep now would have the sender wake this thread for each of them.
    return this.#exhausted || delivered > 1 || this.#linger(now);
  }

  /** Also while it is flooded: others come and go meanwhile, and each takes a lane. */
  #freeLanes(delivered: number): void {
    const { owners, mailbox } = this.#table;
    const deaths = owners.deaths();
    if (delivered > 0 && deaths === this.#deathsSeen) return;
    this.#deathsSeen = deaths;
    for (const end of mailbox.freeLanesOfTheDead()) this.#host.senderEnded(end);
  }

  /**
   * Whether to look once more before sleeping: if the next message comes at once, that spares waking. But the sender may be
   * waiting for this very processor. So when looking on was in vain, it is not tried the next times: 1, then 2, 4, … 64.
   */
  #linger(now: number): boolean {
    if (!this.#lingers) {
      if (this.#lingerSkips > 0) {
        this.#lingerSkips--;
        return false;
      }
      this.#lingers = true;
    }
    if (now - this.#mailAtMs < limits.lingerMs) return true;
    this.#lingers = false;
    this.#lingerBackOff = Math.min(this.#lingerBackOff * 2 || 1, limits.lingerSkipsMax);
    this.#lingerSkips = this.#lingerBackOff;
    return false;
  }

  #drain(): number {
    const { mailbox } = this.#table;
    this.#host.beforeDrain();
    this.#turnEndsMs = performance.now() + limits.drainTurnMs;
    this.#exhausted = false;
    const delivered = mailbox.drain(this.#host.deliver, warnOfCorruption, this.#goOn);
    if (this.#waiting.size > 0) this.#flush();
    if (!this.#exhausted) this.#host.afterDrain();
    return delivered;
  }

  readonly #goOn = (delivered: number): boolean => {
    this.#exhausted = this.#ended || delivered >= limits.drainTurnMessages || performance.now() >= this.#turnEndsMs;
    return !this.#exhausted;
  };

  /** @returns false when there is something to do after all */
  #sleep(): boolean {
    if (this.#ended) return true;
    const { control, mailbox } = this.#table;
    if (!mailbox.fallAsleep()) return false;
    if (this.#waits) return true; // the wait from before is for the same word
    const { async, value } = Atomics.waitAsync(control, mailbox.bellAt, BellState.asleep);
    if (!async) return false;
    this.#waits = true;
    void value.then(() => {
      this.#waits = false;
      this.#wake();
    });
    return true;
  }

  /** A timer that never comes, as a wait for a bell keeps no thread alive. */
  #keepAlive(): void {
    const holds = this.#waiting.size > 0 || this.#host.keepsAlive();
    if (holds === this.#held || this.#ended) return;
    this.#held = holds;
    this.#alive ??= setInterval(() => {}, limits.timeoutMsMax);
    if (holds) this.#alive.ref();
    else this.#alive.unref();
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Delivers nothing any more. (Who closes the registry has rung this thread's bell, so the wait ends, too.) */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#table.mailbox.end();
    this.#endings.forget(this.#onEnding);
    clearInterval(this.#alive);
    for (const queue of this.#waiting.values()) for (const { done } of queue) done(Sent.closed);
    this.#waiting.clear();
  }
}

function warnOfCorruption(error: unknown): void {
  process.emitWarning(`messages of one thread are lost: ${error}`, 'RollcallWarning');
}

export const servesNot = 'it takes no calls; it has to call serve first';

/** Why a record was not sent. `what` says to whom. */
export function notSent(sent: Sent, what: string): RegistryError {
  switch (sent) {
    case Sent.full:
      return new RegistryError('MAILBOX_FULL', `${what}: its thread has not read what it was sent; try again later`);
    case Sent.notReceiving:
      return new RegistryError('NOT_RECEIVING', `${what}: it takes no messages; it has to call receive first`);
    case Sent.notServing:
      return new RegistryError('NOT_RECEIVING', `${what}: ${servesNot}`);
    case Sent.closed:
      return new RegistryError('CLOSED', `${what}: the registry was closed while this waited`);
    default:
      return new RegistryError('NOT_FOUND', `${what}: it has ended`);
  }
}
