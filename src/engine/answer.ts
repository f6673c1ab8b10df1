import { limits } from '../shared/limits.ts';
import type { ShardView } from '../shared/shard-view.ts';
import { Grounds } from './grounds.ts';
import { Mortality } from './mortality.ts';

/** Makes an answer of what views know now. */
export interface Source<Value> {
  /** @returns the value; what it rests on besides the views goes to `grounds`. */
  collect(control: Int32Array, grounds: Grounds): Value;
}

/**
 * An answer made of many entries, which can tell whether it still holds: no shard it was read from has changed, all
 * owners it names live, and of the deadlines it met none has passed, or was renewed late, since. Owners never live again, so those
 * it leaves out do no harm.
 *
 * When all that is so after the answer was made, it was right at the moment between: what was read of the shards had not
 * changed, the living owners lived until later, and the others had died before.
 */
export class Answer<Value> {
  readonly value: Value;
  readonly #words: Int32Array<ArrayBuffer>;
  readonly #sequences: ReadonlyMap<number, number>;
  readonly #mortality: Mortality;

  constructor(value: Value, { words, sequences, mortality }: Grounds) {
    this.value = value;
    this.#words = Int32Array.from(words);
    this.#sequences = sequences;
    this.#mortality = mortality;
  }

  /** Plain loads, each checked for itself: see `SharedEntry.holds`. */
  holds(control: Int32Array): boolean {
    // First: then the deadlines are of these entries and owners, if the words are what they were.
    if (!this.#mortality.isAsNow()) return false;
    const words = this.#words;
    for (let n = 0; n < words.length; n += 2) if (control[words[n]] !== words[n + 1]) return false;
    return true;
  }

  /** A view has caught up, and nothing that the value was made of has changed.
   *  @returns whether it holds again; if not, never again */
  renew(control: Int32Array, { sequenceAt, seen }: ShardView): boolean {
    this.#words[this.#sequences.get(sequenceAt) as number] = seen;
    const holds = this.holds(control);
    this.settle();
    return holds;
  }

  /** From now on it does not hold while a change is under way that it may not have seen. */
  settle(): this {
    for (const n of this.#sequences.values()) this.#words[n] &= ~1;
    return this;
  }
}

/**
 * Lets views catch up and makes an answer of them that was right at one moment during the call; but if writers leave no such
 * moment, each entry at its own.
 * @throws {RegistryError} `CORRUPT`; `BUSY` when a shard had to be locked to be read
 */
export function answerFrom<Value>(
  control: Int32Array,
  views: readonly ShardView[],
  source: Source<Value>,
): Answer<Value> {
  for (let pass = 0; ; pass++) {
    const grounds = new Grounds(new Mortality(views[0].reader));
    for (const view of views) {
      view.catchUp();
      grounds.addSequence(view.sequenceAt, view.seen);
    }
    const answer = new Answer(source.collect(control, grounds), grounds);
    if (pass === limits.viewPassesMax || answer.holds(control)) return answer.settle();
  }
}
