import { RegistryError } from '../shared/errors.ts';
import { offAbort, onAbort } from './signals.ts';
import type { Sleeper, Waker } from './waker.ts';

/** Looks for what is waited for. @returns undefined while it has not come */
export type Look<T> = () => T | undefined;

/** Resolves with what `look` finds: at once, or as soon as it finds something.
 *  @throws {RegistryError} `CLOSED` when the registry is closed meanwhile; what `look` throws; the signal's reason */
export async function waitFor<T>(waker: Waker, look: Look<T>, signal: AbortSignal | undefined): Promise<T> {
  signal?.throwIfAborted();
  const now = look();
  if (now !== undefined) return now; // and nobody has to ring for it
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const sleeper: Sleeper = {
    look() {
      try {
        const found = look();
        if (found !== undefined) resolve(found);
        else return;
      } catch (error) {
        reject(error);
      }
      waker.delete(sleeper);
    },
    end() {
      reject(new RegistryError('CLOSED', 'the registry was closed while this waited'));
    },
  };
  const abort = (): void => {
    waker.delete(sleeper);
    reject(signal?.reason);
  };
  if (signal !== undefined) onAbort(signal, abort);
  try {
    waker.add(sleeper);
    sleeper.look();
    return await promise;
  } finally {
    if (signal !== undefined) offAbort(signal, abort);
  }
}

/**
 * States, one after the other, as an async iterator. `next` gives what `look` finds new: at once if there is something, else
 * when it has come. Nothing is queued, so what comes and goes between two calls is not told; the last state always is.
 * Ends when the registry is closed, the signal aborts, or its user leaves the loop. Only while `next` waits does it keep the
 * process alive.
 */
export class StateIterator<T> implements AsyncIterableIterator<T, undefined>, AsyncDisposable {
  readonly #waker: Waker;
  readonly #look: Look<{ readonly value: T }>;
  readonly #signal: AbortSignal | undefined;
  readonly #abort = (): void => this.#finish();
  readonly #ended = new AbortController();
  #last: Promise<unknown> = Promise.resolve();

  /** @param look finds the next state if it is not the one found before */
  constructor(waker: Waker, look: Look<{ readonly value: T }>, signal: AbortSignal | undefined) {
    this.#waker = waker;
    this.#look = look;
    this.#signal = signal;
    if (signal?.aborted) this.#finish();
    else if (signal !== undefined) onAbort(signal, this.#abort);
  }

  /** @throws {RegistryError} `CORRUPT`, `BUSY`, by rejecting */
  next(): Promise<IteratorResult<T, undefined>> {
    const result = this.#last.then(() => this.#next());
    this.#last = result.catch(() => {});
    return result;
  }

  /** Ends it; a `break` of a `for await` does so. */
  return(): Promise<IteratorResult<T, undefined>> {
    this.#finish();
    return Promise.resolve(done);
  }

  /** Itself: one loop goes through it. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** For `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#finish();
  }

  async #next(): Promise<IteratorResult<T, undefined>> {
    const { signal } = this.#ended;
    if (signal.aborted) return done;
    try {
      const { value } = await waitFor(this.#waker, this.#look, signal);
      return { done: false, value };
    } catch (error) {
      const wasEnded = signal.aborted || (error instanceof RegistryError && error.code === 'CLOSED');
      this.#finish();
      if (wasEnded) return done;
      throw error;
    }
  }

  #finish(): void {
    if (this.#signal !== undefined) offAbort(this.#signal, this.#abort);
    this.#ended.abort();
  }
}

const done: IteratorResult<never, undefined> = Object.freeze({ done: true, value: undefined });
