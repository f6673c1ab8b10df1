/**
 * The order of memory accesses, where we rely on one. See docs/CORRECTNESS.md, "What it stands on".
 *
 * x86-64 performs loads in order and stores in order, so there plain accesses do, at a tenth of the cost of atomic ones.
 */
// A constant of the module: compilers fold it, which they cannot do with a property of `process`.
const keepsOrder = process.arch === 'x64';

const privateWord = new Int32Array(new SharedArrayBuffer(4));

/** A load that no later load comes before. */
export function loadFirst(words: Int32Array, at: number): number {
  return keepsOrder ? words[at] : Atomics.load(words, at);
}

/** A load that comes after all loads before it. Atomic everywhere: no compiler merges it with an earlier one. */
export function loadAfter(words: Int32Array, at: number): number {
  if (!keepsOrder) Atomics.add(privateWord, 0, 0);
  return Atomics.load(words, at);
}

/** Keeps later plain stores behind a read-modify-write: elsewhere its own store may be seen after them, but never after a
 *  later atomic load, which in turn comes before them. */
export function settleStores(): void {
  if (!keepsOrder) Atomics.load(privateWord, 0);
}

/** A store that comes after all stores before it and before all after it. */
export function storeInOrder(words: Int32Array, at: number, value: number): void {
  if (keepsOrder) words[at] = value;
  else Atomics.store(words, at, value);
}
