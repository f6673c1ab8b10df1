import { RegistryError } from '../shared/errors.ts';
import type { Table } from '../shared/table.ts';
import type { Owner } from './owner.ts';

/** In place of the registry's words once it is closed: nothing compares equal. */
const noWords = new Int32Array(0);

/** @internal What the objects of one attachment share: whether it is closed, and the words that answers are checked by. */
export class Life {
  words: Int32Array;
  closed = false;
  readonly closings: Closings = new Closings();
  /** Told of each owner of this thread that is closed. */
  onOwnerEnd: (slot: number, epoch: number) => void = () => {};

  readonly #table: Table;

  constructor(table: Table) {
    this.#table = table;
    this.words = table.control;
  }

  /** @throws {RegistryError} `CLOSED`: by this thread, or for all by the one that opened the registry */
  checkOpen(): void {
    if (!this.closed && !this.#table.closed) return;
    throw new RegistryError('CLOSED', 'this registry is closed: open or attach another');
  }

  end(): void {
    this.closed = true;
    this.words = noWords;
  }
}

/**
 * Owners of one thread whose close has begun. A `vm` time-out may cut it off anywhere, which skips `finally`: so once
 * the stack is empty, whether each came to its end is looked at. A promise brings that about, not `setImmediate`: that
 * one is JavaScript of Node's own, and cut off between its count and its queue it leaves the event loop spinning for
 * ever.
 */
class Closings {
  readonly #begun = new Set<Owner>();
  #looks = false;

  begin(owner: Owner): void {
    this.#begun.add(owner);
    if (this.#looks) return;
    void Promise.resolve().then(() => this.#look());
    this.#looks = true;
  }

  end(owner: Owner): void {
    this.#begun.delete(owner);
  }

  #look(): void {
    this.#looks = false;
    for (const owner of this.#begun) owner.requestSweepIfDead();
    this.#begun.clear();
  }
}
