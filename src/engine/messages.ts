import { inspect } from 'node:util';
import { isCorrupt, RegistryError } from '../shared/errors.ts';
import { attempt } from '../shared/foreign.ts';
import type { ReceivingEnd } from '../shared/lanes.ts';
import { limits } from '../shared/limits.ts';
import { RecordType } from '../shared/mailbox.ts';
import { Body, readBody } from '../shared/message-body.ts';
import { quote } from '../shared/name-key.ts';
import type { RingReader } from '../shared/ring.ts';
import type { Table } from '../shared/table.ts';
import { Balancer } from './balance.ts';
import { Calls } from './calls.ts';
import type { Endings } from './endings.ts';
import type { Entry } from './entry.ts';
import { thrownBy } from './failure.ts';
import { Mailroom, notSent, Sent } from './mailroom.ts';
import {
  type Address,
  type CallOptions,
  checkRouteOptions,
  noOptions,
  type RouteAsyncOptions,
  type RouteOptions,
} from './message-options.ts';
import { checkObject, checkSignal } from './options.ts';
import { Owner } from './owner.ts';
import {
  type MessageContext,
  type MessageHandler,
  type ReceiveOptions,
  type Receiver,
  Receivers,
} from './receivers.ts';
import { type CallHandler, Services } from './service.ts';

/** @internal What messages ask of their registry. */
export interface MessagesHost {
  readonly table: Table;
  readonly endings: Endings;
  whereis(kind: string, id: string): Entry | undefined;
  list(kind: string): Iterable<Entry>;
}

const nothing = new Body(undefined);

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
  readonly #messageBytesMax: number;
  /** Contexts of messages, by the lane they come from: not urgent, and urgent. */
  readonly #contexts = new Map<ReceivingEnd, readonly [MessageContext, MessageContext]>();
  #lastEnd: ReceivingEnd | undefined;
  #lastContexts!: readonly [MessageContext, MessageContext];

  /** @internal A part of each registry. */
  constructor(host: MessagesHost) {
    this.#host = host;
    this.#table = host.table;
    this.#messageBytesMax = host.table.mailbox.messageBytesMax;
    this.#mailroom = new Mailroom(host.table, {
      deliver: (end, ring) => this.#deliver(end, ring),
      beforeDrain: () => this.#calls.beforeDrain(),
      afterDrain: () => {
        this.#calls.afterDrain();
        this.#receivers.afterDrain();
      },
      senderEnded: (end) => {
        this.#contexts.delete(end);
        this.#services.cancelAll(end);
      },
      keepsAlive: () => this.#calls.size > 0 || this.#receivers.keepAlive,
      closed: () => this.end(),
    });
    this.#calls = new Calls(host.table, this.#mailroom, host.endings);
    this.#services = new Services(this.#mailroom, this.#messageBytesMax);
    this.#receivers = new Receivers(host.table, this.#mailroom, host.endings);
  }

  /**
   * Sends a message to whoever has a name. Returns when it is in its thread's lane.
   * @throws {RegistryError} `NOT_FOUND` when nobody has the name, or its owner has just ended; `NOT_RECEIVING` when the owner takes
   *   no messages; `MAILBOX_FULL` when its thread has not read what it was sent; `MESSAGE_TOO_LARGE`, `INVALID_MESSAGE`,
   *   `INVALID_NAME`, `INVALID_OPTION`, `LANES_FULL`, `CLOSED`, `BUSY`
   */
  route(kind: string, id: string | Balancer, message: unknown, options: RouteOptions = noOptions): void {
    checkRouteOptions(options);
    const body = this.#body(message, options);
    if (typeof id !== 'string') {
      this.#toOne(kind, id, options, (owner, name) =>
        this.#send(owner, kind, name, RecordType.message, 0, body, options),
      );
    } else this.#send(this.#ownerOf(kind, id), kind, id, RecordType.message, 0, body, options); // with no closure made
  }

  /** The same to an owner. @throws {RegistryError} as `route` */
  routeTo(owner: Address, message: unknown, options: RouteOptions = noOptions): void {
    checkRouteOptions(options);
    this.#checkAddress(owner);
    this.#send(owner, undefined, '', RecordType.message, 0, this.#body(message, options), options);
  }

  /** `route` that waits while the lane is full, in its turn: messages sent later do not overtake it.
   *  @throws {RegistryError} as `route`; `MAILBOX_FULL` only when 1,024 wait for that lane; `TIMEOUT`; the signal's reason */
  async routeAsync(
    kind: string,
    id: string | Balancer,
    message: unknown,
    options: RouteAsyncOptions = noOptions,
  ): Promise<void> {
    checkRouteOptions(options);
    const body = this.#body(message, options);
    await this.#toOne(kind, id, options, (owner, name) => this.#sendOrWait(owner, kind, name, body, options));
  }

  /** `routeTo` that waits while the lane is full. @throws {RegistryError} as `routeAsync` */
  async routeToAsync(owner: Address, message: unknown, options: RouteAsyncOptions = noOptions): Promise<void> {
    checkRouteOptions(options);
    this.#checkAddress(owner);
    await this.#sendOrWait(owner, undefined, '', this.#body(message, options), options);
  }

  /**
   * Sends a message to every owner that has a name of a kind, or to every owner of a list (of members of a group, entries,
   * owners), once each.
   * @returns how many it was sent to: those that take no messages, whose lane is full, or that have ended are left out
   * @throws {RegistryError} `MESSAGE_TOO_LARGE`, `INVALID_MESSAGE`, `INVALID_NAME`, `INVALID_OPTION`, `LANES_FULL`, `CLOSED`, `BUSY`
   */
  broadcast(
    to: string | Iterable<Address | { readonly owner: Address }>,
    message: unknown,
    options: RouteOptions = noOptions,
  ): number {
    checkRouteOptions(options);
    const body = this.#body(message, options);
    const owners = new Map<number, Address>();
    const add = (owner: Address) => {
      // Of a slot's tenants at most one lives; the others must not take its place.
      if (this.#table.owners.epoch(owner.slot) === owner.epoch) owners.set(owner.slot, owner);
    };
    if (typeof to === 'string') for (const { owner } of this.#host.list(to)) add(owner);
    else {
      for (const one of to) {
        const owner = 'owner' in Object(one) ? (one as { readonly owner: Address }).owner : (one as Address);
        this.#checkAddress(owner);
        add(owner);
      }
    }
    let count = 0;
    for (const { slot, epoch } of owners.values()) {
      const sent = this.#mailroom.sendToOwner(slot, epoch, RecordType.message, 0, body, options.urgent === true);
      if (sent === Sent.done) count++;
    }
    return count;
  }

  /**
   * Asks whoever has a name, and resolves with what its handler (`serve`) returns. `Reply` is what the caller knows of that:
   * nothing checks it.
   * @throws {RegistryError} as `route`; `OWNER_DEAD` as soon as the owner has ended without a reply; `TIMEOUT`; `MAILBOX_FULL` also when 65,536 calls
   *   of this thread wait; the signal's reason
   * @throws {RemoteError} what the handler threw
   */
  call<Reply = unknown>(kind: string, id: string | Balancer, request: unknown, options?: CallOptions): Promise<Reply>;
  async call(
    kind: string,
    id: string | Balancer,
    request: unknown,
    options: CallOptions = noOptions,
  ): Promise<unknown> {
    checkRouteOptions(options);
    options.signal?.throwIfAborted();
    const body = this.#body(request, options);
    if (typeof id === 'string') return await this.#ask(this.#ownerOf(kind, id), kind, id, body, options);
    const { reply, to } = this.#toOne(kind, id, options, (owner, name) => {
      return { reply: this.#ask(owner, kind, name, body, options), to: name };
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
  async callTo(owner: Address, request: unknown, options: CallOptions = noOptions): Promise<unknown> {
    checkRouteOptions(options);
    options.signal?.throwIfAborted();
    this.#checkAddress(owner);
    return await this.#ask(owner, undefined, '', this.#body(request, options), options);
  }

  /** Has messages handled, in the order in which each sender sent them. One handler an owner.
   *  @throws {RegistryError} `INVALID_OPTION`, `OWNER_DEAD`, `CLOSED` */
  receive<Message = unknown>(handler: MessageHandler<Message>, options: ReceiveOptions = {}): Receiver {
    return this.#addReceiver('message', handler as MessageHandler, options);
  }

  /** Has calls handled. One handler an owner. (One that is to end by a call ends after its reply, as by `setImmediate`: callers of an owner that has
   *  ended wait no more.) @throws {RegistryError} `INVALID_OPTION`, `OWNER_DEAD`, `CLOSED`
   *  @example registry.messages.serve(({ add: [a, b] }: { add: [number, number] }) => a + b) */
  serve<Request = unknown>(handler: CallHandler<Request>, options: ReceiveOptions = {}): Receiver {
    return this.#addReceiver('call', handler as CallHandler, options);
  }

  #addReceiver(role: 'message' | 'call', handler: MessageHandler | CallHandler, options: ReceiveOptions): Receiver {
    this.#checkOpen();
    checkObject(options);
    checkSignal(options.signal);
    options.signal?.throwIfAborted();
    if (typeof handler !== 'function') {
      throw new RegistryError('INVALID_OPTION', `the handler is ${inspect(handler)}: a function`);
    }
    if (options.owner !== undefined && !Owner.belongs(options.owner, this.#table)) {
      throw new RegistryError('INVALID_OPTION', 'owner is not of this registry in this thread: use registry.owner()');
    }
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

  #body(message: unknown, { urgent }: RouteOptions): Body {
    const max = urgent ? Math.min(limits.urgentBytesMax, this.#messageBytesMax) : this.#messageBytesMax;
    const body = Body.within(message, max);
    if (body.byteLength <= max) return body;
    const which = urgent ? 'an urgent one may take' : 'messageBytesMax is';
    throw new RegistryError('MESSAGE_TOO_LARGE', `the message takes ${body.byteLength} bytes; ${which} ${max}`);
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

  #sendOrWait(
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
    const onAbort = () => giveUp(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
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
      signal?.removeEventListener('abort', onAbort);
    });
  }

  #ask(owner: Address, kind: string | undefined, id: string, body: Body, options: CallOptions): Promise<unknown> {
    const { timeoutMs = limits.callTimeoutMs, signal } = options;
    const call = this.#calls.number();
    this.#send(owner, kind, id, RecordType.call, call, body, options);
    return this.#calls.expect(
      call,
      owner,
      () => describe(owner, kind, id),
      timeoutMs,
      signal,
      () => this.#cancel(owner, call),
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

  #deliver(end: ReceivingEnd, ring: RingReader): void {
    const { type, slot, epoch, call } = ring;
    let value: unknown;
    try {
      value = readBody(ring.bytes, ring.bodyAt, ring.length, type >>> RecordType.encodingShift);
    } catch (error) {
      if (isCorrupt(error)) throw error;
      this.#lose(end, ring, error as RegistryError);
      return;
    }
    switch (type & RecordType.mask) {
      case RecordType.message: {
        const receiver = this.#receivers.of(slot, epoch)?.message;
        if (receiver !== undefined) handle(receiver, value, this.#contextsOf(end)[ring === end.urgent ? 1 : 0]);
        return;
      }
      case RecordType.call: {
        const receiver = this.#receivers.of(slot, epoch)?.call;
        const { from } = this.#contextsOf(end)[0];
        if (receiver !== undefined) this.#services.serve(end, call, receiver.handler as CallHandler, value, from);
        else this.#services.refuse(end, call, notSent(Sent.notReceiving, describe({ slot, epoch })));
        return;
      }
      case RecordType.reply:
        if (this.#isForThisThread(slot, epoch)) this.#calls.resolve(call, value);
        return;
      case RecordType.failure:
        if (this.#isForThisThread(slot, epoch)) this.#calls.reject(call, thrownBy(value));
        return;
      case RecordType.cancel:
        this.#services.cancel(end, call);
    }
  }

  /** One record that cannot be read: whoever waits for it is told, and the others go on. */
  #lose(end: ReceivingEnd, { type, slot, epoch, call }: RingReader, error: RegistryError): void {
    const is = type & RecordType.mask;
    if (is === RecordType.message) {
      const receiver = this.#receivers.of(slot, epoch)?.message;
      if (receiver !== undefined) void tell(receiver, error);
    } else if (is === RecordType.call) this.#services.refuse(end, call, error);
    else if (this.#isForThisThread(slot, epoch)) this.#calls.reject(call, error); // its reply, or failure
  }

  #isForThisThread(slot: number, epoch: number): boolean {
    return slot === this.#table.slot && epoch === this.#table.epoch;
  }

  #contextsOf(end: ReceivingEnd): readonly [MessageContext, MessageContext] {
    if (end === this.#lastEnd) return this.#lastContexts;
    let contexts = this.#contexts.get(end);
    if (contexts === undefined) {
      const { slot, epoch } = end;
      const from = Object.freeze({ threadId: this.#table.owners.threadIdOf(slot), slot, epoch });
      contexts = [Object.freeze({ from, urgent: false }), Object.freeze({ from, urgent: true })];
      this.#contexts.set(end, contexts);
    }
    this.#lastEnd = end;
    this.#lastContexts = contexts;
    return contexts;
  }

  #checkOpen(): void {
    if (this.#table.closed || this.#mailroom.ended) {
      throw new RegistryError('CLOSED', 'this registry is closed: open or attach another');
    }
  }

  /** @throws {RegistryError} `INVALID_OPTION`, `CLOSED` */
  #checkAddress(owner: Address): void {
    this.#checkOpen();
    const { threadsMax, ownersMax } = this.#table.owners;
    const isSlot = Number.isInteger(owner?.slot) && owner.slot >= 0 && owner.slot < threadsMax + ownersMax;
    if (isSlot && Number.isInteger(owner.epoch)) return;
    throw new RegistryError('INVALID_OPTION', `${inspect(owner)} is no owner: pass an Owner, or an entry's owner`);
  }
}

/** Whom an error is about: a name, or an owner that was addressed without one. */
const describe = ({ slot, epoch }: Address, kind?: string, id = ''): string =>
  kind === undefined ? `owner ${slot}, epoch ${epoch}` : `${kind} ${quote(id)}`;

/** Runs a handler of messages; what it throws, now or later, is its own receiver's. */
function handle(receiver: Receiver, message: unknown, context: MessageContext): void {
  try {
    const result = (receiver.handler as MessageHandler)(message, context) as Promise<unknown> | undefined;
    if (typeof result?.then === 'function') Promise.resolve(result).catch((error) => void tell(receiver, error));
  } catch (error) {
    void tell(receiver, error);
  }
}

async function tell(receiver: Receiver, error: unknown): Promise<void> {
  try {
    await receiver.onError(error); // what it returns may be a promise, whatever its type says
  } catch (another) {
    process.emitWarning(`onError failed: ${attempt(() => String(another), 'for no reason given')}`, 'RollcallWarning');
  }
}
