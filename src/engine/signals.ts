/** What is to be done when a signal aborts. */
const watched = new WeakMap<AbortSignal, Acts>();

/**
 * All that is to be done at one signal's abort, behind one listener: an `EventTarget` compares each new listener with all that
 * it has, so a signal of 30,000 calls would take seconds.
 */
class Acts {
  readonly all = new Set<() => void>();
  readonly listener = (): void => {
    const failures: unknown[] = [];
    for (const act of this.all) {
      try {
        act();
      } catch (error) {
        failures.push(error); // the others are done all the same
      }
    }
    if (failures.length > 0) throw failures[0];
  };
}

/** Has something done when a signal aborts, once, unless `offAbort` comes first. The signal has not aborted yet. */
export function onAbort(signal: AbortSignal, act: () => void): void {
  let acts = watched.get(signal);
  if (acts === undefined) {
    acts = new Acts();
    signal.addEventListener('abort', acts.listener, { once: true });
    watched.set(signal, acts); // last: who is cut off before it leaves a listener that does nothing
  }
  acts.all.add(act);
}

/** Has it not done. A signal with nothing to do is not listened to. */
export function offAbort(signal: AbortSignal, act: () => void): void {
  const acts = watched.get(signal);
  if (!acts?.all.delete(act) || acts.all.size > 0) return;
  watched.delete(signal);
  signal.removeEventListener('abort', acts.listener);
}
