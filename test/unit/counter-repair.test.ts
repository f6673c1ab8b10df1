import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CounterTable, NOBODY } from '../../src/shared/counter-table.ts';
import { ControlMap, CounterRow, Counters, Guard, Header } from '../../src/shared/layout.ts';
import type { TableBuffers } from '../../src/shared/table.ts';
import { BareThread, bareTable } from '../support/bare-thread.ts';
import { Crasher, dies } from '../support/crash.ts';
import { type Watch, watchWords, withWatchedAtomics } from '../support/watched-words.ts';

/*
 * As repair.test.ts, for counters: a thread dies after each write of a claim or of a sweep, and another repairs. What was
 * counted is then in the sum exactly once, and each row is a counter or free.
 */
const test = suite('counter repair');

const NAME = 7;

/** One thread with its counters. */
class Counting {
  readonly thread: BareThread;
  readonly counters: CounterTable;
  readonly #plain: Int32Array<SharedArrayBuffer>;
  readonly #map: ControlMap;

  constructor(buffers: TableBuffers, watch?: Watch) {
    this.thread = new BareThread(buffers, watch);
    this.#plain = new Int32Array(buffers.control);
    this.#map = new ControlMap(1, this.#plain[Header.threadsMax], this.#plain[Header.ownersMax]);
    const words = watch ? watchWords(this.#plain, watch) : this.#plain;
    this.counters = new CounterTable(words, this.#map, this.thread.owners);
    this.counters.lock.hold(this.thread.slot, this.thread.epoch);
  }

  /** Counts for an owner of this thread, which then dies. */
  countAndDie(kept: boolean, by: number): void {
    const { thread } = this;
    const slot = thread.ownerTable.claimOwner(thread.slot, thread.epoch);
    const epoch = thread.owners.epoch(slot);
    this.add(this.counters.claim(NAME, slot, epoch, kept), by);
    thread.owners.kill(slot, epoch);
  }

  add(row: number, by: number): void {
    this.#plain[row + CounterRow.value] += by;
  }

  /** Words of the rows that were ever used, but those of the values. */
  rows(): { used: number; counters: number } {
    const first = this.#map.counters + Counters.words;
    const used = this.#plain[this.#map.counters + Counters.used];
    const epochs = Array.from({ length: used }, (_, n) => this.#plain[first + n * CounterRow.words + CounterRow.epoch]);
    return { used, counters: epochs.filter((epoch) => epoch & 1).length };
  }

  checkRest(): void {
    assert.is(this.#plain[this.#map.counters + Guard.lock], 0);
    assert.is(this.#plain[this.#map.counters + Guard.op], 0);
  }
}

const cases: Record<string, { prepare: (other: Counting) => void; act: (dying: Counting) => void; sum: bigint }> = {
  'claim of a shared counter': {
    prepare: () => {},
    act: ({ counters }) => void counters.claim(NAME, NOBODY, 0, false),
    sum: 0n,
  },
  'claim of a row that was used, and of the shared one with it': {
    prepare: (other) => {
      other.countAndDie(false, 5);
      other.counters.sweep();
    },
    act: ({ counters, thread }) => void counters.claim(NAME, thread.slot, thread.epoch, true),
    sum: 0n,
  },
  'sweep of two counts that are kept and one that is gone': {
    prepare: (other) => {
      other.countAndDie(true, 30);
      other.countAndDie(false, 5);
      other.countAndDie(true, 400);
    },
    act: ({ counters }) => counters.sweep(),
    sum: 430n,
  },
};

for (const [name, { prepare, act, sum }] of Object.entries(cases)) {
  test(`${name}: at each write`, () =>
    withWatchedAtomics(() => {
      for (let write = 0; ; write++) {
        const buffers = bareTable();
        const other = new Counting(buffers);
        prepare(other);
        const crasher = new Crasher();
        const dying = new Counting(buffers, crasher);
        crasher.writesLeft = write;
        const died = dies(() => act(dying));
        other.thread.owners.kill(dying.thread.slot, dying.thread.epoch);
        other.counters.recoverFrom(dying.thread.slot, dying.thread.epoch);
        assert.is(other.counters.sum(NAME), sum, `write ${write}`);
        other.counters.sweep();
        assert.is(other.counters.sum(NAME), sum, `write ${write}, swept`);
        const shared = other.counters.claim(NAME, NOBODY, 0, false);
        assert.is(other.rows().counters, 1, `write ${write}: all but the shared one are free`);
        other.add(shared, 1);
        assert.is(other.counters.sum(NAME), sum + 1n);
        other.counters.claim(NAME + 1, NOBODY, 0, false);
        assert.ok(other.rows().used <= 4, 'free rows are used again');
        other.checkRest();
        if (!died) return;
      }
    }));
}

test.run();
