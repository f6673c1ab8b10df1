import type { Watch } from './watched-words.ts';

/** What a write throws once the thread is dead. */
export class Crash extends Error {
  override readonly name = 'Crash';
}

/**
 * Ends a thread at the write that is chosen: that one and all after it throw, those of a `finally` too. So the memory
 * is left as `terminate()` leaves it, only that every place gets its turn.
 */
export class Crasher implements Watch {
  /** Writes that still happen. */
  writesLeft: number = Number.POSITIVE_INFINITY;
  writes = 0;

  beforeWrite(): void {
    if (this.writesLeft === 0) throw new Crash('dead');
    this.writesLeft--;
    this.writes++;
  }
}

/** @returns whether the thread died before it was done. */
export function dies(run: () => void): boolean {
  try {
    run();
    return false;
  } catch (error) {
    if (error instanceof Crash) return true;
    throw error;
  }
}
