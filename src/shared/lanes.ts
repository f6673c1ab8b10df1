import { corrupt, RegistryError } from './errors.ts';
import { type ControlMap, Header, LINE_WORDS, RegistryState, Stamp, ThreadInfo } from './layout.ts';
import { limits } from './limits.ts';
import type { OwnerTable } from './owner-table.ts';
import type { Owners } from './owners.ts';
import { Ring, type RingPlace, RingReader, RingWriter, ringBytesFor, waitingIn } from './ring.ts';

/**
 * The lanes of a registry: one growable buffer, address space reserved, with a lane for each pair of threads of which one
 * has ever sent the other a message.
 *
 * ```
 * Stamp | messageBytesMax | used | lane 1 | lane 2 | …
 * lane = Lane words | urgent Ring words | normal Ring words | urgent ring | normal ring
 * ```
 * A lane belongs to a sender and a receiver: threads, each named by slot and epoch. It is opened by its sender under the
 * control lock, found by its receiver (whose `ThreadInfo.lanes` moves), and used without a lock. Who writes which word:
 * - `sender`, `senderEpoch`, `senderThreadId`, `receiver`, the rings' positions: the sender that opens it, while
 *   `receiverEpoch` is 0.
 * - `receiverEpoch`: the opening sender, last of all, by ONE store, which makes it a lane; the receiver, back to 0, once
 *   it has seen its sender dead, and afterwards the rings empty.
 * - `senderEpoch`: its sender, to NOBODY, once it has seen its receiver dead.
 * So a lane can be opened anew when its `receiverEpoch` is 0, or when neither of the two tenancies lives: no thread that
 * runs uses it. (Tenancies die only with their thread's end, or by its own detaching.) Who is killed while it opens a lane leaves
 * one that is 0, or one that nobody counts, or one whose sender is dead; none is lost, and nothing needs a journal.
 */
const LanesAt = { stamp: 0, messageBytesMax: Stamp.words, used: LINE_WORDS, words: 2 * LINE_WORDS } as const;
const Lane = {
  sender: 0,
  senderEpoch: 1,
  receiver: 2,
  receiverEpoch: 3,
  /** `worker_threads.threadId`: when the lane is read, the sender's row may be another thread's. */
  senderThreadId: 4,
  urgent: LINE_WORDS,
  normal: LINE_WORDS + Ring.words,
  words: LINE_WORDS + 2 * Ring.words,
} as const;
/** No tenancy has this epoch. */
const NOBODY = -1;
const LANES_FIRST = 4;

const urgentBytes = ringBytesFor(limits.urgentBytesMax);
const laneBytes = (messageBytesMax: number): number => Lane.words * 4 + urgentBytes + ringBytesFor(messageBytesMax);
/** So many lanes fit. */
export const lanesMax = (messageBytesMax: number): number =>
  Math.floor((limits.lanesBytesMax - LanesAt.words * 4) / laneBytes(messageBytesMax));
const bytesOf = (lanes: number, messageBytesMax: number): number =>
  LanesAt.words * 4 + lanes * laneBytes(messageBytesMax);

/** Allocates the lanes of a new registry. */
export function allocateLanes(messageBytesMax: number): SharedArrayBuffer {
  const maxByteLength = bytesOf(lanesMax(messageBytesMax), messageBytesMax);
  const buffer = new SharedArrayBuffer(LanesAt.words * 4, { maxByteLength });
  new Int32Array(buffer)[LanesAt.messageBytesMax] = messageBytesMax;
  return buffer;
}

/** Whether a buffer has the size that lanes of a registry have. */
export function areLanes(buffer: unknown): buffer is SharedArrayBuffer {
  if (!(buffer instanceof SharedArrayBuffer) || buffer.byteLength < LanesAt.words * 4) return false;
  const messageBytesMax = new Int32Array(buffer, 0, LanesAt.words)[LanesAt.messageBytesMax];
  if (messageBytesMax < 1 || messageBytesMax > limits.messageBytesMax) return false;
  return buffer.maxByteLength === bytesOf(lanesMax(messageBytesMax), messageBytesMax);
}

/** A thread's end of a lane: the other thread, and where its two rings lie. */
export interface LaneEnd {
  readonly number: number;
  readonly slot: number;
  readonly epoch: number;
  /** Where its words begin. */
  readonly at: number;
}

export interface SendingEnd extends LaneEnd {
  readonly urgent: RingWriter;
  readonly normal: RingWriter;
}

export interface ReceivingEnd extends LaneEnd {
  /** `worker_threads.threadId` of the sender. */
  readonly threadId: number;
  readonly urgent: RingReader;
  readonly normal: RingReader;
}

/** How full a lane is. */
export interface LaneFigures {
  /** The slots of the two threads. */
  readonly sender: number;
  readonly receiver: number;
  /** Whose lane it is: the receiver's slot may have another tenant by now. */
  readonly receiverEpoch: number;
  /** What was sent and not yet read, urgent or not. */
  readonly waitingBytes: number;
  /** How full the fuller of its two rings is, from 0 to 1. */
  readonly fullest: number;
}

/** One thread's way to the lanes. */
export class Lanes {
  readonly messageBytesMax: number;
  readonly #buffer: SharedArrayBuffer;
  readonly #control: Int32Array<SharedArrayBuffer>;
  readonly #map: ControlMap;
  readonly #owners: Owners;
  readonly #guard: OwnerTable;
  readonly #ringBytes: number;
  readonly #laneBytes: number;
  readonly #max: number;
  #words: Int32Array<SharedArrayBuffer>;
  #bytes: Buffer<SharedArrayBuffer>;
  /** Lanes to this thread that have an end here, and what `ThreadInfo.lanes` was when they were looked for. */
  readonly #known = new Set<number>();
  #looked = -1;

  constructor(
    buffer: SharedArrayBuffer,
    control: Int32Array<SharedArrayBuffer>,
    map: ControlMap,
    owners: Owners,
    guard: OwnerTable,
  ) {
    this.#buffer = buffer;
    this.#control = control;
    this.#map = map;
    this.#owners = owners;
    this.#guard = guard;
    this.#words = new Int32Array(buffer, 0, buffer.byteLength >>> 2);
    this.#bytes = Buffer.from(buffer, 0, this.#words.byteLength); // not the buffer's: it may have grown since
    this.messageBytesMax = this.#words[LanesAt.messageBytesMax];
    this.#ringBytes = ringBytesFor(this.messageBytesMax);
    this.#laneBytes = laneBytes(this.messageBytesMax);
    this.#max = lanesMax(this.messageBytesMax);
  }

  /** Position of a thread's bell in the control buffer. */
  bellAt(thread: number): number {
    return this.#map.threads + thread * ThreadInfo.words + ThreadInfo.bell;
  }

  /** Opens the lane from one tenancy of a thread to another, or finds the one that there is.
   *  @throws {RegistryError} `LANES_FULL`, `CLOSED`, `BUSY`, `CORRUPT` */
  open(sender: number, senderEpoch: number, receiver: number, receiverEpoch: number): SendingEnd {
    this.#guard.enter();
    try {
      const used = this.#used();
      let number = 0;
      let found = false;
      for (let n = 1; n <= used && !found; n++) {
        const words = this.#words;
        const at = this.#at(n);
        // One that this thread was cut off from, in the middle of this call.
        found =
          words[at + Lane.sender] === sender &&
          words[at + Lane.senderEpoch] === senderEpoch &&
          words[at + Lane.receiver] === receiver &&
          words[at + Lane.receiverEpoch] === receiverEpoch;
        if (found || (number === 0 && this.#isFree(at))) number = n;
      }
      if (!found) {
        number ||= used + 1;
        this.#reserve(number);
        // Looked at after the lane was found free: a registry that closes ends all its threads' tenancies while they run.
        if (Atomics.load(this.#control, Header.state) !== RegistryState.open) {
          throw new RegistryError('CLOSED', 'this registry is closed: open or attach another');
        }
        this.#assign(this.#at(number), sender, senderEpoch, receiver, receiverEpoch);
        if (number > used) Atomics.store(this.#words, LanesAt.used, number);
      }
      Atomics.add(this.#control, this.#map.threads + receiver * ThreadInfo.words + ThreadInfo.lanes, 1);
      const [urgent, normal] = this.#places(number);
      return {
        number,
        slot: receiver,
        epoch: receiverEpoch,
        at: this.#at(number),
        urgent: new RingWriter(urgent),
        normal: new RingWriter(normal),
      };
    } finally {
      this.#guard.leave();
    }
  }

  #assign(at: number, sender: number, senderEpoch: number, receiver: number, receiverEpoch: number): void {
    const words = this.#words;
    Atomics.store(words, at + Lane.receiverEpoch, 0);
    for (const ring of [at + Lane.urgent, at + Lane.normal]) {
      words[ring + Ring.tail] = 0;
      words[ring + Ring.head] = 0;
      words[ring + Ring.wanted] = 0;
    }
    words[at + Lane.sender] = sender;
    words[at + Lane.senderEpoch] = senderEpoch;
    words[at + Lane.senderThreadId] = this.#owners.threadIdOf(sender); // its own row, which it has while it runs
    words[at + Lane.receiver] = receiver;
    Atomics.store(words, at + Lane.receiverEpoch, receiverEpoch);
  }

  #isFree(at: number): boolean {
    const words = this.#words;
    const receiverEpoch = words[at + Lane.receiverEpoch];
    if (receiverEpoch === 0) return true;
    const sender = this.#threadAt(at + Lane.sender);
    const receiver = this.#threadAt(at + Lane.receiver);
    const senderLives = this.#owners.epoch(sender) === words[at + Lane.senderEpoch];
    return !senderLives && this.#owners.epoch(receiver) !== receiverEpoch;
  }

  /** New lanes to a tenancy of this thread: those that were not told before.
   *  @throws {RegistryError} `CORRUPT` */
  arrivals(receiver: number, receiverEpoch: number): ReceivingEnd[] {
    const count = Atomics.load(this.#control, this.#map.threads + receiver * ThreadInfo.words + ThreadInfo.lanes);
    if (count === this.#looked) return [];
    this.#looked = count;
    const found: ReceivingEnd[] = [];
    const used = this.#used();
    for (let number = 1; number <= used; number++) {
      const at = this.#at(number);
      const words = this.#words;
      // `receiverEpoch` first: who sees this one may believe the others, which stay until the receiver gives them back.
      if (Atomics.load(words, at + Lane.receiverEpoch) !== receiverEpoch || words[at + Lane.receiver] !== receiver)
        continue;
      if (this.#known.has(number)) continue;
      this.#known.add(number);
      const [urgent, normal] = this.#places(number);
      found.push({
        number,
        slot: this.#threadAt(at + Lane.sender),
        epoch: words[at + Lane.senderEpoch],
        threadId: words[at + Lane.senderThreadId],
        at,
        urgent: new RingReader(urgent),
        normal: new RingReader(normal),
      });
    }
    return found;
  }

  /** Whether lanes to this thread have been opened since `arrivals` looked. */
  hasArrivals(receiver: number): boolean {
    const count = Atomics.load(this.#control, this.#map.threads + receiver * ThreadInfo.words + ThreadInfo.lanes);
    return count !== this.#looked;
  }

  /** How many lanes were ever made: open ones, and those that can be opened again. @throws {RegistryError} `CORRUPT` */
  get count(): number {
    return this.#used();
  }

  get byteLength(): number {
    return this.#buffer.byteLength;
  }

  /** Every lane that is open, as somebody sees it who uses none of them: words are read, nothing is written.
   *  @throws {RegistryError} `CORRUPT` */
  figures(): LaneFigures[] {
    const found: LaneFigures[] = [];
    const used = this.#used();
    for (let number = 1; number <= used; number++) {
      const at = this.#at(number);
      if (this.#isFree(at)) continue;
      const [urgent, normal] = this.#places(number).map(waitingIn);
      found.push({
        sender: this.#threadAt(at + Lane.sender),
        receiver: this.#threadAt(at + Lane.receiver),
        receiverEpoch: this.#words[at + Lane.receiverEpoch],
        waitingBytes: urgent + normal,
        fullest: Math.max(urgent / urgentBytes, normal / this.#ringBytes),
      });
    }
    return found;
  }

  /** Its receiver has read all that a dead sender left: the lane can be opened by others. */
  giveBack({ number, at }: LaneEnd): void {
    this.#known.delete(number);
    Atomics.store(this.#words, at + Lane.receiverEpoch, 0);
  }

  /** Its sender has seen its receiver dead, and writes to it no more. */
  leave({ at }: LaneEnd): void {
    Atomics.store(this.#words, at + Lane.senderEpoch, NOBODY);
  }

  #at(number: number): number {
    return LanesAt.words + (number - 1) * (this.#laneBytes >>> 2);
  }

  #places(number: number): [urgent: RingPlace, normal: RingPlace] {
    const words = this.#words;
    const bytes = this.#bytes;
    const at = this.#at(number);
    const from = (at + Lane.words) * 4;
    return [
      { words, bytes, at: at + Lane.urgent, from, size: urgentBytes },
      { words, bytes, at: at + Lane.normal, from: from + urgentBytes, size: this.#ringBytes },
    ];
  }

  /** How many lanes there are, which the views cover afterwards. */
  #used(): number {
    const used = Atomics.load(this.#words, LanesAt.used);
    if (used < 0 || used > this.#max) throw corrupt(`${used} lanes`);
    this.#cover(used);
    return used;
  }

  #cover(lanes: number): void {
    const end = bytesOf(lanes, this.messageBytesMax);
    if (end <= this.#bytes.length) return;
    const length = this.#buffer.byteLength;
    if (end > length) throw corrupt(`${lanes} lanes in ${length} bytes`);
    this.#words = new Int32Array(this.#buffer, 0, length >>> 2);
    this.#bytes = Buffer.from(this.#buffer, 0, length);
  }

  /** Called under the lock: two racing `grow` calls would throw. */
  #reserve(number: number): void {
    const bytes = bytesOf(number, this.messageBytesMax);
    if (number <= this.#max && bytes > this.#buffer.byteLength) {
      const more = bytesOf(Math.min(Math.max(LANES_FIRST, number * 2), this.#max), this.messageBytesMax);
      try {
        this.#buffer.grow(more);
      } catch {} // the system has no memory: told below
    }
    if (bytes > this.#buffer.byteLength) {
      throw new RegistryError(
        'LANES_FULL',
        `${this.#used()} pairs of threads talk already, of ${this.#max}: let fewer talk, or lower messageBytesMax; the lane of a sender ` +
          'that has ended is free once its receiver has had a turn of its event loop to read it',
      );
    }
    this.#cover(number);
  }

  #threadAt(at: number): number {
    const thread = this.#words[at];
    if (thread >>> 0 >= this.#owners.threadsMax) throw corrupt(`a lane of thread ${thread}`);
    return thread;
  }
}
