import { RegistryError } from '../shared/errors.ts';
import { limits } from '../shared/limits.ts';
import { RecordType } from '../shared/mailbox.ts';
import { Body } from '../shared/message-body.ts';
import { quote } from '../shared/name-key.ts';
import type { Table } from '../shared/table.ts';
import type { Calls } from './calls.ts';
import { type Mailroom, notSent, Sent } from './mailroom.ts';
import type { Address, CallOptions, RouteAsyncOptions, RouteOptions } from './message-options.ts';
import { offAbort, onAbort } from './signals.ts';

const nothing = new Body(undefined);

/** What one thread sends to owners, and how it waits for room and for replies. `kind` and `id` say for people whom it is about: a name, or
 *  (undefined) an owner that was addressed without one. */
export class Outbox {
  readonly #table: Table;
  readonly #mailroom: Mailroom;
  readonly #calls: Calls;
  readonly #messageBytesMax: number;

  constructor(table: Table, mailroom: Mailroom, calls: Calls) {
    this.#table = table;
    this.#mailroom = mailroom;
    this.#calls = calls;
    this.#messageBytesMax = table.mailbox.messageBytesMax;
  }

  /** @throws {RegistryError} `MESSAGE_TOO_LARGE`, `INVALID_MESSAGE` */
  body(message: unknown, { urgent }: RouteOptions): Body {
    const max = urgent ? Math.min(limits.urgentBytesMax, this.#messageBytesMax) : this.#messageBytesMax;
    const body = Body.within(message, max);
    if (body.byteLength <= max) return body;
    const which = urgent ? 'an urgent one may take' : 'messageBytesMax is';
    throw new RegistryError('MESSAGE_TOO_LARGE', `the message takes ${body.byteLength} bytes; ${which} ${max}`);
  }

  /** Sends a message, now. @throws {RegistryError} why it was not sent */
  send(owner: Address, kind: string | undefined, id: string, body: Body, options: RouteOptions): void {
    this.#send(owner, kind, id, RecordType.message, 0, body, options);
  }

  #send(
    owner: Address,
    kind: string | undefined,
    id: string,
    type: number,
    call: number,
    body: Body,
    { urgent }: RouteOptions,
  ): void {
    const sent = this.#mailroom.sendToOwner(owner.slot, owner.epoch, type, call, body, urgent === true);
    if (sent !== Sent.done) throw notSent(sent, describe(owner, kind, id));
  }

  /** Sends a message now, or as soon as there is room. @returns undefined when it was sent at once
   *  @throws {RegistryError} why it was not sent, and cannot wait; rejects with why it waited in vain */
  sendOrWait(
    owner: Address,
    kind: string | undefined,
    id: string,
    body: Body,
    options: RouteAsyncOptions,
  ): Promise<void> | undefined {
    const { signal, timeoutMs } = options;
    signal?.throwIfAborted();
    const { slot, epoch } = owner;
    const urgent = options.urgent === true;
    const type = RecordType.message;
    const sent = this.#mailroom.sendToOwner(slot, epoch, type, 0, body, urgent);
    if (sent === Sent.done) return undefined;
    const what = describe(owner, kind, id);
    if (sent !== Sent.full) throw notSent(sent, what);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const takeBack = this.#mailroom.sendLater(slot, epoch, type, 0, body, urgent, (sent) => {
      if (sent === Sent.done) resolve();
      else reject(notSent(sent, what));
    });
    if (takeBack === undefined) throw notSent(Sent.full, what);
    const giveUp = (reason: unknown) => {
      takeBack();
      reject(reason);
    };
    const abort = () => giveUp(signal?.reason);
    if (signal !== undefined) onAbort(signal, abort);
    let timer: NodeJS.Timeout | undefined;
    if (timeoutMs !== undefined) {
      // In a promise of its own: a `vm` time-out that cuts a timer's making off could break the event loop.
      void Promise.resolve().then(() => {
        const error = new RegistryError('TIMEOUT', `${what}: its lane was full for ${timeoutMs} ms`);
        timer = setTimeout(giveUp, timeoutMs, error);
      });
    }
    return promise.finally(() => {
      clearTimeout(timer);
      if (signal !== undefined) offAbort(signal, abort);
    });
  }

  /** Sends a call, now. @returns its reply @throws {RegistryError} why it was not sent */
  ask(owner: Address, kind: string | undefined, id: string, body: Body, options: CallOptions): Promise<unknown> {
    const { timeoutMs = limits.callTimeoutMs, signal } = options;
    const call = this.#calls.number();
    const { owners } = this.#table;
    const { slot, epoch } = owner;
    // Before it is sent: it is sent only to a tenancy that lives then, so they are of that one.
    const callee = { slot, epoch, thread: owners.thread(slot), threadEpoch: owners.threadEpoch(slot) };
    this.#send(owner, kind, id, RecordType.call, call, body, options);
    return this.#calls.expect(
      call,
      callee,
      () => describe(owner, kind, id),
      timeoutMs,
      signal,
      () => this.#cancel(callee, call),
    );
  }

  /** Tells a handler that nobody waits: as soon as there is room for it. */
  #cancel({ slot, epoch }: Address, call: number): void {
    if (this.#mailroom.ended) return;
    const sent = this.#mailroom.sendToOwner(slot, epoch, RecordType.cancel, call, nothing, false);
    if (sent === Sent.full) {
      this.#mailroom.sendLater(slot, epoch, RecordType.cancel, call, nothing, false, () => {}, false);
    }
  }
}

/** Whom an error is about: a name, or an owner that was addressed without one. */
const describe = ({ slot, epoch }: Address, kind?: string, id = ''): string =>
  kind === undefined ? `owner ${slot}, epoch ${epoch}` : `${kind} ${quote(id)}`;
