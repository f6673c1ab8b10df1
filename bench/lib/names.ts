/** Deterministic pseudo-random numbers below `bound` (mulberry32), so that every run looks up the same names. */
export function randomNumbers(seed: number): (bound: number) => number {
  let state = seed | 0;
  return (bound) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  };
}

/** Names of 20 characters, as the seeds' measurements use. */
export const makeNames = (count: number): string[] =>
  Array.from({ length: count }, (_, n) => `server-${String(n).padStart(13, '0')}`);

/** A config of 113 bytes of JSON. */
export const sampleConfig = {
  command: 'npx',
  args: ['-y', 'server-everything'],
  capabilities: { tools: true, resources: true },
  port: 7_400_000,
};
