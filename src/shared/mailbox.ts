import { BellState, ring, wake } from './bell.ts';
import { isCorrupt } from './errors.ts';
import { type LaneFigures, type Lanes, lanesMax, type ReceivingEnd, type SendingEnd } from './lanes.ts';
import { limits } from './limits.ts';
import type { Body } from './message-body.ts';
import type { Owners } from './owners.ts';
import type { RingReader, RingWriter } from './ring.ts';

/** Types of records. */
export const RecordType = {
  message: 1,
  call: 2,
  reply: 3,
  failure: 4,
  cancel: 5,
  mask: 0xff,
  encodingShift: 8,
} as const;

/** Told each record that arrived, while its bytes stand. */
export type Deliver = (from: ReceivingEnd, ring: RingReader) => void;

/** What `drain` does it with, and how far it has come. */
interface Turn {
  readonly deliver: Deliver;
  readonly onCorrupt: (error: unknown) => void;
  readonly goOn: (delivered: number) => boolean;
  delivered: number;
  /** There is no time for another slice. */
  over: boolean;
}

/** A thread's sending and receiving: its ends of all lanes, and its bell. */
export class Mailbox {
  readonly messageBytesMax: number;
  readonly #lanes: Lanes;
  readonly #control: Int32Array<SharedArrayBuffer>;
  readonly #owners: Owners;
  readonly #slot: number;
  readonly #epoch: number;
  /** By the receiving thread's slot. */
  readonly #sending: (SendingEnd | undefined)[] = [];
  #receiving: ReceivingEnd[] = [];
  /** Writers that wait for room, with the size of the body that each waits for. */
  readonly wanting = new Map<RingWriter, number>();
  #ended = false;
  /** A thread that was sent something and not yet rung; -1: none. */
  #unrung = -1;

  constructor(lanes: Lanes, control: Int32Array<SharedArrayBuffer>, owners: Owners, slot: number, epoch: number) {
    this.messageBytesMax = lanes.messageBytesMax;
    this.#lanes = lanes;
    this.#control = control;
    this.#owners = owners;
    this.#slot = slot;
    this.#epoch = epoch;
  }

  /** The registry is about to be closed in this thread, maybe by what was just delivered. From then on a lane whose sender is dead is
   *  anybody's: nothing more is read of it, and no head is stored. */
  end(): void {
    this.#ended = true;
  }

  /** Every lane that is open, whose ever it is, and how full: for people. @throws {RegistryError} `CORRUPT` */
  lanes(): LaneFigures[] {
    return this.#lanes.figures();
  }

  get lanesMax(): number {
    return lanesMax(this.messageBytesMax);
  }

  get laneBytes(): number {
    return this.#lanes.byteLength;
  }

  /** Position of this thread's bell. */
  get bellAt(): number {
    return this.#lanes.bellAt(this.#slot);
  }

  /** This thread's end of the lane to another, opened when there is none.
   *  @throws {RegistryError} `LANES_FULL`, `CLOSED`, `BUSY`, `CORRUPT` */
  laneTo(thread: number, threadEpoch: number): SendingEnd {
    const end = this.#sending[thread];
    if (end !== undefined && end.epoch === threadEpoch) return end;
    return this.#open(thread, threadEpoch);
  }

  #open(thread: number, threadEpoch: number): SendingEnd {
    for (const [slot, end] of this.#sending.entries()) {
      if (end === undefined || this.#owners.epoch(slot) === end.epoch) continue;
      // First: what is left is not used again, also not to ask for room in it.
      this.#sending[slot] = undefined;
      this.wanting.delete(end.urgent);
      this.wanting.delete(end.normal);
      this.#lanes.leave(end);
    }
    const end = this.#lanes.open(this.#slot, this.#epoch, thread, threadEpoch);
    this.#sending[thread] = end;
    return end;
  }

  /**
   * Sends a record: its body, then its publication, then the bell.
   * @param slot the owner it is for, and its epoch: what the slot's next tenant must never get
   * @param call the call it belongs to; 0: none
   * @returns false when there is no room. The body must not be larger than the ring takes.
   */
  send(
    lane: SendingEnd,
    writer: RingWriter,
    type: number,
    slot: number,
    epoch: number,
    call: number,
    body: Body,
  ): boolean {
    if (this.#unrung !== -1) this.ringAgain();
    const at = writer.reserve(body.byteLength);
    if (at === -1) return false;
    body.write(writer.bytes, at);
    this.#unrung = lane.slot;
    writer.publish(body.byteLength, type | (body.encoding << RecordType.encodingShift), slot, epoch, call);
    ring(this.#control, this.#lanes.bellAt(lane.slot));
    this.#unrung = -1;
    return true;
  }

  /** Wakes the receiver of a message whose sending was cut off (a `vm` time-out) before its ring. */
  ringAgain(): void {
    if (this.#unrung === -1) return;
    wake(this.#control, this.#lanes.bellAt(this.#unrung));
    this.#unrung = -1;
  }

  /** Wakes every thread: somebody has ended, perhaps between a message and its ring. */
  wakeAll(): void {
    for (let slot = 0; slot < this.#owners.threadsMax; slot++) wake(this.#control, this.#lanes.bellAt(slot));
  }

  /**
   * Delivers what has arrived: urgent records of all lanes first, and again after each slice of the others.
   * @param onCorrupt told of a lane that cannot be read; it is left alone from then on
   * @param goOn asked after each slice, urgent or not, with how many were delivered, whether there is time for another
   * @returns how many were delivered
   */
  drain(deliver: Deliver, onCorrupt: (error: unknown) => void, goOn: (delivered: number) => boolean): number {
    this.#welcome();
    const turn: Turn = { deliver, onCorrupt, goOn, delivered: 0, over: false };
    for (let before = -1; before !== turn.delivered && !turn.over; ) {
      before = turn.delivered;
      const ends = this.#receiving;
      this.#drainAllUrgent(turn);
      for (const end of ends) {
        if (turn.over) break;
        if (this.#drainNormal(end, turn)) this.#drainAllUrgent(turn);
      }
    }
    return turn.delivered;
  }

  #drainAllUrgent(turn: Turn): void {
    for (const end of this.#receiving) {
      if (turn.over) return;
      this.#drainUrgent(end, turn);
    }
  }

  /** What a lane has of urgent records now, and nothing later: no more than its ring takes. It is looked at anew, as what the turn
   *  before saw and left is not all. */
  #drainUrgent(end: ReceivingEnd, turn: Turn): void {
    end.urgent.lookAgain();
    while (this.#deliver(end, end.urgent, turn) && !turn.over);
  }

  /** A slice of what is not urgent. What its sender sent before, and is urgent, comes first: who has seen the tail of the one ring
   *  sees the tail that the other had then. So a slice is of what was seen before that look, and of nothing later.
   *  @returns whether it had any */
  #drainNormal(end: ReceivingEnd, turn: Turn): boolean {
    if (!end.normal.look()) return false;
    this.#drainUrgent(end, turn);
    return !turn.over && this.#deliver(end, end.normal, turn);
  }

  /** Delivers a slice of what was seen of one ring, and gives its bytes back. @returns whether it had any */
  #deliver(end: ReceivingEnd, reader: RingReader, turn: Turn): boolean {
    const { deliver } = turn;
    let count = 0;
    try {
      while (count < limits.drainSliceRecords && !this.#ended && reader.next()) {
        count++;
        deliver(end, reader);
      }
    } catch (error) {
      if (!isCorrupt(error)) throw error;
      turn.delivered += count;
      this.#receiving = this.#receiving.filter((other) => other !== end);
      turn.onCorrupt(error);
      return false;
    }
    if (count === 0) return false;
    if (this.#ended) {
      turn.over = true;
      return false;
    }
    if (reader.release()) ring(this.#control, this.#lanes.bellAt(end.slot));
    turn.delivered += count;
    turn.over = !turn.goOn(turn.delivered);
    if (turn.over) this.#beginAfter(end);
    return true;
  }

  /** The next turn begins with those that had none in this one. */
  #beginAfter(end: ReceivingEnd): void {
    const next = this.#receiving.indexOf(end) + 1;
    this.#receiving = [...this.#receiving.slice(next), ...this.#receiving.slice(0, next)];
  }

  #welcome(): void {
    if (!this.#lanes.hasArrivals(this.#slot)) return;
    for (const end of this.#lanes.arrivals(this.#slot, this.#epoch)) this.#receiving.push(end);
  }

  /** Gives back the lanes whose sender has ended and whose records are all read. @returns those senders */
  freeLanesOfTheDead(): ReceivingEnd[] {
    const freed: ReceivingEnd[] = [];
    for (const end of this.#receiving) {
      // Its end is looked at first: nothing is sent after it.
      if (this.#owners.epoch(end.slot) === end.epoch) continue;
      if (!end.urgent.hasMore() && !end.normal.hasMore()) freed.push(end);
    }
    if (freed.length === 0) return freed;
    this.#receiving = this.#receiving.filter((end) => !freed.includes(end));
    for (const end of freed) this.#lanes.giveBack(end);
    return freed;
  }

  /** Says that this thread sleeps, then looks once more. @returns whether it may wait for its bell now */
  fallAsleep(): boolean {
    Atomics.store(this.#control, this.bellAt, BellState.asleep);
    if (!this.#hasWork()) return true;
    this.wakeUp();
    return false;
  }

  /** Says that it is awake: nobody need ring. */
  wakeUp(): void {
    Atomics.store(this.#control, this.bellAt, BellState.awake);
  }

  #hasWork(): boolean {
    if (this.#lanes.hasArrivals(this.#slot)) return true;
    for (const { urgent, normal } of this.#receiving) if (urgent.hasMore() || normal.hasMore()) return true;
    for (const [writer, bytes] of this.wanting) if (writer.wantRoom(bytes)) return true;
    return false;
  }
}
