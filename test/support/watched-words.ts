/*
 * Shared words behind a proxy that tells of each access before it happens. So one thread can stand for several: what
 * another does, or its death, is put between any two accesses.
 */

type Words = Int32Array<SharedArrayBuffer>;

/** Told before each access; may throw, which is the end of the thread that wanted it. */
export interface Watch {
  beforeRead?(): void;
  beforeWrite?(): void;
}

const watched = new WeakMap<object, { readonly words: Words; readonly watch: Watch }>();

export function watchWords(words: Words, watch: Watch): Words {
  const proxy = new Proxy(words, {
    get(target, key) {
      if (isIndex(key)) watch.beforeRead?.();
      const value = Reflect.get(target, key, target);
      if (typeof value !== 'function') return value;
      return (...values: unknown[]) => {
        watch.beforeWrite?.(); // `fill` and its like are one write
        return value.apply(target, values);
      };
    },
    set(target, key, value) {
      watch.beforeWrite?.();
      return Reflect.set(target, key, value, target);
    },
  });
  watched.set(proxy, { words, watch });
  return proxy;
}

const isIndex = (key: string | symbol): boolean => typeof key === 'string' && key >= '0' && key < ':';

/** Runs with `Atomics` that know watched words. */
export function withWatchedAtomics<T>(run: () => T): T {
  const originals = names.map((name) => [name, Atomics[name]] as const);
  for (const [name, original] of originals) {
    const call = original as (words: unknown, ...rest: number[]) => unknown;
    replace(name, (words: object, ...rest: number[]) => {
      const { watch, words: target } = watched.get(words) ?? { words };
      if (name === 'load') watch?.beforeRead?.();
      else watch?.beforeWrite?.();
      return call(target, ...rest);
    });
  }
  try {
    return run();
  } finally {
    for (const [name, original] of originals) replace(name, original);
  }
}

const names = ['load', 'store', 'exchange', 'add', 'compareExchange', 'notify', 'wait'] as const;

function replace(name: (typeof names)[number], value: unknown): void {
  Object.defineProperty(Atomics, name, { value, writable: true, configurable: true });
}
