import { Header } from '../shared/layout.ts';
import type { Table } from '../shared/table.ts';

/**
 * Tells that some owner or name has ended, anywhere: then who is interested looks whether it was theirs.
 *
 * Whoever ends an owner, or a name while names are monitored, moves `Header.endings` afterwards and notifies. A listening
 * thread has one `Atomics.waitAsync` on it outstanding, for the value it saw before it looked: so nothing is missed, many
 * endings in one turn are one look, and while nothing ends nothing runs.
 */
export class Endings {
  readonly #table: Table;
  readonly #listeners = new Set<() => void>();
  #waits = false;
  #starts = false;

  constructor(table: Table) {
    this.#table = table;
  }

  /** Calls `listener` in a turn of the event loop after each ending, and once at first: what ended before is for it, too. */
  listen(listener: () => void): void {
    this.#listeners.add(listener);
    if (this.#waits || this.#starts) return;
    // In a promise of its own, as a `vm` time-out may cut the caller off.
    void Promise.resolve().then(() => {
      this.#starts = false;
      if (!this.#waits) this.#look();
    });
    this.#starts = true;
  }

  forget(listener: () => void): void {
    this.#listeners.delete(listener);
  }

  #look(): void {
    const { control } = this.#table;
    while (this.#listeners.size > 0) {
      const seen = Atomics.load(control, Header.endings);
      for (const listener of this.#listeners) listener();
      if (this.#listeners.size === 0) return;
      const { async, value } = Atomics.waitAsync(control, Header.endings, seen);
      if (!async) continue;
      this.#waits = true;
      void value.then(() => {
        this.#waits = false;
        this.#look();
      });
      return;
    }
  }
}
