/**
 * Every limit of the engine: its name, its unit and its reason.
 *
 * `limits` are ceilings set by the memory layout; `defaults` are what a registry gets when it does not ask.
 */
export const limits = {
  /** Bytes (UTF-8) of a kind or an id: the length is one byte of a record's `meta` word. */
  nameBytesMax: 255,
  /** Shards of a registry: more than this many locks buys nothing on the largest machines and costs address space. */
  shardsMax: 256,
  /** Entries in one shard: a record id is 20 bits of an index word, and id 0 is reserved. */
  entriesPerShardMax: (1 << 20) - 1,
  /** Threads attached at once: a lock word has 12 bits for its holder, 0 means nobody, one is the coordinator. */
  threadsMax: 4093,
  /** Owners smaller than a thread, at once: 32 B of address space each. */
  ownersMax: 1 << 20,
  /** Different kinds over a registry's life: kinds are type names, kept for good so that readers need no lock. */
  kindsMax: 1024,
  /** Different names of counters over a registry's life. They are kept as kinds are, and leave these all their room: 320 B of
   *  address space each. */
  counterNamesMax: 1024,
  /** Bytes (UTF-8) of a counter's name: a kind's name begins with what tells it from others. */
  counterNameBytesMax: 238,
  /** Stored bytes of one config. The undo journal of a shard must hold the pages of one value. */
  configBytesMax: 1 << 20,
  /** Value bytes of one shard: the undo journal addresses a word of them, and of the rows of their pages, with 28 bits. */
  valueBytesPerShardMax: (1 << 30) - (1 << 22),
  /** Value bytes of one shard, at least: below this not even one config of the default limit fits with its pages. */
  valueBytesPerShardMin: 1 << 18,
  /** Times a lock-free read starts over because the entry changed under it, before the memory is called corrupt:
   *  each retry needs a whole commit of another thread, so a real one is over after a few. */
  readRetriesMax: 100_000,
  /** Milliseconds an attaching thread waits for the row of one that has left, before it gets `THREADS_FULL`. */
  attachWaitMs: 1_000,
  /** Turns of the spin loop before a waiter sleeps: about 1.6 µs, more than an uncontended critical section. */
  spinTurns: 50,
  /** Milliseconds a waiter sleeps before it asks whether the lock's holder lives. */
  lockSliceMs: 5,
  /** Milliseconds that one slice of a wait counts at most: a process that was stopped for longer (a laptop that sleeps,
   *  SIGSTOP) has not waited. */
  lockSliceCountedMs: 100,
  /** Milliseconds after which a waiter asks a *living* holder to give back a lock it may have abandoned. */
  lockSuspectMs: 100,
  /** Milliseconds a worker thread waits for a lock before it gets `BUSY`. */
  lockWaitWorkerMs: 30_000,
  /** Milliseconds the main thread waits for a lock before it gets `BUSY`: it has sockets to serve. */
  lockWaitMainMs: 2_000,
  /** Milliseconds the coordinator waits for a lock before it goes on and sweeps that shard later: others need it. */
  lockWaitCoordinatorMs: 500,
  /** Counters at once, those of owners and those for all: 64 B of address space each; finding one looks at all. */
  countersMax: 4_096,
  /** Milliseconds to live at most: 90 days, less than a quarter of what a deadline's 32 bits can count. */
  ttlMsMax: 90 * 86_400_000,
  /** Milliseconds of rest between two sweeps of what has expired, at least: lookups do not wait for them, only memory and who
   *  watches does. */
  expirySweepMs: 50,
  /** That rest, times the sweep before it: they take a twentieth of a core at most, however many names there are. */
  expiryRestFactor: 20,
  /** One uncontended write in so many is timed: at two looks at the clock of some 50 ns, about 1 % of a write. A power
   *  of two. */
  writeSampleEvery: 16,
  /** Writes over which a shard's recent mean runs: enough for 16 samples. */
  recentWrites: 256,
  /** Milliseconds between two looks at the shards while writers wait: an alarm is to be seen within 100 ms. */
  alarmLookMs: 25,
  /** Looks after which the window of the recent past moves on: it is 100 to 200 ms long. */
  alarmWindowLooks: 4,
  /** Looks in a row that must be calm before an alarm is cleared: together 100 ms. */
  alarmClearLooks: 4,
  /** Calm looks after which nobody looks until a writer waits again: waking costs some 100 µs. */
  alarmRestLooks: 8,
  /** Milliseconds of `alarmLockWaitMs` and `alarmWriteMeanMs` at most: as long as a worker waits for a lock at all. */
  alarmMsMax: 30_000,
  /** Milliseconds for which most shards must have been alarmed before admission is closed: one stall of the machine alarms
   *  them for some 300. The seeds looked once a second. */
  admissionPatienceMs: 1_000,
  /** Milliseconds after which to try again when admission was refused: no alarm is cleared sooner. */
  admissionRetryMs: 100,
  /** Records looked at in one hold of a shard's lock while dead entries are swept: well under 100 µs. */
  sweepSliceRecords: 2_048,
  /** Names an owner frees itself when it closes; what it has beyond them waits for the coordinator's sweep. */
  ownerTrackedMax: 256,
  /** Milliseconds between the first death and the sweep that frees its entries: one sweep serves many deaths. */
  sweepDelayMs: 10,
  /** A sweep starts no sooner than this many times the length of the last one after it: at most a fifth of a core. */
  sweepRestFactor: 4,
  /** Milliseconds a new coordinator has to listen before the threads that wait for it start another. If both come to
   *  listen, one finds the address taken and leaves. */
  coordinatorStartMs: 3_000,
  /** Milliseconds a coordinator runs at least, or the next is started so much later. */
  coordinatorRestMs: 1_000,
  /** Milliseconds before a thread connects again to a coordinator it has lost, doubling from the first to the last: a new
   *  one listens within some tens. */
  coordinatorRetryFirstMs: 5,
  coordinatorRetryLastMs: 500,
  /** Milliseconds between two looks whether a coordinator still listens after the close, and what all of them take at most.
   *  One that hears of the close ends at once, unless it waits for a lock: `lockWaitCoordinatorMs`. */
  coordinatorKnockMs: 2,
  coordinatorEndMs: 5_000,
  /** Connections to a coordinator that have not said hello, at once. Ours say it in the first turn of their thread; when there are
   *  more, the oldest is hung up on. Its thread, if it is one of ours, connects again, and until then the kernel is asked
   *  for it. */
  strangersMax: 64,
  /** Milliseconds between two looks whether a thread that hung up has ended, doubling from the first to the last. */
  deathCheckFirstMs: 1,
  deathCheckLastMs: 64,
  /** Bytes of one message's body, at most. */
  messageBytesMax: 1 << 20,
  /** The same for an urgent one: these are control signals, and each lane keeps four times as much for them. */
  urgentBytesMax: 4_096,
  /** Objects and arrays of a message that goes as JSON text, and fields or elements of each. Of larger ones `v8.serialize` makes a
   *  clone in no more time than it takes to see that JSON would do. */
  jsonObjectsMax: 16,
  jsonFieldsMax: 64,
  /** Address space of all lanes, in bytes, which says how many there are: 7,266 with messages of the default size, so that
   *  85 threads can all talk with each other. */
  lanesBytesMax: 1 << 30,
  /** Records taken from one ring before other lanes, and everybody's urgent messages, have their turn. */
  drainSliceRecords: 32,
  /** Messages delivered in one turn of the event loop, and milliseconds after which no other is begun: a flooded thread
   *  still has sockets to serve. */
  drainTurnMessages: 1_024,
  drainTurnMs: 4,
  /** Milliseconds a thread goes on looking, once a turn of its event loop, after its last message: about what it takes to be woken. */
  lingerMs: 0.05,
  /** Times it sleeps at once instead, at most, when looking on was in vain before. */
  lingerSkipsMax: 64,
  /** Calls of one thread that wait for their reply: above, the server is not what they wait for. */
  callsPendingMax: 1 << 16,
  /** Messages of one thread that wait for room in one ring. Those beyond are refused: to wait must not be a way to keep any
   *  number of them. */
  waitingMax: 1_024,
  /** Milliseconds a call waits for its reply, unless it says otherwise. */
  callTimeoutMs: 30_000,
  /** Tombstones turned back into empty slots by one unregistration: bounds what the undo journal must hold. */
  tombstonesClearedMax: 16,
  /** Changes of a shard that its log remembers, a power of two: a view that was not asked for longer reads the shard's
   *  records again. 4 KiB a shard. */
  changesLogged: 1_024,
  /** Times a view starts over because the shard changed meanwhile, before it takes what it has: each entry then is as it
   *  stood at a moment of its own. A pass looks at what has changed since the one before, so a few are enough. */
  viewPassesMax: 64,
  /** Whole readings of a shard that its writers may outrun, before a view takes the shard's lock for one. */
  viewScansMax: 3,
  /** Bytes (UTF-8) of a group's name: the rest of an entry's name says who is the member. */
  groupNameBytesMax: 192,
  /** Groups without members that a thread remembers as such, about 1 KB each; when there are more it starts anew. */
  emptyGroupsKnownMax: 1_024,
  /** Groups that are told with their names among a registry's figures, the largest: each is a time series of its own
   *  wherever such figures are kept. */
  groupsToldMax: 100,
  /** Connections to an inspection socket at once: people, a script or two. Others are hung up on. */
  inspectorsMax: 16,
  /** Bytes of a local socket's path: what macOS takes; Linux takes four more. */
  socketPathBytesMax: 103,
  /** Bytes of one request to it: a kind and an id, each character as an escape of JSON. */
  inspectionRequestBytesMax: 4_096,
  /** Names in one of its answers: some 1 MB, in some ms. */
  inspectionNamesMax: 10_000,
  /** It answers no sooner than this many times the length of the last answer after it, whoever asks: at most a fifth of
   *  a core. */
  inspectionRestFactor: 4,
  /** Milliseconds without a byte after which it hangs up. */
  inspectionIdleMs: 60_000,
  /** Milliseconds an inspector waits for an answer: a thread that serves may be busy. */
  inspectionAnswerMs: 10_000,
  /** Bytes of an answer that an inspector reads: ten times what is to be expected of the largest. */
  inspectionAnswerBytesMax: 1 << 26,
  /** Milliseconds of the longest time-out: what timers of Node can wait. */
  timeoutMsMax: 0x7fffffff,
} as const;

export const defaults = {
  shards: 16,
  entriesPerShardMax: limits.entriesPerShardMax,
  threadsMax: 256,
  ownersMax: 65_536,
  configBytesMax: 65_536,
  valueBytesPerShardMax: 1 << 28,
  messageBytesMax: 32_768,
  /** Half of what people notice, and of the time in which an alarm is to be seen; ten times what a wait takes on a busy
   *  machine, where the holder of a lock may not get a processor for some milliseconds. */
  alarmLockWaitMs: 50,
  alarmWriteMeanMs: 100,
  alarmedPercentMax: 50,
} as const;
