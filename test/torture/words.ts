/*
 * What the threads of a torture run tell each other without a turn of an event loop: one Int32Array, a row for each
 * thread. Survivors have the first rows, the places of victims the others; one victim after the other gets a place.
 */

export const Phase = { control: 0, kills: 1, phases: 2 } as const;

export const Word = {
  /** What survivors are to do: a `Stop`. */
  stop: 0,
  phase: 1,
  /** How many survivors send nothing any more, and know that what they sent has arrived. */
  quiet: 2,
  rows: 16,
} as const;

export const Stop = { no: 0, work: 1, watching: 2 } as const;

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
  /** Additions to the counter of all, and to kept ones of owners: begun, and told to be done. */
  allTried: 8,
  allCounted: 9,
  keptTried: 10,
  keptCounted: 11,
  words: 16,
} as const;

/** Letters to one survivor on one ring: the last number whose sending was begun, and the last that was told to be sent. */
export const Sent = { tried: 0, told: 1, words: 2 } as const;

export type Words = Int32Array<SharedArrayBuffer>;

/** How many threads there are at once, of both kinds. */
export interface CrewSize {
  readonly survivors: number;
  readonly victims: number;
}

export function tortureWords(size: CrewSize): Words {
  return new Int32Array(new SharedArrayBuffer(4 * sentAt({ ...size, row: size.survivors + size.victims }, 0, false)));
}

export const rowAt = (row: number, field: number): number => Word.rows + row * Row.words + field;

/** Where a thread says what it has sent to a survivor. */
export const sentAt = (
  { survivors, victims, row }: CrewSize & { readonly row: number },
  receiver: number,
  urgent: boolean,
): number =>
  Word.rows + (survivors + victims) * Row.words + ((row * survivors + receiver) * 2 + (urgent ? 1 : 0)) * Sent.words;
