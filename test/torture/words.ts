/*
 * What the threads of a torture run tell each other without a turn of an event loop: one Int32Array, a row for each
 * thread. Survivors have the first rows, the places of victims the others; one victim after the other gets a place.
 */

export const Phase = { control: 0, kills: 1, phases: 2 } as const;

export const Word = { stop: 0, phase: 1, rows: 16 } as const;

export const Row = {
  /** Operations done, wrapping: also the sign of life. */
  operations: 0,
  /** Kilobytes of the thread's heap that are in use. */
  heapKilobytes: 1,
  /** For those that abandon locks alive: slot of the attachment + 1, operations cut short, locks then left held. */
  abandoner: 2,
  cuts: 3,
  abandoned: 4,
  /** The last state of the place's ledger that a victim was told is written. */
  acknowledged: 5,
  /** The last gift that a survivor registered for the place, and the last that a victim was told is unregistered. */
  given: 6,
  gone: 7,
  words: 16,
} as const;

export type Words = Int32Array<SharedArrayBuffer>;

export function tortureWords(threads: number): Words {
  return new Int32Array(new SharedArrayBuffer(4 * (Word.rows + threads * Row.words)));
}

export const rowAt = (row: number, field: number): number => Word.rows + row * Row.words + field;
