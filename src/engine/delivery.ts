import { isCorrupt, type RegistryError } from '../shared/errors.ts';
import { attempt } from '../shared/foreign.ts';
import type { ReceivingEnd } from '../shared/lanes.ts';
import { RecordType } from '../shared/mailbox.ts';
import { readBody } from '../shared/message-body.ts';
import type { RingReader } from '../shared/ring.ts';
import type { Table } from '../shared/table.ts';
import type { Calls } from './calls.ts';
import type { MessageContext, MessageHandler, Receiver, Receivers } from './receivers.ts';
import type { CallHandler, Services } from './service.ts';

/** Where what arrives goes: messages and calls to their handlers, replies to the calls that wait for them. */
export class Delivery {
  readonly #table: Table;
  readonly #calls: Calls;
  readonly #services: Services;
  readonly #receivers: Receivers;
  /** Contexts of messages, by the lane they come from: not urgent, and urgent. */
  readonly #contexts = new Map<ReceivingEnd, readonly [MessageContext, MessageContext]>();
  #lastEnd: ReceivingEnd | undefined;
  #lastContexts!: readonly [MessageContext, MessageContext];

  constructor(table: Table, calls: Calls, services: Services, receivers: Receivers) {
    this.#table = table;
    this.#calls = calls;
    this.#services = services;
    this.#receivers = receivers;
  }

  /** One record, while its bytes stand. @throws {RegistryError} `CORRUPT` */
  deliver(end: ReceivingEnd, ring: RingReader): void {
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
        const callee = { slot, epoch };
        if (receiver === undefined) this.#services.refuseUnserved(end, call, callee);
        else this.#services.serve(end, call, receiver.handler as CallHandler, value, from, callee);
        return;
      }
      case RecordType.reply:
        if (this.#isForThisThread(slot, epoch)) this.#calls.resolve(call, value);
        return;
      case RecordType.failure:
        if (this.#isForThisThread(slot, epoch)) this.#calls.fail(call, value);
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
      const { threadId, slot, epoch } = end;
      const from = Object.freeze({ threadId, slot, epoch });
      contexts = [Object.freeze({ from, urgent: false }), Object.freeze({ from, urgent: true })];
      this.#contexts.set(end, contexts);
    }
    this.#lastEnd = end;
    this.#lastContexts = contexts;
    return contexts;
  }

  /** All that its sender had sent is delivered, and it has ended. */
  forget(end: ReceivingEnd): void {
    this.#contexts.delete(end);
  }
}

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
