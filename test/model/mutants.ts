import type { Mutant } from './load.ts';

/** Deliberate breaks of the protocol. The programs must catch each: one that survives is a hole in the proof. */
export const mutants: readonly Mutant[] = [
  {
    name: 'a reader does not check the version again after the owner',
    file: 'shared/shard-reader.ts',
    caughtBy: 'another name with the same hash in the same record | find of a name made of halves of both',
    find: `if (!this.#isStill(version, at, wraps)) {
              changed = true;`,
    replace: `if (false) {
              changed = true;`,
  },
  {
    name: 'a reader does not check the version again after copying the value',
    file: 'shared/shard-reader.ts',
    caughtBy: 'an update frees its block for another name',
    find: `    if (!this.#isStill(version, at, this.#wraps)) return false;
    if (block`,
    replace: '    if (block',
  },
  {
    name: 'a reader loads the version after it compared the name',
    file: 'shared/shard-reader.ts',
    caughtBy: 'another name with the same hash in the same record | find of a name made of halves of both',
    find: `const version = loadFirst(records, at + Record.version);
          if (version & Version.live && this.#matches(records, at, key, version, wraps)) {`,
    replace: `if (this.#matches(records, at, key, 0, wraps) && records[at + Record.version] & Version.live) {
            const version = records[at + Record.version];`,
  },
  {
    name: 'a miss does not look at the descriptor again',
    file: 'shared/shard-reader.ts',
    caughtBy: 'rebuilds over the area of an index that a reader still probes',
    find: 'if (!changed && now === descriptor) return 0;',
    replace: 'if (!changed) return 0;',
  },
  {
    name: 'an update publishes before it writes the value word',
    file: 'shared/shard-mutations.ts',
    caughtBy: 'absent: update, killed | register',
    find: `    records[at + Record.value + set] = block;
    records[deadlineAt(at, set)] = ttl === 0 ? records[deadlineAt(at, before)] : this.#deadline(ttl);
    this.version = this.#next(before, Version.live | set);
    this.#commit(at, this.version);`,
    replace: `    this.version = this.#next(before, Version.live | set);
    this.#commit(at, this.version);
    records[at + Record.value + set] = block;`,
  },
  {
    name: 'an update frees the old value before it commits',
    file: 'shared/shard-mutations.ts',
    caughtBy: 'absent: register | update',
    find: '    this.begin(Operation.update, id, before, 0);\n',
    replace: '    this.begin(Operation.update, id, before, 0);\n    this.#freeValue(at, before);\n',
  },
  {
    name: 'an update writes the set in use',
    file: 'shared/shard-mutations.ts',
    caughtBy: 'absent: register | update',
    find: `    const before = records[at + Record.version];
    const set = ~before & Version.set;
    this.begin(Operation.update, id, before, 0);`,
    replace: `    const before = records[at + Record.version];
    const set = before & Version.set;
    this.begin(Operation.update, id, before, 0);`,
  },
  {
    name: 'a dead owner is replaced without making the record vacant',
    file: 'shared/shard-mutations.ts',
    caughtBy: 'a dead owner is replaced | whereis twice',
    find: '    this.#commit(at, vacant);\n',
    replace: '',
  },
  {
    name: 'a dead twin: a dead owner keeps its record and the name gets a second one',
    file: 'shared/shard.ts',
    caughtBy: 'a dead owner is replaced | whereis twice',
    find: 'return this.replaceEntry(id, owner, ownerEpoch, config, ttl);',
    replace: 'return this.insertEntry(key, owner, ownerEpoch, config, ttl);',
  },
  {
    name: 'a name appears without moving the insert sequence',
    file: 'shared/shard-mutations.ts',
    caughtBy: 'register | whereis, find, whereis: what one lookup has seen, no cached answer takes back',
    find: `    storeInOrder(control, sequenceAt, sequence + 1);
    this.#commit(at, version);
    storeInOrder(control, sequenceAt, sequence + 2);`,
    replace: '    this.#commit(at, version);',
  },
  {
    name: 'the insert sequence moves only after the name has appeared',
    file: 'shared/shard-mutations.ts',
    caughtBy: 'register | whereis, find, whereis: what one lookup has seen, no cached answer takes back',
    find: `    storeInOrder(control, sequenceAt, sequence + 1);
    this.#commit(at, version);`,
    replace: `    this.#commit(at, version);`,
  },
  {
    name: 'an absence is cached whatever the insert sequence is',
    file: 'engine/resolver.ts',
    caughtBy: 'register | whereis twice: a cached absence ends with the registration',
    find: `        if (inserts & 1 || reader.over) return undefined;
        const proof = { sequence: inserts,`,
    replace: '        const proof = { sequence: reader.insertSequence(),',
  },
  {
    name: 'a cached answer is not checked against the owner',
    file: 'engine/entry.ts',
    caughtBy: 'an owner dies | whereis twice, register',
    find: 'if (!this.#owner.lives(control)) return false;',
    replace: '',
  },
  {
    name: 'a cached answer is believed while a change is under way',
    file: 'engine/entry.ts',
    caughtBy: 'an update | whereis, list, whereis',
    bound: 3,
    find: 'const settled = (sequence: number): number => sequence & ~1;',
    replace: 'const settled = (sequence: number): number => sequence;',
  },
  {
    name: 'a cached answer is known to be right since after it was looked at',
    file: 'engine/entry.ts',
    caughtBy: 'an update of another name, then of this one',
    find: '    this.#sequence = settled(sequence);\n    return true;',
    replace: '    this.#sequence = settled(loadFirst(control, sequenceAt));\n    return true;',
  },
  {
    name: 'a commit moves the change sequence only afterwards',
    file: 'shared/shard-mutations.ts',
    caughtBy: 'an update | list, whereis',
    find: '    storeInOrder(control, sequenceAt, sequence + 1);\n    Atomics.exchange',
    replace: '    Atomics.exchange',
  },
  {
    name: 'the thief of a lock does not even the change sequence',
    file: 'shared/shard-mutations.ts',
    caughtBy: 'absent: register, killed | register',
    find: 'for (const at of [this.at + At.changeSequence, this.at + At.insertSequence]) {',
    replace: 'for (const at of [this.at + At.insertSequence]) {',
  },
  {
    name: 'the thief of a lock does not even the insert sequence',
    file: 'shared/shard-mutations.ts',
    caughtBy: 'absent: register, killed | register',
    find: 'for (const at of [this.at + At.changeSequence, this.at + At.insertSequence]) {',
    replace: 'for (const at of [this.at + At.changeSequence]) {',
  },
  {
    name: 'the thief of a lock repairs nothing',
    file: 'shared/guard.ts',
    caughtBy: 'absent: register, killed | register',
    find: 'if (stolen) this.#repairTaken();',
    replace: 'if (stolen) this.end();',
  },
  {
    name: 'a repair always undoes',
    file: 'shared/shard-mutations.ts',
    caughtBy: 'absent: update, killed | register',
    find: '    if (version === before) {\n      this.undo();',
    replace: '    if (version !== 1) {\n      this.undo();',
  },
  {
    name: 'a repair undoes nothing',
    file: 'shared/guard.ts',
    caughtBy: 'absent: register, killed | register',
    find: 'this.arrayOf(address >>> SPACE_SHIFT, at)[at] = words[this.#at + At.journal + n + 1];',
    replace: 'void at;',
  },
  {
    name: 'a repair does the clean-up again on top of what was done',
    file: 'shared/guard.ts',
    caughtBy: 'absent: update, killed | register',
    find: 'if (this.control[this.#at + At.phase] === Phase.cleanUp) this.undo();',
    replace: '',
  },
  {
    name: 'the journal counts a word after it was changed',
    file: 'shared/guard.ts',
    caughtBy: 'absent: register, killed | register',
    find: `    this.#note(space, at, array[at]);
    array[at] = value;`,
    replace: `    const old = array[at];
    array[at] = value;
    this.#note(space, at, old);`,
  },
  {
    name: "a free block's link is not journaled before the value overwrites it",
    file: 'shared/arena.ts',
    caughtBy: 'two registrations take a spare block',
    find: 'memory.setArena(block * 2, 0);',
    replace: 'arena[block * 2] = 0;',
  },
  {
    name: 'a lock is taken from a living holder',
    file: 'shared/lock.ts',
    caughtBy: 'absent: register | register',
    find: 'if (this.#isOfEarlierTenant(word) || this.#owners.threadEnded(holder)) {',
    replace: 'if (true) {',
  },
  {
    name: 'a waiter takes any thread for its own',
    file: 'shared/owners.ts',
    caughtBy: 'absent: register | register',
    find: 'return this.isAlive(this.epoch(slot)) && this.threadIdOf(slot) === threadId;',
    replace: 'return this.isAlive(this.epoch(slot));',
  },
  {
    name: 'the lock is taken by a store',
    file: 'shared/lock.ts',
    caughtBy: 'absent: register | register',
    find: 'return Atomics.compareExchange(this.#words, this.#at, 0, this.#token) === 0;',
    replace: `if (Atomics.load(this.#words, this.#at) !== 0) return false;
    Atomics.store(this.#words, this.#at, this.#token);
    return true;`,
  },
  {
    name: 'an unregistration empties its slot in mid-chain',
    file: 'shared/shard-mutations.ts',
    caughtBy: 'a tombstone in mid-chain is reused | a name behind it is found all the while',
    find: 'if (index[start + ((slot + 1) & mask)] === EMPTY) {',
    replace: 'if (true) {',
  },
  {
    name: 'an unregistration frees the record before it commits',
    file: 'shared/shard-mutations.ts',
    caughtBy: 'absent: unregister, killed | register',
    find: `    this.#commit(at, this.#next(before, 0));
    this.committed();
    this.#cleanUpRemoved(id, before, slot);`,
    replace: `    this.#cleanUpRemoved(id, before, slot);
    this.#commit(at, this.#next(before, 0));
    this.committed();`,
  },
  {
    name: 'a sweep removes who lives',
    file: 'shared/shard.ts',
    caughtBy: 'sweep of the dead | register of the same name',
    find: `        if (!this.#isGone(id)) {
          this.owners.deadlines.note(records[this.#deadlineAt(id)]);
          continue;
        }
        this.removeEntry`,
    replace: '        this.removeEntry',
  },
  {
    name: 'a rebuild leaves the newest record out',
    file: 'shared/shard-mutations.ts',
    find: 'for (let id = 1; id < used; id++) {',
    replace: 'for (let id = 1; id < used - 1; id++) {',
  },
  {
    name: 'a snapshot is taken in one pass',
    file: 'shared/shard-reader.ts',
    caughtBy: 'list | update',
    find: 'if (loadAfter(memory.records, id * Record.words + Record.version) !== versions[id]) return undefined;',
    replace: 'void id;',
  },
  {
    name: 'a writer does not look for pages that others have added',
    file: 'shared/shard-mutations.ts',
    caughtBy: 'another thread has grown the arena',
    find: 'if (pages < 1 || !memory.coverArena(pages * pageBytes)) throw',
    replace: 'if (pages < 1) throw',
  },
  {
    name: 'a second notice of a death kills the next tenant of the slot',
    file: 'shared/owners.ts',
    caughtBy: 'a death told twice',
    find: 'if (Atomics.compareExchange(this.#words, this.epochAt(slot), epoch, epoch + 1) !== epoch) return false;',
    replace: 'if ((Atomics.add(this.#words, this.epochAt(slot), 1) & 3) !== 1) return false;',
  },
  {
    name: 'the epoch of a row is read before the row is claimed',
    file: 'shared/owner-table.ts',
    caughtBy: 'rows: a thread attaches | another attaches, dies',
    find: `      if (!this.#isFree(slot) || Atomics.compareExchange(this.control, claim, 0, me) !== 0) continue;
      // Read after the claim: since the look above the row may have had a tenant, and been freed.
      const epoch = this.#owners.epoch(slot);`,
    replace: `      const epoch = this.#owners.epoch(slot);
      if (!this.#isFree(slot) || Atomics.compareExchange(this.control, claim, 0, me) !== 0) continue;`,
  },
  {
    name: 'a row is freed whatever its epoch is by then',
    file: 'shared/owner-table.ts',
    caughtBy: 'rows: freed by two at once | a thread attaches',
    find: 'if (this.control[row + OwnerRow.epoch] !== epoch) return;',
    replace: '',
  },
  {
    name: 'a row can be claimed before its freeing is committed',
    file: 'shared/owner-table.ts',
    caughtBy: 'reclaim: ',
    find: 'this.setControl(this.#info(slot) + ThreadInfo.claim, BEING_FREED);',
    replace: 'this.setControl(this.#info(slot) + ThreadInfo.claim, 0);',
  },
  {
    name: 'a repair opens a row that was open, and claimed since',
    file: 'shared/owner-table.ts',
    caughtBy: 'reclaim: ',
    find: 'Atomics.compareExchange(this.control, this.#info(slot) + ThreadInfo.claim, BEING_FREED, 0);',
    replace: 'Atomics.store(this.control, this.#info(slot) + ThreadInfo.claim, 0);',
  },
  {
    name: 'a repair leaves a row free and shut',
    file: 'shared/owner-table.ts',
    caughtBy: 'reclaim: ',
    find: 'else if (op === Operation.reclaim && slot < this.#owners.threadsMax) this.#openToClaimers(slot);',
    replace: '',
  },
  {
    name: 'an owner is alive before its row says whose it is',
    file: 'shared/owner-table.ts',
    caughtBy: 'rows: two owners are opened, killed',
    find: `      words[row + OwnerRow.thread] = thread;
      words[row + OwnerRow.threadEpoch] = threadEpoch;
      words[row + OwnerRow.expiry] = this.#owners.clock.deadline(ttl);
      this.#owners.deadlines.note(words[row + OwnerRow.expiry]);
      Atomics.store(words, row + OwnerRow.epoch, epoch + OwnerState.alive);`,
    replace: `      Atomics.store(words, row + OwnerRow.epoch, epoch + OwnerState.alive);
      words[row + OwnerRow.thread] = thread;
      words[row + OwnerRow.threadEpoch] = threadEpoch;`,
  },
  {
    name: 'a claim of a living thread is taken for a broken one',
    file: 'shared/owner-table.ts',
    caughtBy: 'rows: a thread attaches | the rows of the dead are settled',
    find: `if (claim <= 0 || kernelThreadState({ tid: claim, startTicks: 0 }) !== 'gone') continue;`,
    replace: 'if (claim <= 0) continue;',
  },
  {
    name: 'a broken claim stays',
    file: 'shared/owner-table.ts',
    caughtBy: 'rows: two threads attach, killed',
    find: 'Atomics.compareExchange(this.control, this.#info(slot) + ThreadInfo.claim, claim, 0);\n      }',
    replace: '}',
  },
  {
    name: 'compare and update does not compare',
    file: 'shared/shard.ts',
    caughtBy: 'registered: look, compare and update',
    find: 'if (expected !== ANY && versionToken(id, version) !== expected) return Outcome.changed;',
    replace: '',
  },
  {
    name: 'a registration is taken for its successor of the same name',
    file: 'shared/shard.ts',
    caughtBy: 'a registration and its successor',
    find: 'if (born !== ANY && records[at + Record.born] !== born) return false;',
    replace: '',
  },
  {
    name: 'is it mine: the successor of a registration is taken for it',
    file: 'shared/shard-reader.ts',
    caughtBy: 'a registration and its successor',
    find: ' || this.#bornOf(at, version) !== born) return false;',
    replace: ') return false;',
  },
  {
    name: 'a replaced entry keeps the first version of the one before',
    file: 'shared/shard-mutations.ts',
    caughtBy: 'a dead owner is replaced, and the new registration updates itself',
    find: '    records[at + Record.born] = version;\n    records[deadlineAt(at, version)] = this.#deadline(ttl);',
    replace: '    records[deadlineAt(at, version)] = this.#deadline(ttl);',
  },
  {
    name: 'the count of the dead is added to the kept unjournaled',
    file: 'shared/counter-table.ts',
    caughtBy: 'counters: an owner is closed, and swept by both | a sum, killed',
    find: 'this.setControl(shared + CounterRow.kept, Number(BigInt.asIntN(32, kept)));',
    replace: 'this.control[shared + CounterRow.kept] = Number(BigInt.asIntN(32, kept));',
  },
  {
    name: 'a counter is one before its row says whose',
    file: 'shared/counter-table.ts',
    caughtBy: 'counters: another owner gets the row of a count that was kept',
    find: '    words.fill(0, row + CounterRow.name, row + CounterRow.words);\n',
    replace:
      '    Atomics.store(words, row + CounterRow.epoch, epoch + 1);\n    words.fill(0, row + CounterRow.name, row + CounterRow.words);\n',
  },
  {
    name: 'the counter of an owner that is over is freed by anybody',
    file: 'shared/counter-table.ts',
    caughtBy: 'counters: an owner counts | it is over',
    find: 'return !runs || this.#owners.isThisThread(thread);',
    replace: 'return true;',
  },
  {
    name: 'a sum leaves out the dead whose counts are kept',
    file: 'shared/counter-table.ts',
    caughtBy: 'counters: an owner counts and is closed, its count is kept',
    find: '(this.#isDead(row) && !isKept)) continue;',
    replace: 'this.#isDead(row)) continue;',
  },
  {
    name: 'a takeover makes the record vacant in between',
    file: 'shared/shard-mutations.ts',
    caughtBy: 'takeover | whereis twice',
    find: '    this.#appear(at, version | Version.moved);\n',
    replace: '    this.#commit(at, this.#next(before, 0) | Version.moved);\n',
  },
  {
    name: 'a takeover writes the owner words that the version before goes by',
    file: 'shared/shard-mutations.ts',
    caughtBy: 'takeover | the owner before dies | whereis twice',
    find: '    // As an insertion: the owner may die until here, and its name be found absent.\n',
    replace: '    records[at + Record.owner] = owner;\n    records[at + Record.ownerEpoch] = ownerEpoch;\n',
  },
  {
    name: 'a takeover does not move the insert sequence, though the owner before may have died',
    file: 'shared/shard-mutations.ts',
    caughtBy: 'takeover | the owner before dies | whereis twice',
    find: '    this.#appear(at, version | Version.moved);\n',
    replace: '    this.#commit(at, version | Version.moved);\n',
  },
  {
    name: 'a reader goes by the owner of the record while that is taken over',
    file: 'shared/shard-reader.ts',
    caughtBy: 'takeover | the owner before dies | whereis twice',
    find: 'if (version & Version.moved) return memory.control[memory.at + Shard.nextOwner];',
    replace: '',
  },
  {
    name: 'a registration that is taken over begins with the second commit',
    file: 'shared/shard-reader.ts',
    caughtBy: 'takeover | the owner before looks',
    find: 'return version & Version.moved ? version & ~Version.moved : this.memory.records[at + Record.born];',
    replace: 'return this.memory.records[at + Record.born];',
  },
  {
    name: 'the second commit of a takeover is another version of the entry',
    file: 'shared/shard-mutations.ts',
    caughtBy: 'takeover | whereis, look, compare and update',
    find: '    this.#settleOwner(at, version);\n    this.committed();',
    replace: '    this.#settleOwner(at, this.#next(version, version & 3));\n    this.committed();',
  },
  {
    name: 'a repair leaves a takeover at its first commit',
    file: 'shared/shard-mutations.ts',
    caughtBy: 'takeover, killed | ',
    find: 'if (version & Version.moved) this.#settleOwner(at, version & ~Version.moved);',
    replace: '',
  },
  {
    name: 'a spare block is taken unjournaled',
    file: 'shared/arena.ts',
    caughtBy: 'two registrations take a spare block',
    find: 'memory.setControl(this.#shardAt + Shard.spare + sizeClass, 0);',
    replace: 'memory.control[this.#shardAt + Shard.spare + sizeClass] = 0;',
  },
  {
    name: 'a spare block is kept unjournaled',
    file: 'shared/arena.ts',
    caughtBy: 'two unregistrations make a spare block',
    find: 'this.#memory.setControl(spareAt, block);',
    replace: 'this.#memory.control[spareAt] = block;',
  },
  {
    name: 'a freed block loses its length unjournaled',
    file: 'shared/arena.ts',
    caughtBy: 'two unregistrations make a spare block',
    find: '    memory.setArena(block * 2, arena[row + Page.free]);',
    replace: '    arena[block * 2] = arena[row + Page.free];',
  },
  {
    name: 'a snapshot does not look again at the owners',
    file: 'shared/shard-reader.ts',
    caughtBy: 'an owner dies, another name is registered | list',
    find: '    for (const { owner, ownerEpoch } of entries) if (!this.#owners.alive(owner, ownerEpoch)) return undefined;',
    replace: '',
  },
  {
    name: 'a kind is counted before its row is written',
    file: 'shared/kinds.ts',
    caughtBy: 'kinds: two threads give',
    find: '      this.#words[row + KindRow.byteLength] = byteLength;',
    replace:
      '      Atomics.store(this.#words, Header.kinds, count + 1);\n      this.#words[row + KindRow.byteLength] = byteLength;',
  },
  {
    name: 'who has the lock does not look again whether the kind has a number',
    file: 'shared/kinds.ts',
    caughtBy: 'kinds: two threads give one kind',
    find: 'if (this.#names.includes(kind)) return;',
    replace: '',
  },
  {
    name: 'an update removes the name, and says that it has updated it',
    file: 'shared/shard-mutations.ts',
    caughtBy: 'registered: unregister | update',
    find: 'this.version = this.#next(before, Version.live | set);',
    replace: 'this.version = this.#next(before, set);',
  },
  {
    name: 'what is read again may be of another registration',
    file: 'shared/shard-reader.ts',
    caughtBy: 'unregister, register another in the same record | whereis of what was cached',
    find: 'if (this.#copy(id, this.version)) return this.born === born && !over;',
    replace: 'if (this.#copy(id, this.version)) return !over;',
  },
  {
    name: 'what is read again may be of a dead owner',
    file: 'engine/entry.ts',
    caughtBy: 'an owner dies | whereis of what was cached',
    find: 'if (!this.#owner.lives(control)) return undefined;',
    replace: '',
  },
  {
    name: 'a claimer that came alive and ended meanwhile is taken for one that never did',
    file: 'shared/owner-table.ts',
    caughtBy: 'rows: one thread attaches',
    bound: 3,
    find: 'if (this.#openClaim(slot) !== claim) continue;',
    replace: '',
  },
  {
    name: 'a change is logged after it is told',
    file: 'shared/shard-mutations.ts',
    caughtBy: 'view: a cached lookup beside',
    find: `    storeInOrder(control, logAt(this.at, sequence >>> 1), at / Record.words);
    storeInOrder(control, sequenceAt, sequence + 1);
    Atomics.exchange(this.memory.records, at + Record.version, version);
    storeInOrder(control, sequenceAt, sequence + 2);`,
    replace: `    storeInOrder(control, sequenceAt, sequence + 1);
    Atomics.exchange(this.memory.records, at + Record.version, version);
    storeInOrder(control, sequenceAt, sequence + 2);
    storeInOrder(control, logAt(this.at, sequence >>> 1), at / Record.words);`,
  },
  {
    name: 'a change is logged once it is under way',
    file: 'shared/shard-mutations.ts',
    caughtBy: 'view: a cached lookup beside',
    bound: 3,
    find: `    storeInOrder(control, logAt(this.at, sequence >>> 1), at / Record.words);
    storeInOrder(control, sequenceAt, sequence + 1);
    Atomics.exchange(this.memory.records, at + Record.version, version);`,
    replace: `    storeInOrder(control, sequenceAt, sequence + 1);
    Atomics.exchange(this.memory.records, at + Record.version, version);
    storeInOrder(control, logAt(this.at, sequence >>> 1), at / Record.words);`,
  },
  {
    name: 'a view does not look whether the log was overwritten while it read it',
    file: 'shared/shard-view.ts',
    caughtBy: 'view: one change more',
    find: 'if (changesBetween(this.seen, this.#sequence()) >= limits.changesLogged) return false;',
    replace: '',
  },
  {
    name: 'a view takes a log for whole that is about to be overwritten',
    file: 'shared/shard-view.ts',
    caughtBy: 'view: one change more',
    bound: 3,
    find: 'if (changesBetween(this.seen, this.#sequence()) >= limits.changesLogged) return false;',
    replace: 'if (changesBetween(this.seen, this.#sequence()) > limits.changesLogged) return false;',
  },
  {
    name: 'a view does not read what is under way',
    file: 'shared/shard-view.ts',
    caughtBy: 'view: a cached lookup beside',
    bound: 3,
    find: 'const count = changesBetween(this.seen, now) + (now & 1);',
    replace: 'const count = changesBetween(this.seen, now);',
  },
  {
    name: 'a view that has read what is under way believes to know it',
    file: 'shared/shard-view.ts',
    caughtBy: 'view: an update',
    find: `    const first = this.seen >>> 1;
    const count = changesBetween(this.seen, now) + (now & 1);`,
    replace: `    const first = (this.seen + 1) >>> 1;
    const count = changesBetween(this.seen + 1, now) + (now & 1);`,
  },
  {
    name: 'a view takes the sequence after it has read the records',
    file: 'shared/shard-view.ts',
    caughtBy: 'view: ',
    find: '      this.seen = now;\n      this.#filled = true;\n    }\n  }',
    replace: '      this.seen = this.#sequence();\n      this.#filled = true;\n    }\n  }',
  },
  {
    name: 'an answer is believed though entries changed while it was made',
    file: 'engine/answer.ts',
    caughtBy: 'view: a registration, and a death',
    bound: 3,
    find: 'if (pass === limits.viewPassesMax || answer.holds(control)) return answer.settle();',
    replace: 'return answer.settle();',
  },
  {
    name: 'an answer is believed while a change is under way',
    file: 'engine/answer.ts',
    caughtBy: 'view: a cached lookup beside',
    bound: 3,
    find: 'return answer.settle();',
    replace: 'return answer;',
  },
  {
    name: 'an answer does not rest on its owners',
    file: 'engine/kind-index.ts',
    caughtBy: 'view: a registration, and a death',
    find: '        grounds.addOwner(owner);\n',
    replace: '',
  },
  {
    name: 'the bell is looked at before the commit, and not after it',
    file: 'shared/shard-mutations.ts',
    caughtBy: 'bell: an update',
    find: `    this.#untold = true;
    // Views`,
    replace: `    this.#bell.ring();
    // Views`,
  },
  {
    name: 'who waits does not arm the bell',
    file: 'shared/watch-bell.ts',
    caughtBy: 'bell: an update',
    find: `        state === State.armed ||
        Atomics.compareExchange(words, Header.watchBell, word, word | State.armed) === word`,
    replace: 'state !== State.rung',
  },
  {
    name: 'a death rings no bell',
    file: 'shared/owners.ts',
    caughtBy: 'bell: ',
    find: 'this.bell.ring();\n    this.tellEnding();',
    replace: 'this.tellEnding();',
  },
  {
    name: 'a reader finds what has expired',
    file: 'shared/shard-reader.ts',
    caughtBy: 'expiry: the clock moves on | whereis, find, whereis',
    find: 'const alive = this.#owners.alive(owner, ownerEpoch) && !over;',
    replace: 'const alive = this.#owners.alive(owner, ownerEpoch);',
  },
  {
    name: 'what is read again may have expired',
    file: 'shared/shard-reader.ts',
    caughtBy: 'expiry: the clock moves on | whereis, find, whereis',
    find: 'return this.born === born && !over;',
    replace: 'return this.born === born;',
  },
  {
    name: 'a list shows what expires while it looks',
    file: 'shared/shard-reader.ts',
    caughtBy: 'expiry: the clock moves on | list',
    find: 'const standing = mortal ? this.#standing(entries) : entries;',
    replace: 'const standing = entries;',
  },
  {
    name: 'a cached answer outlives its deadline',
    file: 'engine/entry.ts',
    caughtBy: 'expiry: the clock moves on | whereis, find, whereis',
    find: 'if (this.#mortal) return !over;',
    replace: 'if (this.#mortal) return true;',
  },
  {
    name: 'a cached answer with a deadline goes by the change sequence',
    file: 'engine/entry.ts',
    caughtBy: 'expiry: the clock moves on | whereis, find, whereis',
    find: 'this.#sequence = proof.mortal ? NEVER : settled(proof.sequence);',
    replace: 'this.#sequence = settled(proof.sequence);',
  },
  {
    name: 'a deadline is loaded before the clock is read',
    file: 'shared/clock.ts',
    caughtBy: 'expiry: renew, is it mine | the clock moves on, register | whereis',
    find: `if (words[at] === 0) return false;
    const time = this.time();
    return hasPassed(loadAfter(words, at), time);`,
    replace: `const deadline = words[at];
    if (deadline === 0) return false;
    const time = this.time();
    return hasPassed(deadline, time);`,
  },
  {
    name: 'the absence of what has expired is cached',
    file: 'engine/resolver.ts',
    caughtBy: 'expiry: renew, whereis | the clock moves on, whereis twice',
    find: 'if (inserts & 1 || reader.over) return undefined;',
    replace: 'if (inserts & 1) return undefined;',
  },
  {
    name: 'a name that has expired is taken',
    file: 'shared/shard.ts',
    caughtBy: 'expiry: over: register | whereis twice',
    find: 'records[at + Record.ownerEpoch]) || this.#isOver(id);',
    replace: 'records[at + Record.ownerEpoch]);',
  },
  {
    name: 'an update does not take the deadline along',
    file: 'shared/shard-mutations.ts',
    caughtBy: 'expiry: update, find | find, the clock moves on, whereis',
    find: 'records[deadlineAt(at, set)] = ttl === 0 ? records[deadlineAt(at, before)] : this.#deadline(ttl);',
    replace: 'records[deadlineAt(at, set)] = this.#deadline(ttl);',
  },
  {
    name: 'a reader takes the deadline of the version before',
    file: 'shared/shard-reader.ts',
    caughtBy: 'expiry: update, find | find, the clock moves on, whereis',
    find: 'const over = this.#owners.clock.isOver(records, deadlineAt(at, version));',
    replace: 'const over = this.#owners.clock.isOver(records, deadlineAt(at, ~version));',
  },
  {
    name: 'a view shows what has expired',
    file: 'engine/kind-index.ts',
    caughtBy: 'expiry: the clock moves on | view twice',
    find: 'if (expiryAt !== undefined && grounds.mortality.isPast(records, expiryAt)) continue;',
    replace: '',
  },
  {
    name: 'a view shows what the owners have whose time is over',
    file: 'engine/kind-index.ts',
    caughtBy: 'expiry: the clock moves on | an owner is over, view twice',
    find: 'if (!owner.lives(control) || grounds.mortality.isOver(owner, control)) continue;',
    replace: 'if (!owner.lives(control)) continue;',
  },
  {
    name: 'an answer outlives its deadlines',
    file: 'engine/answer.ts',
    caughtBy: 'expiry: the clock moves on | view twice',
    find: 'if (!this.#mortality.isAsNow()) return false;',
    replace: '',
  },
  {
    name: 'an answer does not rest on what it leaves out, which may be renewed late',
    file: 'engine/mortality.ts',
    caughtBy: 'expiry: renew | the clock moves on, view twice',
    find: 'this.#deadlines.push({ words, at, passed });',
    replace: 'if (!passed) this.#deadlines.push({ words, at, passed });',
  },
  {
    name: 'a view forgets an owner whose time is over, and may be renewed late',
    file: 'shared/shard-reader.ts',
    caughtBy: 'expiry: an owner renews | the clock moves on, view twice',
    find: 'this.#owners.isTenant(this.ownerOf(at, version), this.ownerEpochOf(at, version));',
    replace: 'this.#owners.alive(this.ownerOf(at, version), this.ownerEpochOf(at, version));',
  },
  {
    name: 'a renewal does not look whether the registration is its own',
    file: 'shared/shard.ts',
    caughtBy: 'expiry: renew, is it mine | unregister, register',
    find: `if (!this.#isLive(id, born)) return Outcome.notFound;
      const at = this.#deadlineAt(id);`,
    replace: 'const at = this.#deadlineAt(id);',
  },
  {
    name: 'an owner whose time is over is ended without a seal on its deadline',
    file: 'shared/owners.ts',
    caughtBy: 'expiry: an owner renews, find | the clock moves on, register, find',
    find: 'if (Atomics.compareExchange(this.#words, this.expiryAt(slot), expiry, sealed(expiry)) !== expiry) continue;',
    replace: '',
  },
  {
    name: 'a name is taken from an owner that may renew yet',
    file: 'shared/shard.ts',
    caughtBy: 'expiry: an owner renews, find | the clock moves on, register, find',
    find: 'return !this.owners.livesOn(records',
    replace: 'return !this.owners.alive(records',
  },
];
