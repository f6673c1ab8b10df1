import { RegistryError } from '../shared/errors.ts';
import type { ReceivingEnd } from '../shared/lanes.ts';
import { RecordType } from '../shared/mailbox.ts';
import { Body } from '../shared/message-body.ts';
import type { Table } from '../shared/table.ts';
import type { Endings } from './endings.ts';
import type { OwnerInfo } from './entry.ts';
import { failureBody, refusalBody } from './failure.ts';
import { type Mailroom, Sent, servesNot } from './mailroom.ts';
import type { Address } from './message-options.ts';

/** What a handler of calls is told besides the request. */
export interface CallContext {
  /** The thread that calls. */
  readonly from: OwnerInfo;
  /** Aborts when the caller waits no more: it aborted, its time was over, or it ended. */
  readonly signal: AbortSignal;
}

/** Handles calls: what it returns, or the promise it returns resolves with, is the reply; what it throws is thrown by the call.
 *  `Request` is what it knows of its callers: nothing checks it. */
export type CallHandler<Request = unknown> = (request: Request, context: CallContext) => unknown;

/** A call that is being handled. Its signal is made when somebody asks for it: most handlers never do. */
class Service implements CallContext {
  readonly from: OwnerInfo;
  /** Whose handler is asked. */
  readonly callee: Address;
  #controller: AbortController | undefined;
  #aborted = false;

  constructor(from: OwnerInfo, callee: Address) {
    this.from = from;
    this.callee = callee;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#aborted) this.#controller.abort();
    return this.#controller.signal;
  }

  abort(): void {
    this.#aborted = true;
    this.#controller?.abort();
  }
}

/**
 * Runs handlers of calls and sends their replies. A reply that is there in the task in which the owner was closed leaves;
 * then the callers of those under way are told that there will be none.
 */
export class Services {
  readonly #table: Table;
  readonly #mailroom: Mailroom;
  readonly #endings: Endings;
  readonly #messageBytesMax: number;
  /** Calls under way, by their caller's lane and number. */
  readonly #underWay = new Map<ReceivingEnd, Map<number, Service>>();

  constructor(table: Table, mailroom: Mailroom, endings: Endings) {
    this.#table = table;
    this.#mailroom = mailroom;
    this.#endings = endings;
    this.#messageBytesMax = table.mailbox.messageBytesMax;
  }

  /** Runs a handler; its reply is sent whenever it has one. Never throws. */
  serve(
    end: ReceivingEnd,
    call: number,
    handler: CallHandler,
    request: unknown,
    from: OwnerInfo,
    callee: Address,
  ): void {
    const service = new Service(from, callee);
    let result: unknown;
    let later: boolean;
    try {
      result = handler(request, service);
      later = typeof (result as Promise<unknown> | undefined)?.then === 'function'; // which may be a getter that throws
    } catch (error) {
      this.#fail(end, call, error);
      return;
    }
    if (later) void this.#replyLater(end, call, service, result);
    else this.#reply(end, call, result);
  }

  async #replyLater(end: ReceivingEnd, call: number, service: Service, result: unknown): Promise<void> {
    const calls = this.#underWay.get(end) ?? new Map<number, Service>();
    this.#underWay.set(end, calls.set(call, service));
    this.#endings.listen(this.#onEnding);
    let reply: unknown;
    let failure: { readonly thrown: unknown } | undefined;
    try {
      reply = await result;
    } catch (thrown) {
      failure = { thrown };
    }
    if (!this.#takeOut(end, call, service)) return; // the caller was told that there is none
    if (failure === undefined) this.#reply(end, call, reply);
    else this.#fail(end, call, failure.thrown);
  }

  /** Takes a call from those under way. @returns whether it was one */
  #takeOut(end: ReceivingEnd, call: number, service: Service): boolean {
    const calls = this.#underWay.get(end);
    if (calls?.get(call) !== service) return false;
    calls.delete(call);
    if (calls.size === 0) this.#underWay.delete(end);
    if (this.#underWay.size === 0) this.#endings.forget(this.#onEnding);
    return true;
  }

  /** Some owner has ended. This is another task than the one that closed it: what that had ready has been replied, promises included. */
  readonly #onEnding = (): void => {
    for (const [end, calls] of [...this.#underWay]) {
      for (const [call, service] of [...calls]) {
        const { slot, epoch } = service.callee;
        if (!this.#table.owners.livesOn(slot, epoch)) this.#abandon(end, call, service);
      }
    }
  };

  #abandon(end: ReceivingEnd, call: number, service: Service): void {
    if (!this.#takeOut(end, call, service)) return;
    this.refuse(end, call, ownerEnded());
    service.abort();
  }

  /** The caller waits no more. */
  cancel(end: ReceivingEnd, call: number): void {
    this.#underWay.get(end)?.get(call)?.abort();
  }

  /** The caller's thread has ended. */
  cancelAll(end: ReceivingEnd): void {
    const calls = this.#underWay.get(end) ?? new Map<number, Service>();
    for (const [call, service] of [...calls]) if (this.#takeOut(end, call, service)) service.abort();
  }

  end(): void {
    for (const end of [...this.#underWay.keys()]) this.cancelAll(end);
  }

  #reply(end: ReceivingEnd, call: number, reply: unknown): void {
    try {
      const body = Body.within(reply, this.#messageBytesMax);
      if (body.byteLength > this.#messageBytesMax) {
        const why = `the reply takes ${body.byteLength} bytes; messageBytesMax is ${this.#messageBytesMax}`;
        throw new RegistryError('MESSAGE_TOO_LARGE', why);
      }
      this.#send(end, RecordType.reply, call, body);
    } catch (error) {
      if (error instanceof RegistryError) this.refuse(end, call, error);
      else this.#fail(end, call, error);
    }
  }

  #fail(end: ReceivingEnd, call: number, error: unknown): void {
    this.#send(end, RecordType.failure, call, failureBody(error, this.#messageBytesMax));
  }

  /** The owner that is called has no handler of calls. */
  refuseUnserved(end: ReceivingEnd, call: number, { slot, epoch }: Address): void {
    const lives = this.#table.owners.livesOn(slot, epoch);
    this.refuse(end, call, lives ? new RegistryError('NOT_RECEIVING', servesNot) : ownerEnded());
  }

  /** Tells the caller of an error of ours. */
  refuse(end: ReceivingEnd, call: number, error: RegistryError): void {
    this.#send(end, RecordType.failure, call, refusalBody(error, this.#messageBytesMax));
  }

  /** Replies are not refused for want of room: the caller waits for them, and has asked for no more than it may. */
  #send(end: ReceivingEnd, type: number, call: number, body: Body): void {
    if (this.#mailroom.ended) return;
    try {
      const sent = this.#mailroom.sendToThread(end.slot, end.epoch, type, call, body);
      if (sent === Sent.full) this.#mailroom.sendLater(end.slot, end.epoch, type, call, body, false, () => {}, false);
    } catch (error) {
      // Nobody is there to catch it: the caller is told nothing, and its time runs out.
      process.emitWarning(`a reply could not be sent: ${error}`, 'RollcallWarning');
    }
  }
}

const ownerEnded = (): RegistryError => new RegistryError('OWNER_DEAD', 'it ended before it replied');
