import { BellState } from '../../src/shared/bell.ts';
import { ControlMap, Header } from '../../src/shared/layout.ts';
import { defaults } from '../../src/shared/limits.ts';
import { RecordType } from '../../src/shared/mailbox.ts';
import { allocateTable, type TableBuffers } from '../../src/shared/table.ts';
import { collectTables } from '../support/collect.ts';
import type { SteppedSource } from './load.ts';
import { $isKilled, $run, $shared, $wait, type Access } from './runtime.ts';

/* Virtual threads that send and receive. What `Mailroom` does with timers and promises they do in the same order: drain, fall
 * asleep, wait for the bell, drain again. */

export type MessageOperation =
  /** Sends a text to a thread, and waits while there is no room. */
  | { readonly op: 'send'; readonly to: number; readonly text: string; readonly urgent?: boolean }
  /** Receives until it has had so many in all, or none of the threads lives that might send. */
  | { readonly op: 'receive'; readonly count: number }
  /** That thread has ended: its epoch, its locks, and everybody is woken. Waits until the kernel says so, if `killed`. */
  | { readonly op: 'bury'; readonly thread: number; readonly killed?: boolean }
  /** The row of a dead thread is freed. */
  | { readonly op: 'reclaim'; readonly thread: number }
  /** What a thread does in the turns after it was cut off. */
  | { readonly op: 'ringAgain' }
  /** Looks whether there is a message for it: `hasMail`. */
  | { readonly op: 'look' }
  /** It takes a row, and with it another identity. */
  | { readonly op: 'attach' };

export type Steps<T> = Generator<Access, T, string | undefined>;

const THREADS_MAX = 6;
const ROWS = THREADS_MAX + 1;
const OWNERS_MAX = 1;

/** A message as it arrived. */
export interface Received {
  readonly from: number;
  readonly text: string;
  readonly urgent: boolean;
}

export class MessageWorld {
  readonly #source: SteppedSource;
  readonly buffers: TableBuffers;
  readonly control: Int32Array<SharedArrayBuffer>;
  readonly map = new ControlMap(1, ROWS, OWNERS_MAX);
  actors: MessageActor[] = [];

  constructor(source: SteppedSource) {
    collectTables(1);
    this.#source = source;
    this.buffers = allocateTable({
      ...defaults,
      shards: 1,
      entriesPerShardMax: 2,
      threadsMax: THREADS_MAX,
      ownersMax: OWNERS_MAX,
      configBytesMax: 64,
      valueBytesPerShardMax: 1 << 18,
      messageBytesMax: 64,
    });
    this.control = new Int32Array(this.buffers.control);
    this.control[Header.hashKey] = 1;
    $shared(this.control);
    $shared(new Int32Array(this.buffers.lanes));
  }

  /** Threads that know nothing yet. What they write when they attach is to be undone. */
  begin(threads: number): void {
    this.actors = Array.from({ length: threads }, (_, thread) => new MessageActor(this.#source, this, thread));
  }
}

/** One virtual thread. */
export class MessageActor {
  // biome-ignore lint/suspicious/noExplicitAny: classes of the stepped source
  [part: string]: any;
  readonly thread: number;
  readonly received: Received[] = [];
  /** Texts whose sending has returned, with the tenancy they were sent to. */
  readonly sent: { readonly to: number; readonly epoch: number; readonly text: string; readonly urgent: boolean }[] =
    [];
  slot = -1;
  epoch = -1;
  /** Somebody has buried it. */
  buried = false;
  hasMail = false;
  /** The operation that it is at. */
  performed = 0;

  constructor(source: SteppedSource, world: MessageWorld, thread: number) {
    this.thread = thread;
    this.world = world;
    this.source = source;
    const { control, map } = world;
    this.owners = new source.Owners(control, map, ROWS, OWNERS_MAX);
    this.ownerTable = new source.OwnerTable(control, map, this.owners);
  }

  *perform(operation: MessageOperation): Steps<void> {
    switch (operation.op) {
      case 'attach':
        return yield* this.#attach();
      case 'send':
        return yield* this.#send(operation.to, operation.text, operation.urgent === true);
      case 'receive':
        return yield* this.#receive(operation.count);
      case 'bury':
        return yield* this.#bury(this.world.actors[operation.thread], operation.killed === true);
      case 'ringAgain':
        yield* this.mailbox.ringAgain();
        do
          yield* this.ownerTable.recoverFrom(this.slot, this.epoch); // others ask for what it abandoned, again and again
        while (this.ownerTable.lock.holder === this.slot);
        return;
      case 'look':
        this.hasMail = (yield* this.#drain()) > 0;
        return;
      case 'reclaim': {
        const { slot, epoch } = this.world.actors[operation.thread];
        yield* this.ownerTable.reclaim(slot, epoch + 1);
      }
    }
  }

  *#attach(): Steps<void> {
    const { source, world } = this;
    $run(this.thread);
    this.slot = yield* this.ownerTable.claimThread();
    if (this.slot === -1) throw new Error('no row is free');
    this.epoch = yield* this.owners.epoch(this.slot);
    this.ownerTable.lock.hold(this.slot, this.epoch);
    const lanes = new source.Lanes(world.buffers.lanes, world.control, world.map, this.owners, this.ownerTable);
    this.mailbox = new source.Mailbox(lanes, world.control, this.owners, this.slot, this.epoch);
  }

  *#send(to: number, text: string, urgent: boolean): Steps<void> {
    const { slot, epoch } = this.world.actors[to];
    const { owners, mailbox } = this;
    const body = new this.source.Body(text);
    for (;;) {
      if (!(yield* owners.alive(slot, epoch))) return;
      const lane = yield* mailbox.laneTo(slot, epoch);
      const writer = urgent ? lane.urgent : lane.normal;
      if (yield* mailbox.send(lane, writer, RecordType.message, slot, epoch, 0, body)) break;
      mailbox.wanting.set(writer, body.byteLength);
      yield* this.#drain();
      yield* this.#sleep();
      mailbox.wanting.clear();
    }
    this.sent.push({ to, epoch, text, urgent });
  }

  *#receive(count: number): Steps<void> {
    for (;;) {
      const delivered = yield* this.#drain();
      if (this.received.length >= count) return;
      if (delivered === 0) yield* this.#sleep();
    }
  }

  /** One turn. @returns how many messages it delivered */
  *#drain(): Steps<number> {
    const { received, mailbox } = this;
    // biome-ignore lint/suspicious/noExplicitAny: ends and readers of the stepped source
    const deliver = (end: any, reader: any) => {
      const { slot, epoch, type, bodyAt, length, bytes } = reader;
      const addressed = slot === this.slot && epoch === this.epoch && (type & RecordType.mask) === RecordType.message;
      if (!addressed) throw new Error(`thread ${this.thread} gets mail for ${slot} at ${epoch}`);
      const sender = this.world.actors.find(
        ({ slot, epoch }: MessageActor) => slot === end.slot && epoch === end.epoch,
      );
      if (sender === undefined) throw new Error(`a message comes from nobody: ${end.slot} at ${end.epoch}`);
      const text = bytes.toString('latin1', bodyAt, bodyAt + length);
      received.push({ from: sender.thread, text, urgent: reader === end.urgent });
    };
    const fail = (error: unknown) => {
      throw error;
    };
    const delivered = yield* mailbox.drain(deliver, fail, () => true);
    if (delivered === 0) yield* mailbox.freeLanesOfTheDead();
    return delivered;
  }

  *#sleep(): Steps<void> {
    const { mailbox, world } = this;
    if (!(yield* mailbox.fallAsleep())) return;
    yield* $wait(world.control, mailbox.bellAt, BellState.asleep) as Steps<string>;
    yield* mailbox.wakeUp();
  }

  *#bury(other: MessageActor, killed: boolean): Steps<void> {
    if (killed && !(yield* $isKilled(other.thread))) return;
    const { slot, epoch } = other;
    yield* this.owners.kill(slot, epoch);
    yield* this.mailbox.wakeAll();
    yield* this.ownerTable.recoverFrom(slot, epoch);
    other.buried = true;
  }
}
