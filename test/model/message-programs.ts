import type { Mutant } from './load.ts';
import type { MessageProgram } from './message-explorer.ts';
import type { MessageOperation } from './message-world.ts';

const send = (to: number, text: string): MessageOperation => ({ op: 'send', to, text });
const urgent = (to: number, text: string): MessageOperation => ({ op: 'send', to, text, urgent: true });
const receive = (count: number): MessageOperation => ({ op: 'receive', count });
const bury = (thread: number, killed = false): MessageOperation => ({ op: 'bury', thread, killed });
const reclaim = (thread: number): MessageOperation => ({ op: 'reclaim', thread });
const attach: MessageOperation = { op: 'attach' };
const by = (thread: number, ...operations: MessageOperation[]) =>
  operations.map((operation) => ({ thread, operation }));

/** A text of the largest size: of two of them in a ring there is no room for a third. */
const large = (text: string) => text.padEnd(60, text);

/** Every way in which two or three threads meet over a lane, with and without the end of one. */
export const messagePrograms: readonly MessageProgram[] = [
  ...withEnds({
    name: 'the first message opens a lane | receive',
    setup: [],
    threads: [[send(1, 'one')], [receive(1)]],
  }),
  ...withEnds({
    name: 'two messages | receive',
    setup: [...by(0, send(1, 'before')), ...by(1, receive(1))],
    threads: [[send(1, 'one'), send(1, 'two')], [receive(3)]],
  }),
  ...withEnds({
    name: 'a message and an urgent one | receive',
    setup: by(0, send(1, 'before')),
    threads: [[send(1, 'one'), urgent(1, 'soon')], [receive(3)]],
  }),
  ...withEnds({
    name: 'an urgent message, then another | receive',
    setup: by(0, send(1, 'before')),
    threads: [[urgent(1, 'soon'), send(1, 'one')], [receive(3)]],
  }),
  ...withEnds({
    name: 'more than the ring takes | receive',
    setup: by(0, send(1, large('a'))),
    threads: [[send(1, large('b')), send(1, large('c')), send(1, 'd')], [receive(4)]],
  }),
  {
    name: 'more than the ring takes | receive, killed',
    setup: by(0, send(1, large('a')), send(1, large('b'))),
    threads: [[send(1, large('c')), send(1, large('d'))], [receive(4)]],
    kill: 1,
  },
  ...withEnds({
    name: 'two senders open lanes to one receiver',
    setup: [],
    threads: [[send(2, 'one')], [send(2, 'two')], [receive(2)]],
    bound: 1,
  }),
  {
    name: 'a message and its answer',
    setup: [],
    threads: [
      [send(1, 'ask'), receive(1)],
      [receive(1), send(0, 'answer')],
    ],
  },
  {
    name: 'a sender is killed | it is buried | receive',
    setup: by(0, send(1, 'before')),
    threads: [[send(1, 'one')], [receive(2)], [bury(0, true)]],
    kill: 0,
  },
  {
    name: 'the lane of a dead sender is given back | another opens one',
    setup: [...by(0, send(1, 'of the dead')), ...by(3, bury(0))],
    threads: [[], [receive(2)], [send(1, 'of the next')], []],
  },
  {
    name: 'a sender dies | its receiver gives the lane back | another opens one',
    setup: by(0, send(1, 'one')),
    threads: [[], [receive(2)], [send(1, 'of the next')], [bury(0)]],
    bound: 1,
  },
  {
    name: 'a receiver dies and its row has the next tenant | a message for the one before',
    setup: [...by(0, send(2, 'before')), ...by(1, bury(2))],
    threads: [[send(2, 'late'), send(3, 'to the next')], [reclaim(2)], [], [attach, receive(0)]],
  },
  {
    name: 'a receiver dies | a message for it | its row has the next tenant, who has mail of its own',
    setup: by(0, send(2, 'before')),
    threads: [[send(2, 'late')], [bury(2), reclaim(2)], [], [attach, receive(0)]],
  },
  {
    name: 'a sender leaves after its last message | its receiver gives the lane back',
    setup: by(0, send(1, 'before')),
    threads: [[send(1, 'last'), bury(0)], [receive(2)]],
  },
  {
    name: 'a receiver dies | a message for it | who buries it opens a lane',
    setup: by(0, send(2, 'before')),
    threads: [[send(2, 'late')], [bury(2), send(3, 'mine')], [], [receive(1)]],
  },
  {
    name: 'lanes that were given back are opened by two for one receiver',
    setup: [
      ...by(0, send(4, 'of one')),
      ...by(1, send(4, 'of the other')),
      ...by(2, bury(0), bury(1)),
      ...by(4, receive(2), { op: 'look' }),
    ],
    threads: [[], [], [send(4, 'a')], [send(4, 'b')], [receive(4)]],
    bound: 1,
  },
  {
    name: 'sender and receiver are dead, and another opens the lane',
    setup: [...by(0, send(1, 'of the dead')), ...by(2, bury(0), bury(1))],
    threads: [[], [], [send(3, 'one')], [receive(1)]],
  },
  {
    name: 'a sender opens the lane to the next tenant of a row whose lane it had',
    setup: [...by(0, send(2, 'before')), ...by(1, bury(2), reclaim(2)), ...by(3, attach)],
    threads: [[send(3, 'one')], [], [], [receive(1)]],
  },
];

/** The program, and the same where its first thread is killed, or cut off. */
function withEnds(program: MessageProgram): MessageProgram[] {
  const { name } = program;
  return [
    program,
    { ...program, name: `${name}, the sender killed`, kill: 0 },
    { ...program, name: `${name}, the sender cut off`, cut: 0 },
  ];
}

/** Deliberate breaks of lanes and bells. */
export const messageMutants: readonly Mutant[] = [
  {
    name: 'the bell is rung before the message is published',
    file: 'shared/mailbox.ts',
    caughtBy: 'two senders open lanes to one receiver',
    find: `    writer.publish(body.byteLength, type | (body.encoding << RecordType.encodingShift), slot, epoch, call);
    ring(this.#control, this.#lanes.bellAt(lane.slot));`,
    replace: `    ring(this.#control, this.#lanes.bellAt(lane.slot));
    writer.publish(body.byteLength, type | (body.encoding << RecordType.encodingShift), slot, epoch, call);`,
  },
  {
    name: 'nobody rings',
    file: 'shared/mailbox.ts',
    caughtBy: 'two senders open lanes to one receiver',
    find: '    ring(this.#control, this.#lanes.bellAt(lane.slot));',
    replace: '',
  },
  {
    name: 'a sleeper does not look once more',
    file: 'shared/mailbox.ts',
    caughtBy: 'two senders open lanes to one receiver',
    find: '    if (!this.#hasWork()) return true;',
    replace: '    if (true) return true;',
  },
  {
    name: 'a sleeper looks before it says that it sleeps',
    file: 'shared/mailbox.ts',
    caughtBy: 'two senders open lanes to one receiver',
    find: `    Atomics.store(this.#control, this.bellAt, BellState.asleep);
    if (!this.#hasWork()) return true;`,
    replace: `    const work = this.#hasWork();
    Atomics.store(this.#control, this.bellAt, BellState.asleep);
    if (!work) return true;`,
  },
  {
    name: 'a sleeper does not look for new lanes',
    file: 'shared/mailbox.ts',
    caughtBy: 'two senders open lanes to one receiver',
    find: '    if (this.#lanes.hasArrivals(this.#slot)) return true;',
    replace: '',
  },
  {
    name: 'who finds the bell asleep wakes nobody',
    file: 'shared/bell.ts',
    caughtBy: 'two senders open lanes to one receiver',
    find: `!== BellState.asleep) return;
  Atomics.notify(words, at);`,
    replace: '!== BellState.asleep) return;',
  },
  {
    name: 'who buries a thread leaves the bells as they are, and only notifies',
    file: 'shared/bell.ts',
    caughtBy: 'the first message opens a lane | receive, the sender cut off',
    find: '  Atomics.store(words, at, BellState.awake);\n',
    replace: '',
  },
  {
    name: 'who buries a thread wakes nobody',
    file: 'shared/mailbox.ts',
    caughtBy: 'two messages | receive, the sender killed',
    find: 'for (let slot = 0; slot < this.#owners.threadsMax; slot++) wake(this.#control, this.#lanes.bellAt(slot));',
    replace: 'for (let slot = 0; slot < 0; slot++) wake(this.#control, this.#lanes.bellAt(slot));',
  },
  {
    name: 'who was cut off does not ring again',
    file: 'shared/mailbox.ts',
    caughtBy: 'the first message opens a lane | receive, the sender cut off',
    find: '    if (this.#unrung === -1) return;\n    wake(',
    replace: '    if (this.#unrung > -2) return;\n    wake(',
  },
  {
    name: 'what is not rung yet is noted after it is published',
    file: 'shared/mailbox.ts',
    caughtBy: 'the first message opens a lane | receive, the sender cut off',
    find: `    this.#unrung = lane.slot;
    writer.publish(body.byteLength, type | (body.encoding << RecordType.encodingShift), slot, epoch, call);`,
    replace: `    writer.publish(body.byteLength, type | (body.encoding << RecordType.encodingShift), slot, epoch, call);
    Atomics.load(this.#control, 0);
    this.#unrung = lane.slot;`,
  },
  {
    name: 'the body is written after the record is published',
    file: 'shared/mailbox.ts',
    caughtBy: 'two senders open lanes to one receiver',
    find: `    body.write(writer.bytes, at);
    this.#unrung = lane.slot;
    writer.publish(body.byteLength, type | (body.encoding << RecordType.encodingShift), slot, epoch, call);`,
    replace: `    this.#unrung = lane.slot;
    writer.publish(body.byteLength, type | (body.encoding << RecordType.encodingShift), slot, epoch, call);
    body.write(writer.bytes, at);`,
  },
  {
    name: 'the tail is published before the words of the record',
    file: 'shared/ring.ts',
    caughtBy: 'two senders open lanes to one receiver',
    find: `    words[at + Entry.length] = bodyBytes;
    words[at + Entry.type] = type;`,
    replace: `    Atomics.store(words, this.#at + Ring.tail, this.#next);
    words[at + Entry.length] = bodyBytes;
    words[at + Entry.type] = type;`,
  },
  {
    name: 'the writer takes a full ring for one with room',
    file: 'shared/ring.ts',
    caughtBy: 'more than the ring takes | receive, killed',
    find: '      if ((end - this.#head) >>> 0 > size) return -1;',
    replace: '      if ((end - this.#head) >>> 0 > 2 * size) return -1;',
  },
  {
    name: 'the reader gives records back before it reads them',
    file: 'shared/ring.ts',
    caughtBy: 'more than the ring takes | receive, killed',
    find: '    const at = (this.#from + offset) >>> 2;\n    const length = words[at + Entry.length];',
    replace: `    Atomics.store(words, this.#at + Ring.head, this.#tail);
    const at = (this.#from + offset) >>> 2;
    const length = words[at + Entry.length];`,
  },
  {
    name: 'a record does not name where it begins',
    file: 'shared/ring.ts',
    caughtBy: 'more than the ring takes | receive, killed',
    find: 'this.#position = (tail + skipped) | 0;',
    replace: 'this.#position = tail;',
  },
  {
    name: 'who waits for room does not say so',
    file: 'shared/ring.ts',
    caughtBy: 'more than the ring takes | receive, killed',
    find: '    Atomics.store(this.words, this.#at + Ring.wanted, 1);\n',
    replace: '',
  },
  {
    name: 'who waits for room does not look again',
    file: 'shared/ring.ts',
    caughtBy: 'more than the ring takes | receive, killed',
    find: 'return this.reserve(bodyBytes) !== -1;',
    replace: 'return false;',
  },
  {
    name: 'the reader looks for who waits before it makes room',
    file: 'shared/ring.ts',
    caughtBy: 'more than the ring takes | receive, killed',
    find: `    Atomics.store(words, this.#at + Ring.head, this.#head);
    if (Atomics.load(words, this.#at + Ring.wanted) === 0) return false;`,
    replace: `    const wanted = Atomics.load(words, this.#at + Ring.wanted);
    Atomics.store(words, this.#at + Ring.head, this.#head);
    if (wanted === 0) return false;`,
  },
  {
    name: 'the reader makes room and does not ring',
    file: 'shared/mailbox.ts',
    caughtBy: 'more than the ring takes | receive, killed',
    find: 'if (reader.release()) ring(this.#control, this.#lanes.bellAt(end.slot));',
    replace: 'reader.release();',
  },
  {
    name: 'a sender does not look whose lane it has',
    file: 'shared/mailbox.ts',
    caughtBy: 'a sender opens the lane to the next tenant of a row whose lane it had',
    find: 'if (end !== undefined && end.epoch === threadEpoch) return end;',
    replace: 'if (end !== undefined) return end;',
  },
  {
    name: 'a receiver takes lanes of the tenant before it for its own',
    file: 'shared/lanes.ts',
    caughtBy: 'a receiver dies | a message for it',
    find: 'if (Atomics.load(words, at + Lane.receiverEpoch) !== receiverEpoch || words[at + Lane.receiver] !== receiver)',
    replace: 'if (words[at + Lane.receiver] !== receiver)',
  },
  {
    name: 'a lane is opened anew while its receiver lives',
    file: 'shared/lanes.ts',
    caughtBy: 'a sender dies | its receiver gives the lane back',
    find: 'return !senderLives && this.#owners.epoch(receiver) !== receiverEpoch;',
    replace: 'return !senderLives;',
  },
  {
    name: 'a lane is opened anew while its sender lives',
    file: 'shared/lanes.ts',
    caughtBy: 'a receiver dies | a message for it | who buries it',
    find: 'return !senderLives && this.#owners.epoch(receiver) !== receiverEpoch;',
    replace: 'return this.#owners.epoch(receiver) !== receiverEpoch;',
  },
  {
    name: 'the receiver is not told of a new lane',
    file: 'shared/lanes.ts',
    caughtBy: 'two senders open lanes to one receiver',
    find: 'Atomics.add(this.#control, this.#map.threads + receiver * ThreadInfo.words + ThreadInfo.lanes, 1);',
    replace: '',
  },
  {
    name: 'a lane is given back without a look at what is in it',
    file: 'shared/mailbox.ts',
    caughtBy: 'a sender leaves after its last message',
    find: 'if (!end.urgent.hasMore() && !end.normal.hasMore()) freed.push(end);',
    replace: 'freed.push(end);',
  },
  {
    name: 'a lane is given back while its sender lives',
    file: 'shared/mailbox.ts',
    caughtBy: 'two messages',
    find: '      if (this.#owners.epoch(end.slot) === end.epoch) continue;\n',
    replace: '',
  },
  {
    name: 'what is in a lane is looked at before whether its sender has ended',
    file: 'shared/mailbox.ts',
    caughtBy: 'a sender leaves after its last message',
    find: `      if (this.#owners.epoch(end.slot) === end.epoch) continue;
      if (!end.urgent.hasMore() && !end.normal.hasMore()) freed.push(end);`,
    replace: `      const more = end.urgent.hasMore() || end.normal.hasMore();
      if (this.#owners.epoch(end.slot) === end.epoch) continue;
      if (!more) freed.push(end);`,
  },
  {
    name: 'a lane is published before its words are written',
    file: 'shared/lanes.ts',
    caughtBy: 'lanes that were given back are opened by two',
    find: `    Atomics.store(words, at + Lane.receiverEpoch, 0);
    for`,
    replace: `    words[at + Lane.receiver] = receiver;
    Atomics.store(words, at + Lane.receiverEpoch, receiverEpoch);
    for`,
  },
  {
    name: 'the receiver is told of a new lane before it is one',
    file: 'shared/lanes.ts',
    caughtBy: 'the first message opens a lane | receive',
    find: `        this.#assign(this.#at(number), sender, senderEpoch, receiver, receiverEpoch);
        if (number > used) Atomics.store(this.#words, LanesAt.used, number);
      }
      Atomics.add(this.#control, this.#map.threads + receiver * ThreadInfo.words + ThreadInfo.lanes, 1);`,
    replace: `        Atomics.add(this.#control, this.#map.threads + receiver * ThreadInfo.words + ThreadInfo.lanes, 1);
        this.#assign(this.#at(number), sender, senderEpoch, receiver, receiverEpoch);
        if (number > used) Atomics.store(this.#words, LanesAt.used, number);
      }`,
  },
  {
    name: 'a slice goes on to what was sent after the look for urgent messages',
    file: 'shared/mailbox.ts',
    find: 'while (count < limits.drainSliceRecords && !this.#ended && reader.next()) {',
    replace: 'while (count < limits.drainSliceRecords && !this.#ended && reader.look() && reader.next()) {',
  },
  {
    name: 'urgent messages are looked for before the others are',
    file: 'shared/mailbox.ts',
    find: `    this.#drainUrgent(end, turn);
    return !turn.over`,
    replace: '    return !turn.over',
  },
];
