/**
 * What stepped modules call: where they are about to touch memory, and who the running virtual thread is.
 *
 * Every access yields a `Place`; the scheduler decides who goes on. There is one place object per access kind in use at
 * a time, so an exploration of millions of steps allocates little.
 */

/** One shared array element, as a number that all threads' views agree on. */
export type Place = number;

export interface Access {
  place: Place;
  /** r: load, w: store, u: read-modify-write, b: half a copy of text, s: sleep while the element is `expected`, n: wake who
   *  sleeps on it. */
  mode: 'r' | 'w' | 'u' | 'b' | 's' | 'n';
  words: Int32Array;
  index: number;
  expected: number;
  bytes: Buffer | undefined;
  byteFrom: number;
  byteTo: number;
  /** The first of an operation. */
  begins: boolean;
}

const regions = new Map<ArrayBufferLike, number>();
const REGION = 2 ** 28;

type Marked = Int32Array & { $region?: number };

/** Whether an object is an array in shared memory, and so of interest to other threads. */
export function $shared(object: unknown): boolean {
  const marked = object as Marked;
  if (marked.$region !== undefined) return marked.$region >= 0;
  if (object instanceof BigInt64Array) return $shared(lowWords(object));
  if (!(object instanceof Int32Array)) return false;
  if (!(object.buffer instanceof SharedArrayBuffer)) {
    marked.$region = -1;
    return false;
  }
  let region = regions.get(object.buffer);
  if (region === undefined) {
    region = regions.size;
    regions.set(object.buffer, region);
  }
  marked.$region = region;
  return true;
}

const views = new WeakMap<ArrayBufferLike, Int32Array>();

/** Numbers of 64 bits are known by their low words: in the model they are small. */
function lowWords({ buffer }: BigInt64Array): Int32Array {
  const view = views.get(buffer) ?? new Int32Array(buffer);
  views.set(buffer, view);
  return view;
}

/** Names a place in reports: which buffer, which word. */
export const describePlace = (place: Place): string => `${Math.floor(place / REGION)}:${place % REGION}`;

const none = new Int32Array(0);

export function $place(words: Int32Array | BigInt64Array, index: number, mode: Access['mode']): Access {
  if (words instanceof BigInt64Array) return $place(lowWords(words), index * 2, mode);
  const place = ((words as Marked).$region as number) * REGION + index;
  return { place, mode, words, index, expected: 0, bytes: undefined, byteFrom: 0, byteTo: 0, begins: false };
}

export function* $wait(
  words: Int32Array,
  index: number,
  expected: number,
): Generator<Access, string, string | undefined> {
  $shared(words);
  const access = $place(words, index, 's');
  access.expected = expected;
  return (yield access) as string;
}

export function* $notify(words: Int32Array, index: number): Generator<Access, number, unknown> {
  $shared(words);
  yield $place(words, index, 'n');
  return 0;
}

/** `words.fill(value, from, to)`, word by word. */
export function* $fill(words: Int32Array, value: number, from: number, to: number): Generator<Access, void, unknown> {
  for (let index = from; index < to; index++) {
    if ($shared(words)) yield $place(words, index, 'w');
    words[index] = value;
  }
}

/** A copy of text into or out of shared bytes, in two halves. Its place is its first word: copies of one block meet. */
export function* $bulk(
  name: 'latin1Write' | 'latin1Slice' | 'ucs2Slice',
  bytes: Buffer & Record<'latin1Slice' | 'ucs2Slice', (from: number, to: number) => string>,
  first: string | number,
  second: number,
  third: number,
): Generator<Access, unknown, unknown> {
  const region = regions.get(bytes.buffer) as number;
  const half = (mode: 'b' | 'r', byteFrom: number, byteTo: number, start: number): Access => ({
    place: region * REGION + (start >>> 2),
    mode,
    words: none,
    index: 0,
    expected: 0,
    bytes,
    byteFrom,
    byteTo,
    begins: false,
  });
  if (name === 'latin1Write') {
    const text = first as string;
    const middle = third >> 1;
    yield half('b', second, second + middle, second);
    bytes.write(text.slice(0, middle), second, 'latin1');
    yield half('b', second + middle, second + third, second);
    bytes.write(text.slice(middle), second + middle, 'latin1');
    return third;
  }
  const from = first as number;
  const middle = from + (((second - from) >> 2) << 1);
  yield half('r', from, middle, from);
  const head = bytes[name](from, middle);
  yield half('r', middle, second, from);
  return head + bytes[name](middle, second);
}

/** The virtual threads: who runs, who was killed. Thread n is worker thread n + 1 and kernel thread n + 1. */
export let threadId = 0;
export const isMainThread = false;

/** What the kernel knows: 1 for each kernel thread that has ended. To ask it is a step like any other. */
const ended = new Int32Array(new SharedArrayBuffer(64));
$shared(ended);

export function $run(thread: number): void {
  threadId = thread + 1;
}
export function $kill(thread: number): void {
  ended[thread + 1] = 1;
}
export function $reviveAll(): void {
  ended.fill(0);
}
export const $isKernel = ({ words }: Access): boolean => words === ended;

export function* $isKilled(thread: number): Generator<Access, boolean, unknown> {
  yield $place(ended, thread + 1, 'r');
  return ended[thread + 1] === 1;
}

// In place of src/shared/liveness.ts.
export const currentKernelThread = () => ({ tid: threadId, startTicks: 1 });
export function* kernelThreadState({ tid }: { tid: number }): Generator<Access, 'alive' | 'gone', unknown> {
  return (yield* $isKilled(tid - 1)) ? 'gone' : 'alive';
}
