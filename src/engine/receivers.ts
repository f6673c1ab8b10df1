import { inspect } from 'node:util';
import { RegistryError } from '../shared/errors.ts';
import { attempt } from '../shared/foreign.ts';
import { Takes } from '../shared/layout.ts';
import type { Table } from '../shared/table.ts';
import type { Endings } from './endings.ts';
import type { OwnerInfo } from './entry.ts';
import type { Mailroom } from './mailroom.ts';
import type { Owner } from './owner.ts';
import type { CallHandler } from './service.ts';
import { offAbort, onAbort } from './signals.ts';

/** What a handler of messages is told besides the message. */
export interface MessageContext {
  /** The thread that sent it; `messages.routeTo` answers it, if it receives. */
  readonly from: OwnerInfo;
  readonly urgent: boolean;
}

/** Handles messages. What it throws, or the promise it returns rejects with, goes to `onError` and hurts nobody else.
 *  `Message` is what it knows of its senders: nothing checks it. */
export type MessageHandler<Message = unknown> = (message: Message, context: MessageContext) => unknown;

/** How messages or calls are received. */
export interface ReceiveOptions {
  /** Whose; by default this thread's own. */
  readonly owner?: Owner | undefined;
  /** Ends it when it aborts. */
  readonly signal?: AbortSignal | undefined;
  /** Told what a handler of messages throws, and of a message that cannot be read (`INVALID_MESSAGE`); by default it becomes a process warning. (What a handler of calls throws goes to
   *  the caller.) */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** What an owner's messages and calls are handled by. */
export interface Handlers {
  readonly epoch: number;
  message: Receiver | undefined;
  call: Receiver | undefined;
}

/**
 * A handler at work. Like a `MessagePort` that is listened to, it keeps its thread alive until it is closed, its owner has ended,
 * or `unref` was called.
 */
export class Receiver implements Disposable {
  readonly #close: (receiver: Receiver) => void;
  readonly #keep: (receiver: Receiver, keeps: boolean) => void;
  /** @internal */
  readonly handler: MessageHandler | CallHandler;
  /** @internal */
  readonly onError: (error: unknown) => void;
  #closed = false;

  /** @internal Made by `messages.receive` and `messages.serve`. */
  constructor(
    handler: MessageHandler | CallHandler,
    onError: ((error: unknown) => void) | undefined,
    keep: (receiver: Receiver, keeps: boolean) => void,
    close: (receiver: Receiver) => void,
  ) {
    this.#keep = keep;
    this.handler = handler;
    this.onError = onError ?? warn;
    this.#close = close;
    this.ref();
  }

  /** It keeps the thread alive. */
  ref(): this {
    if (!this.#closed) this.#keep(this, true);
    return this;
  }

  /** It does not. */
  unref(): this {
    this.#keep(this, false);
    return this;
  }

  /** Receives nothing any more: senders are told `NOT_RECEIVING`, so are calls that are on their way, and messages that are on theirs are
   *  dropped. Calls that were taken are answered. Closing twice is no error. */
  close(): void {
    if (this.#closed) return;
    this.unref();
    this.#closed = true;
    this.#close(this);
  }

  /** For `using`. */
  [Symbol.dispose](): void {
    this.close();
  }
}

function warn(error: unknown): void {
  // What was thrown may be anything, also what has no text.
  const what = attempt(
    () => String(error instanceof Error ? error.stack : inspect(error)),
    'of something that has no text',
  );
  process.emitWarning(`a message handler failed: ${what}`, 'RollcallWarning');
}

const takenBy = ({ message, call }: Handlers): number =>
  (message === undefined ? 0 : Takes.messages) | (call === undefined ? 0 : Takes.calls);

/** The owners of this thread that take messages, by slot. */
export class Receivers {
  readonly #table: Table;
  readonly #mailroom: Mailroom;
  readonly #endings: Endings;
  readonly #bySlot = new Map<number, Handlers>();
  /** Those that keep the thread alive. */
  readonly #keeping = new Set<Receiver>();
  #ending = false;

  constructor(table: Table, mailroom: Mailroom, endings: Endings) {
    this.#table = table;
    this.#mailroom = mailroom;
    this.#endings = endings;
  }

  /** @throws {RegistryError} `INVALID_OPTION` when the owner has a handler of that kind; `OWNER_DEAD` */
  add(
    role: 'message' | 'call',
    { slot, epoch }: { readonly slot: number; readonly epoch: number },
    handler: MessageHandler | CallHandler,
    { onError, signal }: ReceiveOptions,
  ): Receiver {
    const { owners } = this.#table;
    if (!owners.alive(slot, epoch)) throw new RegistryError('OWNER_DEAD', 'receive: the owner has been closed');
    let handlers = this.#bySlot.get(slot);
    if (handlers?.epoch !== epoch) {
      handlers = { epoch, message: undefined, call: undefined };
      this.#bySlot.set(slot, handlers);
    }
    if (handlers[role] !== undefined) {
      throw new RegistryError('INVALID_OPTION', `this owner has a handler of ${role}s: close that one first`);
    }
    const of = handlers;
    const receiver = new Receiver(handler, onError, this.#keep, (closed) => {
      if (signal !== undefined) offAbort(signal, close);
      if (of[role] === closed) of[role] = undefined;
      owners.setTakes(slot, epoch, takenBy(of));
      if (takenBy(of) === Takes.nothing && this.#bySlot.get(slot) === of) this.#bySlot.delete(slot);
    });
    const close = () => receiver.close();
    if (signal !== undefined) onAbort(signal, close);
    handlers[role] = receiver;
    if (slot >= owners.threadsMax) this.#endings.listen(this.#onEnding);
    owners.setTakes(slot, epoch, takenBy(handlers)); // last: who is sent something from now on has a handler for it
    return receiver;
  }

  readonly #keep = (receiver: Receiver, keeps: boolean): void => {
    if (keeps) this.#keeping.add(receiver);
    else this.#keeping.delete(receiver);
    this.#mailroom.listen();
  };

  /** Whether one of them keeps the thread alive. */
  get keepAlive(): boolean {
    return this.#keeping.size > 0;
  }

  /** What handles what that owner gets, if it lives. */
  of(slot: number, epoch: number): Handlers | undefined {
    const handlers = this.#bySlot.get(slot);
    return handlers?.epoch === epoch && this.#table.owners.alive(slot, epoch) ? handlers : undefined;
  }

  /** Some owner has ended. One of this thread need not have been closed here: its time may be over. */
  readonly #onEnding = (): void => {
    this.#ending = true;
    this.#mailroom.listen();
  };

  afterDrain(): void {
    if (!this.#ending) return;
    this.#ending = false;
    const { owners } = this.#table;
    let living = 0;
    for (const [slot, { epoch }] of this.#bySlot) {
      if (slot < owners.threadsMax) continue; // the thread itself
      if (owners.livesOn(slot, epoch)) living++;
      else this.ownerEnded(slot, epoch);
    }
    if (living === 0) this.#endings.forget(this.#onEnding);
  }

  /** An owner of this thread has ended: its handlers keep nothing alive. */
  ownerEnded(slot: number, epoch: number): void {
    const handlers = this.#bySlot.get(slot);
    if (handlers?.epoch !== epoch) return;
    handlers.message?.close();
    handlers.call?.close();
  }

  end(): void {
    this.#endings.forget(this.#onEnding);
    for (const handlers of [...this.#bySlot.values()]) {
      handlers.message?.close();
      handlers.call?.close();
    }
  }
}
