import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { Table } from '../shared/table.ts';
import type { Life } from './life.ts';

/** Something that waits for a change in the registry. */
export interface Sleeper {
  /** Looks whether what it waits for has come; if so it leaves by `Waker.delete`. Throws nothing. */
  look(): void;
  /** The registry is closed. */
  end(): void;
}

/**
 * Wakes those of a thread who wait for changes. However many they are, the thread sleeps on the registry's bell once, and each
 * ring is one turn in which all of them look. No timer runs, and while nothing changes nothing does.
 *
 * A wait keeps the process alive, by a port that is held for that: a sleep on shared memory does not.
 */
export class Waker {
  readonly #table: Table;
  readonly #life: Life;
  readonly #sleepers = new Set<Sleeper>();
  #sleeps = false;
  #port: MessagePort | undefined;

  /** @internal */
  constructor(table: Table, life: Life) {
    this.#table = table;
    this.#life = life;
  }

  /** Wakes it from now on. It has to look once more after this. */
  add(sleeper: Sleeper): void {
    this.#sleepers.add(sleeper);
    this.#port ??= new MessageChannel().port1;
    this.#port.ref();
    if (this.#sleeps) return;
    // Not at once: a `vm` time-out may cut this call off, and `#sleep` must come to its end.
    void Promise.resolve().then(() => this.#sleep());
    this.#sleeps = true;
  }

  delete(sleeper: Sleeper): void {
    this.#sleepers.delete(sleeper);
    if (this.#sleepers.size === 0) this.#port?.unref();
  }

  /** The registry is closed in this thread. */
  end(): void {
    for (const sleeper of this.#sleepers) sleeper.end();
    this.#sleepers.clear();
    this.#port?.close();
    this.#port = undefined;
  }

  /** Arm, look, sleep: see `WatchBell`. Who comes while it sleeps looks after the bell was armed. */
  async #sleep(): Promise<void> {
    const { bell } = this.#table.owners;
    while (this.#sleepers.size > 0) {
      if (this.#life.closed || this.#table.closed) {
        this.end();
        break;
      }
      const armed = bell.arm();
      for (const sleeper of this.#sleepers) sleeper.look();
      if (this.#sleepers.size > 0) await bell.rung(armed);
    }
    this.#sleeps = false;
  }
}
