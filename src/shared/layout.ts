import { assert } from './errors.ts';
import { kindRows } from './internal-kinds.ts';
import { limits } from './limits.ts';
import { Monitor } from './monitor-layout.ts';

/**
 * Where every word lives.
 *
 * ```
 * control (one fixed SharedArrayBuffer, 32-bit words)
 *   Header | control block | shard blocks × shards | thread infos × threadsMax | owner rows × (threadsMax + ownersMax)
 *   | kind rows × kindRows | monitors × shards | counters
 * per shard, three growable SharedArrayBuffers
 *   records   16-word records, addressed by id; they never move
 *   index     a line, then 32-bit words: tag << 20 | record id
 *   arena     16 KiB pages: of each group of 512 the first holds the rows of all, the others values and long names
 * each begins with a Stamp: in the line of record 0, in the row of page 0, neither of which is ever used
 * ```
 * All positions are in words unless the name says bytes.
 */
export const LINE_WORDS = 16; // one 64-byte cache line

export const MAGIC = 0x526f6c6c; // "Roll"
export const LAYOUT_VERSION = 3;

/** The first words of each of a shard's buffers: what it belongs to, and as what. */
export const Stamp = { identity: 0, shard: 4, part: 5, words: 6 } as const;

/** The first words of the control buffer. Written once by `allocateTable` before any other thread can know the buffer,
 *  except for the lines marked with their writer. */
export const Header = {
  magic: 0,
  layoutVersion: 1,
  shards: 2,
  threadsMax: 3,
  ownersMax: 4,
  entriesPerShardMax: 5,
  configBytesMax: 6,
  pagesPerShardMax: 7,
  /** Two words: the secret key of the name hash. */
  hashKey: 8,
  /** Four words: the registry's random identity. */
  identity: 10,
  /** A line apart from those that never change. `RegistryState`, written once more, by `close`. */
  state: 16,
  /** Number of kind rows that are complete. Written under the control lock, after the row. */
  kinds: 17,
  /** 1 once a name was ever monitored: never taken back, so that nobody's death leaves it wrong. */
  namesMonitored: 18,
  /** A line for asking: how often a coordinator was started. See workers/coordinator-link.ts. */
  coordinatorGeneration: 32,
  /** How often the coordinator was asked for something: it waits for the next time. */
  requests: 33,
  /** How often it was asked to have locks given back that may be abandoned. Counted before `requests`. */
  lockRequests: 34,
  /** A read-mostly line: the bell of those who watch for changes. Anybody, by compareExchange: see watch-bell.ts. */
  watchBell: 48,
  /** A line for contention: see contention.ts. A `WatchState`. */
  contentionWatch: 64,
  /** How often an alarm was raised or cleared: listeners wait for the next time. */
  alarmChanges: 65,
  /** `AdmissionBit`s; 0: new names are taken. */
  admission: 66,
  /** What an alarm is, in milliseconds, and how many alarmed shards close admission. Written once. */
  alarmLockWaitMs: 67,
  alarmWriteMeanMs: 68,
  alarmedPercentMax: 69,
  /** Two words: milliseconds of the monotonic clock when the registry was opened. Written once. */
  openedMs: 70,
  /** A deadline no later than any entry's or owner's: see expiry.ts. 0: none has one. */
  nextDeadline: 72,
  /** 1 once any entry or owner had a deadline. */
  anyDeadline: 73,
  /** The value of `nextDeadline` that the sweeper sleeps on, and 1 while it does. The sweeper's alone. */
  deadlineAwaited: 74,
  sweeperAsleep: 75,
  /** A line for deaths, apart from `state`, which each cached absence loads. How many owners and threads have ended so far, counted
   *  after the fact: a hint that there is something to sweep. */
  deaths: 80,
  /** Moves after each death, and, while `namesMonitored` is not 0, after each unregistration: monitors wait for it. */
  endings: 81,
  words: 96,
} as const;

export const RegistryState = { open: 1, closed: 2 } as const;

/** `Header.contentionWatch`: whether the coordinator looks at the shards, or waits to be asked to. */
export const WatchState = { resting: 0, asked: 1, watching: 2 } as const;

/** A lock with the journal that makes its critical sections repairable. Heads both kinds of block. */
export const Guard = {
  /** 0, or the holder's token; bit 0 says that somebody sleeps. A line of its own. */
  lock: 0,
  /** The intent line, written by the holder alone. The journal begins in it: most mutations need no more lines. */
  op: 16,
  phase: 17,
  record: 18,
  before: 19,
  slot: 20,
  journalWords: 21,
  /** Pairs (address, old value), `journalPairsMax` of them. */
  journal: 22,
} as const;

/** Pairs the journal can hold: a value of the largest size takes 3 per page, everything else together under 64. */
export const journalPairsMax = 325;
const guardWords = Guard.journal + 2 * journalPairsMax;
assert(guardWords % LINE_WORDS === 0, 'what follows a journal begins a line');

/** The control block: its lock orders owner slots, the freeing of rows and new kinds. (Attaching takes none.) */
export const Control = {
  guard: 0,
  /** Owner rows ever used beyond the threads' rows, and the head of the list of free ones (0: none). */
  ownersUsed: guardWords,
  ownerFree: guardWords + 1,
  words: guardWords + LINE_WORDS,
} as const;

/** Size classes of the arena's blocks; class 0 is unused. */
export const sizeClassesMax = 96;

/** One shard's block. */
export const Shard = {
  guard: 0,
  /** Read-mostly line. The index descriptor (see name-index.ts), and how often any record's version wrapped. */
  descriptor: guardWords,
  wraps: guardWords + 1,
  /** A line of its own: the insert sequence. Odd while a name that was absent is about to appear. */
  insertSequence: guardWords + 16,
  /** A line of its own: the change sequence. Odd while any record of the shard is about to change. */
  changeSequence: guardWords + 32,
  /** In its line, as both change together: the owner of the record that is being taken over (`Version.moved`). Written before
   *  the commit that sets `moved`, and again only by the next takeover, under other versions. */
  nextOwner: guardWords + 33,
  nextOwnerEpoch: guardWords + 34,
  /** Lines of the lock's holder. `entries` counts records in the index, the dead and not yet swept included. */
  entries: guardWords + 48,
  tombstones: guardWords + 49,
  recordsUsed: guardWords + 50,
  recordFree: guardWords + 51,
  pagesUsed: guardWords + 52,
  pageFree: guardWords + 53,
  /** Bytes of blocks and pages handed out. */
  valueBytes: guardWords + 54,
  /** Counters since the registry opened, wrapping. */
  registrations: guardWords + 55,
  updates: guardWords + 56,
  removals: guardWords + 57,
  lockWaits: guardWords + 58,
  lockSteals: guardWords + 59,
  resizes: guardWords + 60,
  swept: guardWords + 61,
  /** Times the lock was taken for anything: tells one holding of it from the next. Not journaled. */
  takings: guardWords + 62,
  /** Head of the list of pages with room, per size class. */
  partial: guardWords + 64,
  /** Per size class: one block that was freed and stays taken in its page, for the next value. See arena.ts. */
  spare: guardWords + 64 + sizeClassesMax,
  /** The change log, a ring: the record of change k in word k mod `limits.changesLogged`. Change k is the one under which
   *  the change sequence says 2k + 1; its record is written before. See shard-view.ts. */
  log: guardWords + 64 + 2 * sizeClassesMax,
  words: guardWords + 64 + 2 * sizeClassesMax + limits.changesLogged,
} as const;

/** What the kernel and Node call a thread; written by the thread when it attaches. */
export const ThreadInfo = {
  /** 0, or who has claimed this row: its kernel thread id, or where the system has no /proc -1 - `threadId`. From before
   *  a row is alive until after it is free again, when it is nobody's for a moment: see owner-table.ts. */
  claim: 0,
  /** `worker_threads.threadId`. */
  threadId: 1,
  /** With the kernel thread id names a thread for good: see liveness.ts. 0 until the claimer has written it. */
  startTicks: 2,
  /** `BellState`: whether the thread sleeps until it is rung. See bell.ts. */
  bell: 8,
  /** How often a lane to this row was opened: its thread looks for new ones when it moves. Under the control lock. */
  lanes: 9,
  words: LINE_WORDS,
} as const;

/**
 * One owner. Rows below `threadsMax` are threads and name themselves in `thread`.
 *
 * `epoch` counts in fours: 0 free, 1 alive, 2 dead (mod 4). Free → alive after `thread` and `threadEpoch` are
 * written, by who claimed the row (owners: under the control lock; threads: see `OwnerTable.claimThread`); alive → dead by ONE compareExchange of anybody; dead → free by the sweeper, under the
 * control lock, after every shard was swept. An owner lives when its epoch is the one a record names and its
 * thread's epoch is the one the row names. `expiry` is a deadline (clock.ts) or 0: after it the owner is as good as
 * dead, and the next who looks for the dead makes it so. Written before the row comes alive, and under the control lock.
 */
export const OwnerRow = {
  epoch: 0,
  thread: 1,
  threadEpoch: 2,
  nextFree: 3,
  /** What the tenancy takes: its epoch, with bits of `Takes` in place of its state. With any other epoch it says nothing. Written by
   *  its thread alone, which stores no older epoch over a newer one. */
  takes: 4,
  /** Why it ended: the epoch with an `EndReason` in place of its state. Written before the epoch moves to dead. */
  reason: 5,
  expiry: 6,
  words: 8,
} as const;
/** Bits of `OwnerRow.takes`: a tenancy has handlers of these. */
export const Takes = { nothing: 0, messages: 1, calls: 2 } as const;
/** In place of the state in `OwnerRow.reason`, so there can be no more. `exited`: with its thread, or nobody said more. */
export const EndReason = { none: 0, closed: 1, expired: 2, exited: 3 } as const;
export const OwnerState = { free: 0, alive: 1, dead: 2, mask: 3, step: 4 } as const;
/** At this epoch a row is dead for good: the next tenancy would come near the sign bit. */
export const ownerEpochMax = 0x7ffffff0;

/** The thread row that is kept for the coordinator. `Header.threadsMax` counts it. */
export const COORDINATOR_SLOT = 0;

/** One kind: its length in bytes, then its UTF-8 bytes. Complete before `Header.kinds` counts it, then constant. */
export const KindRow = { byteLength: 0, bytes: 1, words: 80 } as const;

/** The block of counters: a lock that orders making and freeing them, then `limits.countersMax` rows. */
export const Counters = {
  guard: 0,
  /** Rows ever used. */
  used: guardWords,
  words: guardWords + LINE_WORDS,
} as const;

/** One counter, a cache line. All but `value` is written by the holder of the counters' lock; see counter-table.ts. */
export const CounterRow = {
  /** Odd while this is a counter; goes up by one when it becomes one, and when it is freed. */
  epoch: 0,
  /** The kind that holds its name. */
  name: 1,
  owner: 2,
  ownerEpoch: 3,
  /** 1: when the owner ends, the count is added to `kept` of the shared counter. */
  isKept: 4,
  /** The thread of an owner that others may end, as it has a deadline; else 0. See `CounterTable`. */
  thread: 5,
  threadEpoch: 6,
  /** 64 bits, two words, by `Atomics.add` of whoever counts. */
  value: 8,
  /** 64 bits: what was kept of the dead. */
  kept: 10,
  words: LINE_WORDS,
} as const;

/**
 * One record, a cache line.
 *
 * `version` = sequence << 3 | moved << 2 | live << 1 | set. It is the ONLY word that makes a change visible: every commit is one
 * store of it. The sequence goes up by one at each commit and never restarts, also when the record gets another
 * name. While `live` is 0 the record is vacant: readers pass over it and the holder of the lock may write all other
 * words. While it is 1 only the value word and the deadline that `set` does *not* select may be written, and the other deadline
 * to renew it. While `moved` is 1 the owner is the shard's `nextOwner`, and the registration begins with this version: then `owner`,
 * `ownerEpoch` and `born` may be written. The store that sets `moved` back keeps the sequence: nothing has changed for anybody.
 */
export const Record = {
  version: 0,
  hash: 1,
  /** Name length in bytes | kind id << 8. */
  meta: 2,
  owner: 3,
  ownerEpoch: 4,
  /** `version` of this registration's first commit: tells a registration from a later one of the same name.
   *  In a free record: the next free record. */
  born: 5,
  /** Two value references in units of 8 bytes (0: no value); `set` selects one. */
  value: 6,
  /** Two deadlines (clock.ts) after which nobody finds the entry, whatever `version` says; 0: none; `set` selects one, so
   *  that an update and its deadline are one commit: see `deadlineAt`. */
  expiry: 8,
  /** The name, zero-padded, when it fits; else word 0 is the reference of a block that holds it. */
  key: 10,
  keyWords: 6,
  words: LINE_WORDS,
} as const;
export const keyBytesInline = Record.keyWords * 4;

export const Version = { set: 1, live: 2, moved: 4, sequenceShift: 3, sequenceMax: 0x1fffffff } as const;

/** Where the deadline lies that a record at `at` has under this version. */
export const deadlineAt = (at: number, version: number): number => at + Record.expiry + (version & Version.set);

/** The arena, in bytes, and a page's row. The rows of a group of pages lie in its first, as ext2 has it: so the memory for
 *  rows grows with that for values. */
export const pageBytes = 16_384;
export const Page = {
  /** Size class + 1; `pageLarge` for a page of a large value; 0 when free. */
  kind: 0,
  used: 1,
  /** First free block (reference), and how many blocks were ever handed out. */
  free: 2,
  fresh: 3,
  /** List of pages with room; `next` also links free pages and the pages of a large value. 0 ends a list. */
  previous: 4,
  next: 5,
  words: 8,
} as const;
export const pageLarge = 255;
export const pagesPerGroup = pageBytes / (Page.words * 4);

/** Where a page's row begins, in words of the arena. */
export const pageRow = (page: number): number => {
  const inGroup = page & (pagesPerGroup - 1);
  return (page - inGroup) * (pageBytes / 4) + inGroup * Page.words;
};

assert(Stamp.words <= Page.words, 'a stamp fits the row of a page');
assert(Counters.words % LINE_WORDS === 0 && CounterRow.value % 2 === 0, 'counters of 64 bits are aligned');
assert(Math.abs(Header.deaths - Header.state) >= LINE_WORDS, 'deaths leave the line of `state` alone');
assert(Record.key + Record.keyWords === Record.words, 'a record fills its line');
assert(pagesPerGroup === 512, 'rows of a group fill a page');
assert(KindRow.bytes + Math.ceil(limits.nameBytesMax / 4) <= KindRow.words, 'a kind fits its row');
assert(Number.isInteger(Math.log2(limits.changesLogged)), 'the change log goes on where its counter wraps');
assert(Math.ceil(limits.configBytesMax / pageBytes) * 4 + 32 <= journalPairsMax, 'the journal holds the largest value');

const align = (words: number): number => Math.ceil(words / LINE_WORDS) * LINE_WORDS;
const controlWords = align(Control.words);
const shardWords = align(Shard.words);

/** Positions that depend on a registry's options, in words of the control buffer. */
export class ControlMap {
  readonly control: number = Header.words;
  readonly shards: number;
  readonly threads: number;
  readonly owners: number;
  readonly kinds: number;
  readonly monitors: number;
  readonly counters: number;
  readonly words: number;

  constructor(shards: number, threadsMax: number, ownersMax: number) {
    this.shards = this.control + controlWords;
    this.threads = this.shards + shards * shardWords;
    this.owners = this.threads + threadsMax * ThreadInfo.words;
    this.kinds = this.owners + (threadsMax + ownersMax) * OwnerRow.words;
    this.monitors = this.kinds + kindRows * KindRow.words;
    this.counters = this.monitors + shards * Monitor.words;
    this.words = this.counters + Counters.words + limits.countersMax * CounterRow.words;
  }

  shard(n: number): number {
    return this.shards + n * shardWords;
  }

  monitor(n: number): number {
    return this.monitors + n * Monitor.words;
  }
}
