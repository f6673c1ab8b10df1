import { RegistryError } from '../shared/errors.ts';
import { quote } from '../shared/name-key.ts';
import type { Entry, SharedEntry } from './entry.ts';
import { type Change, KindChanges } from './kind-changes.ts';
import { checkKnown, checkSignal, checkTimeout } from './options.ts';
import type { Parts } from './parts.ts';
import { type Look, StateIterator, waitFor } from './wait.ts';
import { Waker } from './waker.ts';

/** How long something is watched. */
export interface WatchOptions {
  /** Ends the watch when it aborts. */
  readonly signal?: AbortSignal | undefined;
}

/** How long a name is waited for. */
export interface AwaitOptions {
  /** Ends the wait when it aborts, with its reason. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds, from 0 to 2,147,483,647; then it ends in `TIMEOUT`. By default for ever. */
  readonly timeoutMs?: number | undefined;
}

/** Waiting for changes, for one thread. */
export class Watches {
  readonly #parts: Parts;
  readonly #waker: Waker;

  /** @internal */
  constructor(parts: Parts) {
    this.#parts = parts;
    this.#waker = new Waker(parts.table, parts.life);
  }

  /** See `Registry.watch`. */
  name<Config>(kind: string, id: string, options: WatchOptions): StateIterator<Entry<Config> | undefined> {
    const name = new NameStates(this.#parts, kind, id);
    name.now(); // says at once what is wrong with it
    const iterator = this.states(() => name.next(), options);
    return iterator as StateIterator<Entry<Config> | undefined>;
  }

  /** See `Registry.watchAll`. */
  kind<Config>(kind: string, options: WatchOptions): StateIterator<Change<Config>> {
    this.#parts.life.checkOpen();
    this.#parts.table.kinds.find(kind);
    const changes = new KindChanges(this.#parts, kind);
    return this.states(() => changes.next(), options) as StateIterator<Change<Config>>;
  }

  /** Whatever `look` finds new, as it comes. */
  states<T>(look: Look<{ readonly value: T }>, options: WatchOptions): StateIterator<T> {
    checkOptions(options, ['signal']);
    const open: Look<{ readonly value: T }> = () => {
      this.#parts.life.checkOpen();
      return look();
    };
    return new StateIterator(this.#waker, open, options.signal);
  }

  /** See `Registry.awaitName`. */
  async present<Config>(kind: string, id: string, options: AwaitOptions): Promise<Entry<Config>> {
    checkOptions(options, ['signal', 'timeoutMs']);
    const { signal, timeoutMs } = options;
    checkTimeout(timeoutMs);
    const name = new NameStates(this.#parts, kind, id);
    const found = name.now();
    if (timeoutMs === undefined || found !== undefined)
      return (await this.#until(() => name.now(), signal)) as Entry<Config>;
    await undefined; // a timer is not started in a call that a `vm` time-out may cut off
    const ended = new AbortController();
    const timer = setTimeout(() => ended.abort(timedOut(kind, id, timeoutMs)), timeoutMs);
    try {
      const either = signal === undefined ? ended.signal : AbortSignal.any([signal, ended.signal]);
      return (await this.#until(() => name.now(), either)) as Entry<Config>;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Resolves when `isDue` says so, told whether nobody has the name. It is asked at each ring of the bell. */
  async until(
    isDue: (absent: boolean) => boolean,
    kind: string,
    id: string,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const name = new NameStates(this.#parts, kind, id);
    await this.#until(() => (isDue(name.now() === undefined) ? true : undefined), signal);
  }

  end(): void {
    this.#waker.end();
  }

  #until<T>(look: Look<T>, signal: AbortSignal | undefined): Promise<T> {
    return waitFor(this.#waker, look, signal);
  }
}

/** What a name stands for, looked at again and again: a few loads while it has not changed. */
class NameStates {
  readonly #parts: Parts;
  readonly #kind: string;
  readonly #id: string;
  #answer: SharedEntry | undefined;
  /** The version that was told last, 0 for none; undefined before the first. */
  #told: number | undefined;

  constructor(parts: Parts, kind: string, id: string) {
    this.#parts = parts;
    this.#kind = kind;
    this.#id = id;
  }

  now(): SharedEntry | undefined {
    const { life, resolver } = this.#parts;
    if (!this.#answer?.holds(life.words)) {
      this.#parts.life.checkOpen();
      this.#answer = this.#answer?.renewed(life.words) ?? resolver.resolve(this.#kind, this.#id);
    }
    return this.#answer?.found;
  }

  /** The state if it is not the one that was told last. */
  next(): { readonly value: SharedEntry | undefined } | undefined {
    const value = this.now();
    const version = value?.version ?? 0;
    if (version === this.#told) return undefined;
    this.#told = version;
    return { value };
  }
}

const timedOut = (kind: string, id: string, timeoutMs: number): RegistryError =>
  new RegistryError('TIMEOUT', `${kind} ${quote(id)} was not registered within ${timeoutMs} ms`);

function checkOptions(options: WatchOptions, known: readonly string[]): void {
  checkKnown(options, known);
  checkSignal(options.signal);
}
