import type { Registration } from './registration.ts';

/** Inactive registrations that may be kept beside as many active ones, before they are looked for. */
const SLACK = 64;

/** The registrations that end with one signal. */
class Watch {
  readonly #registrations = new Map<string, Registration>();
  #pruneAt = SLACK;

  constructor(signal: AbortSignal) {
    signal.addEventListener(
      'abort',
      () => {
        for (const registration of this.#registrations.values()) registration.unregister();
        this.#registrations.clear();
      },
      { once: true },
    );
  }

  add(registration: Registration): void {
    const { shard, record, born } = registration;
    const name = `${shard} ${record} ${born}`;
    this.#registrations.set(name, registration);
    registration.cleanups.push(() => this.#registrations.delete(name));
    // Others may have ended registrations without telling this thread.
    if (this.#registrations.size < this.#pruneAt) return;
    for (const [key, known] of this.#registrations) if (!known.active) this.#registrations.delete(key);
    this.#pruneAt = this.#registrations.size * 2 + SLACK;
  }
}

/** Unregisters names when signals abort: one listener a signal, however many names, and no signal is kept alive. */
export class AbortWatch {
  readonly #watches = new WeakMap<AbortSignal, Watch>();

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
    }
    watch.add(registration);
  }
}
