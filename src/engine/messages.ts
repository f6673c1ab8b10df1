import { inspect } from 'node:util';
import { RegistryError } from '../shared/errors.ts';
import { RecordType } from '../shared/mailbox.ts';
import type { Body } from '../shared/message-body.ts';
import { quote } from '../shared/name-key.ts';
import type { Table } from '../shared/table.ts';
import { Balancer } from './balance.ts';
import { Calls } from './calls.ts';
import { Delivery } from './delivery.ts';
import type { Endings } from './endings.ts';
import type { Entry } from './entry.ts';
import type { Life } from './life.ts';
import { Mailroom, Sent } from './mailroom.ts';
import {
  type Address,
  type CallOptions,
  checkRouteOptions,
  noOptions,
  type RouteAsyncOptions,
  type RouteOptions,
} from './message-options.ts';
import { checkKnown, checkSignal } from './options.ts';
import { Outbox } from './outbox.ts';
import { checkOwner } from './parts.ts';
import { type MessageHandler, type ReceiveOptions, type Receiver, Receivers } from './receivers.ts';
import { type CallHandler, Services } from './service.ts';

/** @internal What messages ask of their registry. */
export interface MessagesHost {
  readonly table: Table;
  readonly life: Life;
  readonly endings: Endings;
  whereis(kind: string, id: string): Entry | undefined;
  list(kind: string): Iterable<Entry>;
}

/**
 * Messages between threads, through shared memory: to whoever has a name, or to an owner.
 *
 * Each pair of threads that talk has a lane, written by the one and read by the other without a lock. What one thread sends another
 * arrives in that order; urgent messages overtake others, and nothing overtakes them. Values arrive as `structuredClone` would copy them, byte arrays as
 * `Buffer`s; what only a transfer or sharing could move (ports, `SharedArrayBuffer`s) is refused. An owner takes messages from the
 * moment it calls `receive` or `serve`: until then, and after its end, senders are told so at once. Nothing is sent twice. What is on its way to an owner that
 * ends is dropped; a call to it is rejected.
 * @example
 * registry.messages.receive((message) => console.log(message)); // in the thread that serves
 * registry.register('server', 'billing');
 * registry.messages.route('server', 'billing', { invoice: 7 }); // in any thread
 */
export class Messages {
  readonly #host: MessagesHost;
  readonly #table: Table;
  readonly #mailroom: Mailroom;
  readonly #calls: Calls;
  readonly #services: Services;
  readonly #receivers: Receivers;
  readonly #outbox: Outbox;
  readonly #delivery: Delivery;

  /** @internal A part of each registry. */
  constructor(host: MessagesHost) {
    const { table, endings } = host;
    this.#host = host;
    this.#table = table;
    this.#mailroom = new Mailroom(table, endings, {
      deliver: (end, ring) => this.#delivery.deliver(end, ring),
      beforeDrain: () => this.#calls.beforeDrain(),
      afterDrain: () => {
        this.#calls.afterDrain();
        this.#receivers.afterDrain();
      },
      senderEnded: (end) => {
        this.#delivery.forget(end);
        this.#services.cancelAll(end);
      },
      keepsAlive: () => this.#calls.size > 0 || this.#receivers.keepAlive,
      closed: () => this.end(),
    });
    this.#calls = new Calls(table, this.#mailroom, endings);
    this.#services = new Services(table, this.#mailroom, endings);
    this.#receivers = new Receivers(table, this.#mailroom, endings);
    this.#outbox = new Outbox(table, this.#mailroom, this.#calls);
    this.#delivery = new Delivery(table, this.#calls, this.#services, this.#receivers);
  }

  /**
   * Sends a message to whoever has a name. Returns when it is in its thread's lane.
   * @throws {RegistryError} `NOT_FOUND` when nobody has the name, or its owner has just ended; `NOT_RECEIVING` when the owner takes
   *   no messages; `MAILBOX_FULL` when its thread has not read what it was sent; `MESSAGE_TOO_LARGE`, `INVALID_MESSAGE`,
   *   `INVALID_NAME`, `INVALID_OPTION`, `LANES_FULL`, `CLOSED`, `BUSY`
   */
  route(kind: string, id: string | Balancer, message: unknown, options: RouteOptions = noOptions): void {
    checkRouteOptions(options);
    const body = this.#outbox.body(message, options);
    if (typeof id !== 'string') {
      this.#toOne(kind, id, options, (owner, name) => this.#outbox.send(owner, kind, name, body, options));
    } else this.#outbox.send(this.#ownerOf(kind, id), kind, id, body, options); // with no closure made
  }

  /** The same to an owner. @throws {RegistryError} as `route` */
  routeTo(owner: Address, message: unknown, options: RouteOptions = noOptions): void {
    checkRouteOptions(options);
    this.#checkAddress(owner);
    this.#outbox.send(owner, undefined, '', this.#outbox.body(message, options), options);
  }

  /** `route` that waits while the lane is full, in its turn: messages sent later do not overtake it.
   *  @throws {RegistryError} as `route`, `NOT_FOUND` also when the owner ends meanwhile; `MAILBOX_FULL` only when 1,024 wait for that
   *    lane; `TIMEOUT`; the signal's reason */
  async routeAsync(
    kind: string,
    id: string | Balancer,
    message: unknown,
    options: RouteAsyncOptions = noOptions,
  ): Promise<void> {
    checkRouteOptions(options);
    const body = this.#outbox.body(message, options);
    await this.#toOne(kind, id, options, (owner, name) => this.#outbox.sendOrWait(owner, kind, name, body, options));
  }

  /** `routeTo` that waits while the lane is full. @throws {RegistryError} as `routeAsync` */
  async routeToAsync(owner: Address, message: unknown, options: RouteAsyncOptions = noOptions): Promise<void> {
    checkRouteOptions(options);
    this.#checkAddress(owner);
    await this.#outbox.sendOrWait(owner, undefined, '', this.#outbox.body(message, options), options);
  }

  /**
   * Sends a message to every owner that has a name of a kind, or to every owner of a list (of members of a group, entries,
   * owners), once each.
   * @returns how many it was sent to: those that take no messages, whose lane is full, for whom there is no lane any more, or that
   *   have ended are left out
   * @throws {RegistryError} `MESSAGE_TOO_LARGE`, `INVALID_MESSAGE`, `INVALID_NAME`, `INVALID_OPTION`, `CLOSED`, `BUSY`
   */
  broadcast(
    to: string | Iterable<Address | { readonly owner: Address }>,
    message: unknown,
    options: RouteOptions = noOptions,
  ): number {
    this.#host.life.checkOpen();
    checkRouteOptions(options);
    const body = this.#outbox.body(message, options);
    const owners = new Map<number, Address>();
    const add = (owner: Address) => {
      // Of a slot's tenants at most one lives; the others must not take its place.
      if (this.#table.owners.epoch(owner.slot) === owner.epoch) owners.set(owner.slot, owner);
    };
    if (typeof to === 'string') for (const { owner } of this.#host.list(to)) add(owner);
    else {
      if (typeof Object(to)[Symbol.iterator] !== 'function') {
        throw new RegistryError(
          'INVALID_OPTION',
          `a broadcast is to a kind or to a list of owners, not to ${inspect(to)}`,
        );
      }
      for (const one of to) {
        const owner = 'owner' in Object(one) ? (one as { readonly owner: Address }).owner : (one as Address);
        this.#checkAddress(owner);
        add(owner);
      }
    }
    let count = 0;
    for (const { slot, epoch } of owners.values()) {
      try {
        const sent = this.#mailroom.sendToOwner(slot, epoch, RecordType.message, 0, body, options.urgent === true);
        if (sent === Sent.done) count++;
      } catch (error) {
        if (!(error instanceof RegistryError && error.code === 'LANES_FULL')) throw error; // others have a lane already
      }
    }
    return count;
  }

  /**
   * Asks whoever has a name, and resolves with what its handler (`serve`) returns. `Reply` is what the caller knows of that:
   * nothing checks it.
   * @throws {RegistryError} as `route`; `OWNER_DEAD` when the owner has ended without a reply; `TIMEOUT`; `MAILBOX_FULL` also when 65,536 calls
   *   of this thread wait; the signal's reason
   * @throws {RemoteError} what the handler threw
   */
  call<Reply = unknown>(kind: string, id: string | Balancer, request: unknown, options?: CallOptions): Promise<Reply>;
  call(kind: string, id: string | Balancer, request: unknown, options: CallOptions = noOptions): Promise<unknown> {
    // Not an async function: its promise of its own would be a tenth of a call.
    try {
      checkRouteOptions(options);
      const body = this.#outbox.body(request, options);
      options.signal?.throwIfAborted(); // afterwards: a getter of the request may abort it
      if (typeof id === 'string') return this.#outbox.ask(this.#ownerOf(kind, id), kind, id, body, options);
      return this.#callOne(kind, id, body, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Asks one of several, and has the balancer know while that is under way. */
  async #callOne(kind: string, id: Balancer, body: Body, options: CallOptions): Promise<unknown> {
    const { reply, to } = this.#toOne(kind, id, options, (owner, name) => {
      return { reply: this.#outbox.ask(owner, kind, name, body, options), to: name };
    });
    id.begin(to);
    try {
      return await reply;
    } finally {
      id.end(to);
    }
  }

  /** The same with an owner. @throws as `call` */
  callTo<Reply = unknown>(owner: Address, request: unknown, options?: CallOptions): Promise<Reply>;
  callTo(owner: Address, request: unknown, options: CallOptions = noOptions): Promise<unknown> {
    try {
      checkRouteOptions(options);
      const body = this.#outbox.body(request, options);
      options.signal?.throwIfAborted();
      this.#checkAddress(owner);
      return this.#outbox.ask(owner, undefined, '', body, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Has messages handled, in the order in which each sender sent them. One handler an owner.
   *  @throws {RegistryError} `INVALID_OPTION`, `OWNER_DEAD`, `CLOSED` */
  receive<Message = unknown>(handler: MessageHandler<Message>, options: ReceiveOptions = {}): Receiver {
    return this.#addReceiver('message', handler as MessageHandler, options);
  }

  /** Has calls handled. One handler an owner. A handler may close its owner: replies that are there in that turn of the event loop arrive,
   *  the callers of others get `OWNER_DEAD`. (Who closes the registry, or ends its thread, replies no more.) @throws {RegistryError} `INVALID_OPTION`, `OWNER_DEAD`, `CLOSED`
   *  @example registry.messages.serve(({ add: [a, b] }: { add: [number, number] }) => a + b) */
  serve<Request = unknown>(handler: CallHandler<Request>, options: ReceiveOptions = {}): Receiver {
    return this.#addReceiver('call', handler as CallHandler, options);
  }

  #addReceiver(role: 'message' | 'call', handler: MessageHandler | CallHandler, options: ReceiveOptions): Receiver {
    this.#host.life.checkOpen();
    checkKnown(options, ['owner', 'onError', 'signal']);
    checkSignal(options.signal);
    options.signal?.throwIfAborted();
    if (typeof handler !== 'function') {
      throw new RegistryError('INVALID_OPTION', `the handler is ${inspect(handler)}: a function`);
    }
    if (options.onError !== undefined && typeof options.onError !== 'function') {
      throw new RegistryError('INVALID_OPTION', `onError is ${inspect(options.onError)}: a function`);
    }
    if (options.owner !== undefined) checkOwner(this.#table, options.owner);
    return this.#receivers.add(role, options.owner ?? this.#table, handler, options);
  }

  /** @internal An owner of this thread has been closed. */
  ownerEnded(slot: number, epoch: number): void {
    this.#receivers.ownerEnded(slot, epoch);
  }

  /** @internal The registry is closed in this thread. */
  end(): void {
    this.#mailroom.end();
    this.#calls.end();
    this.#services.end();
    this.#receivers.end();
  }

  /** Does it with the owner of a name; of several, with the first of which it can be done. */
  #toOne<Result>(
    kind: string,
    id: string | Balancer,
    { key }: RouteOptions,
    act: (owner: Address, id: string) => Result,
  ): Result {
    if (typeof id === 'string') return act(this.#ownerOf(kind, id), id);
    if (!(id instanceof Balancer))
      throw new RegistryError('INVALID_OPTION', `${inspect(id)} is no id: a string, or balance(…)`);
    let failure: unknown;
    for (const candidate of id.candidates(key)) {
      try {
        return act(this.#ownerOf(kind, candidate), candidate);
      } catch (error) {
        const code = error instanceof RegistryError ? error.code : '';
        if (!['NOT_FOUND', 'NOT_RECEIVING', 'MAILBOX_FULL'].includes(code)) throw error;
        failure ??= error;
      }
    }
    throw failure;
  }

  #ownerOf(kind: string, id: string): Address {
    const entry = this.#host.whereis(kind, id);
    if (entry !== undefined) return entry.owner;
    throw new RegistryError('NOT_FOUND', `${kind} ${quote(id)} is not registered`);
  }

  /** @throws {RegistryError} `INVALID_OPTION`, `CLOSED` */
  #checkAddress(owner: Address): void {
    this.#host.life.checkOpen();
    const { threadsMax, ownersMax } = this.#table.owners;
    const isSlot = Number.isInteger(owner?.slot) && owner.slot >= 0 && owner.slot < threadsMax + ownersMax;
    if (isSlot && Number.isInteger(owner.epoch)) return;
    throw new RegistryError('INVALID_OPTION', `${inspect(owner)} is no owner: pass an Owner, or an entry's owner`);
  }
}
