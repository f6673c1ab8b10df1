import type { Registration } from './registration.ts';

/** Registrations, or signals, that may have ended unnoticed before they are looked for. */
const SLACK = 64;

/** The registrations that end with one signal. The signal holds it, by the listener, and nothing else does. */
class Watch {
  readonly #signal: AbortSignal;
  readonly #registrations = new Map<string, Registration>();
  readonly #onAbort = () => {
    const failures: unknown[] = [];
    for (const registration of this.#registrations.values()) {
      try {
        registration.unregister();
      } catch (error) {
        failures.push(error); // one shard is busy: the others' names end all the same
      }
    }
    if (failures.length > 0) throw failures[0];
  };
  #pruneAt = SLACK;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  add(registration: Registration): void {
    if (this.#registrations.size === 0) this.#signal.addEventListener('abort', this.#onAbort);
    const { shard, record, born } = registration;
    const name = `${shard} ${record} ${born}`;
    this.#registrations.set(name, registration);
    registration.cleanups.push(() => this.#remove(name));
    // Others may have ended registrations without telling this thread.
    if (this.#registrations.size < this.#pruneAt) return;
    for (const [key, known] of this.#registrations) if (!known.active) this.#remove(key);
    this.#pruneAt = this.#registrations.size * 2 + SLACK;
  }

  #remove(name: string): void {
    this.#registrations.delete(name);
    if (this.#registrations.size === 0) this.end();
  }

  end(): void {
    this.#signal.removeEventListener('abort', this.#onAbort);
  }
}

/** Unregisters names when signals abort: one listener a signal, however many names, and no signal is kept alive. */
export class AbortWatch {
  readonly #watches = new WeakMap<AbortSignal, Watch>();
  #all: WeakRef<Watch>[] = [];
  #pruneAt = SLACK;

  /** @throws the signal's reason, when it has aborted; then the registration is taken back. */
  add(registration: Registration, signal: AbortSignal): void {
    if (signal.aborted) {
      registration.unregister();
      throw signal.reason;
    }
    let watch = this.#watches.get(signal);
    if (watch === undefined) {
      watch = new Watch(signal);
      this.#watches.set(signal, watch);
      this.#all.push(new WeakRef(watch));
      if (this.#all.length >= this.#pruneAt) {
        this.#all = this.#all.filter((known) => known.deref() !== undefined);
        this.#pruneAt = this.#all.length * 2 + SLACK;
      }
    }
    watch.add(registration);
  }

  /** Listens to no signal any more. */
  end(): void {
    for (const watch of this.#all) watch.deref()?.end();
  }
}
