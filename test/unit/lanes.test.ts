import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Lanes, lanesMax } from '../../src/shared/lanes.ts';
import { ControlMap, Header, ThreadInfo } from '../../src/shared/layout.ts';
import { limits } from '../../src/shared/limits.ts';
import { BareThread, bareTable } from '../support/bare-thread.ts';
import { codeOf } from '../support/errors.ts';

/* The table of lanes below the public calls: when one is used again, when there is none, and what damage does to it. */
const test = suite('lanes');

function laneTable(messageBytesMax: number) {
  const buffers = bareTable({ messageBytesMax });
  const threads = [new BareThread(buffers), new BareThread(buffers), new BareThread(buffers)];
  const control = new Int32Array(buffers.control);
  const map = new ControlMap(1, control[Header.threadsMax], control[Header.ownersMax]);
  const lanes = threads.map(({ owners, ownerTable }) => new Lanes(buffers.lanes, control, map, owners, ownerTable));
  return { buffers, threads, lanes };
}

test('when all lanes are in use that is told, and the one of a dead pair can be had', () => {
  const { threads, lanes } = laneTable(limits.messageBytesMax);
  const max = lanesMax(limits.messageBytesMax);
  const [one, other] = threads;
  // The sender lives, so each lane is in use, whichever tenancy of the receiver it is to.
  const open = (tenancy: number) => lanes[0].open(one.slot, one.epoch, other.slot, tenancy * 4 + 1);
  for (let n = 1; n <= max; n++) assert.is(open(n).number, n);
  assert.is(
    codeOf(() => open(max + 1)),
    'LANES_FULL',
  );
  assert.is(open(7).number, 7, 'one that is there is found');
  lanes[0].leave(open(7));
  assert.is(open(max + 1).number, 7, 'one that its sender has left is free, as its receiver is dead');
});

test('a lane is used again once neither side uses it', () => {
  const { threads, lanes } = laneTable(64);
  const [one, two, three] = threads;
  const first = lanes[0].open(one.slot, one.epoch, two.slot, two.epoch);
  const [arrived] = lanes[1].arrivals(two.slot, two.epoch);
  assert.equal([arrived.number, arrived.slot, arrived.epoch], [first.number, one.slot, one.epoch]);
  assert.equal(lanes[1].arrivals(two.slot, two.epoch), []);
  one.owners.kill(one.slot, one.epoch);
  const second = lanes[2].open(three.slot, three.epoch, two.slot, two.epoch);
  assert.is.not(second.number, first.number, 'its receiver may still read it');
  lanes[1].giveBack(arrived);
  const third = lanes[1].open(two.slot, two.epoch, three.slot, three.epoch);
  assert.is(third.number, first.number);
});

test('a lane names the thread that opened it, whoever has its row when it is read', () => {
  const { buffers, threads, lanes } = laneTable(64);
  const [one, two] = threads;
  const control = new Int32Array(buffers.control);
  const idAt = mapOf(one).threads + one.slot * ThreadInfo.words + ThreadInfo.threadId;
  control[idAt] = 77;
  lanes[0].open(one.slot, one.epoch, two.slot, two.epoch);
  one.owners.kill(one.slot, one.epoch);
  control[idAt] = 78; // of the next tenant
  assert.is(lanes[1].arrivals(two.slot, two.epoch)[0].threadId, 77);
});

test('damaged words are told, and followed by none', () => {
  const { buffers, threads, lanes } = laneTable(64);
  const [one, two, three] = threads;
  lanes[0].open(one.slot, one.epoch, two.slot, two.epoch);
  const words = new Int32Array(buffers.lanes);
  const [usedAt, senderAt] = [words.indexOf(1, 8), 32];
  const damage = (at: number, value: number, act: () => unknown) => {
    const before = words[at];
    words[at] = value;
    assert.is(codeOf(act), 'CORRUPT', `${value} at ${at}`);
    words[at] = before;
  };
  const arrive = () =>
    new Lanes(buffers.lanes, two.memory.control, mapOf(two), two.owners, two.ownerTable).arrivals(two.slot, two.epoch);
  for (const value of [-1, 1 << 30, 1_000]) damage(usedAt, value, arrive);
  for (const value of [-1, 1 << 30]) damage(senderAt, value, arrive);
  for (const value of [-1, 1 << 30]) {
    damage(senderAt, value, () => lanes[2].open(three.slot, three.epoch, two.slot, two.epoch));
  }
  assert.is(arrive().length, 1);
});

function mapOf({ memory }: BareThread): ControlMap {
  return new ControlMap(1, memory.control[Header.threadsMax], memory.control[Header.ownersMax]);
}

test.run();
