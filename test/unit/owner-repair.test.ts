import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ControlMap, Guard, Header, OwnerRow, OwnerState, ThreadInfo } from '../../src/shared/layout.ts';
import type { TableBuffers } from '../../src/shared/table.ts';
import { BareThread, bareTable } from '../support/bare-thread.ts';
import { Crasher, dies } from '../support/crash.ts';
import { withWatchedAtomics } from '../support/watched-words.ts';

/*
 * As repair.test.ts, for the rows of owners: a thread dies after each write of a claim or of a reclaim, and another
 * repairs. Afterwards every row is free, alive or dead, and as many owners as there may be can be had, each its own.
 */
const test = suite('owner repair');

const ownersMax = 4;

interface Scene {
  readonly buffers: TableBuffers;
  readonly other: BareThread;
  readonly dying: BareThread;
  readonly crasher: Crasher;
}

function stage(prepare: (other: BareThread) => void): Scene {
  const buffers = bareTable({ ownersMax });
  const other = new BareThread(buffers);
  prepare(other);
  const crasher = new Crasher();
  return { buffers, other, dying: new BareThread(buffers, crasher), crasher };
}

/** Ends every owner and takes all there may be, twice. */
function checkRows({ other, buffers }: Scene): void {
  const words = new Int32Array(buffers.control);
  const map = new ControlMap(1, words[Header.threadsMax], words[Header.ownersMax]);
  assert.is(words[map.control + Guard.lock], 0);
  assert.is(words[map.control + Guard.op], 0);
  for (let round = 0; round < 2; round++) {
    for (const [slot, epoch] of deadOwners(other)) other.ownerTable.reclaim(slot, epoch);
    const claimed = new Set<number>();
    for (let n = 0; n < ownersMax; n++) claimed.add(other.ownerTable.claimOwner(other.slot, other.epoch));
    assert.is(claimed.size, ownersMax, 'each is claimed once');
    assert.not.ok(claimed.has(-1));
    assert.is(other.ownerTable.claimOwner(other.slot, other.epoch), -1);
    for (const slot of claimed) assert.ok(other.owners.kill(slot, other.owners.epoch(slot)));
  }
}

function deadOwners({ ownerTable, owners }: BareThread): [number, number][] {
  return ownerTable.dead().filter(([slot]) => slot >= owners.threadsMax);
}

function killed(other: BareThread): [slot: number, epoch: number] {
  const slot = other.ownerTable.claimOwner(other.slot, other.epoch);
  other.owners.kill(slot, other.owners.epoch(slot));
  return [slot, other.owners.epoch(slot)];
}

const claim = (thread: BareThread) => thread.ownerTable.claimOwner(thread.slot, thread.epoch);

const cases: Record<string, { prepare: (other: BareThread) => void; act: (dying: BareThread) => void }> = {
  'claim of a row never used': { prepare: () => {}, act: claim },
  'claim of a row that was used': { prepare: (other) => other.ownerTable.reclaim(...killed(other)), act: claim },
  'reclaim of an owner': {
    prepare: (other) => killed(other),
    act: (dying) => dying.ownerTable.reclaim(...deadOwners(dying)[0]),
  },
  'reclaim of an owner, with others free': {
    prepare: (other) => {
      const rows = [killed(other), killed(other), killed(other)];
      other.ownerTable.reclaim(...rows[0]);
      other.ownerTable.reclaim(...rows[1]);
    },
    act: (dying) => dying.ownerTable.reclaim(...deadOwners(dying)[0]),
  },
};

for (const [name, { prepare, act }] of Object.entries(cases)) {
  test(`${name}: at each write`, () =>
    withWatchedAtomics(() => {
      for (let write = 0; ; write++) {
        const scene = stage(prepare);
        scene.crasher.writesLeft = write;
        const died = dies(() => act(scene.dying));
        scene.other.owners.kill(scene.dying.slot, scene.dying.epoch);
        scene.other.ownerTable.recoverFrom(scene.dying.slot, scene.dying.epoch);
        checkRows(scene);
        if (!died) return;
      }
    }));
}

test('reclaim of a thread row: who takes the row before the repair keeps it', () =>
  withWatchedAtomics(() => {
    for (let write = 0; ; write++) {
      const scene = stage(() => {});
      const { other, buffers, dying, crasher } = scene;
      const ended = new BareThread(buffers);
      other.owners.kill(ended.slot, ended.epoch);
      crasher.writesLeft = write;
      const died = dies(() => dying.ownerTable.reclaim(ended.slot, ended.epoch + 1));
      // Claiming takes no lock, so it may come between the death and the repair.
      const words = new Int32Array(buffers.control);
      const map = new ControlMap(1, words[Header.threadsMax], words[Header.ownersMax]);
      const next = other.ownerTable.claimThread();
      const claimAt = map.threads + next * ThreadInfo.words + ThreadInfo.claim;
      const claimed = words[claimAt];
      other.ownerTable.recoverFrom(dying.slot, dying.epoch);
      assert.is(words[claimAt], claimed, `write ${write}: the claim of slot ${next} stands`);
      assert.is(words[map.owners + next * OwnerRow.words] & OwnerState.mask, OwnerState.alive);
      if (!died) return;
    }
  }));

test.run();
