/** Deterministic pseudo-random numbers below `bound` (mulberry32), so that every run does the same. */
export function randomNumbers(seed: number): (bound: number) => number {
  let state = seed | 0;
  return (bound) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  };
}

/** The kind of every name that is measured. */
export const kind = 'server';

/** Operations of a sample on hot names, and how many names are hot. */
export const hotNames = 1_000;

/** The n-th name, of 20 characters. */
export const nameOf = (n: number): string => `server-${String(n).padStart(13, '0')}`;

/** Strings that were decoded from bytes, as names from files and sockets are. */
export const makeNames = (count: number): string[] =>
  Array.from({ length: count }, (_, n) => Buffer.from(nameOf(n)).toString('latin1'));

/** Another string object for each, with the same characters and its hash already known. */
export function equalStrings(names: readonly string[]): string[] {
  const copies = names.map((name) => Buffer.from(name).toString('latin1'));
  const hashes = new Set(copies); // computes them
  if (hashes.size === 0) throw new Error('there are no names');
  return copies;
}

/** `count` of the names, drawn at random with repetition. */
export function draw(names: readonly string[], count: number, seed: number): string[] {
  const random = randomNumbers(seed);
  return Array.from({ length: count }, () => names[random(names.length)]);
}

/** A config of 113 bytes of JSON. */
export const sampleConfig = {
  command: 'npx',
  args: ['-y', 'server-everything'],
  capabilities: { tools: true, resources: true },
  port: 7_400_000,
};
export const sampleText: string = JSON.stringify(sampleConfig);

/** What a private Map holds for a name: the same fields as an entry. */
export interface PrivateEntry {
  readonly id: string;
  readonly version: number;
  readonly config: typeof sampleConfig;
}

export const privateMap = (names: readonly string[]): Map<string, PrivateEntry> =>
  new Map(names.map((id, n) => [id, { id, version: n, config: JSON.parse(sampleText) }]));
