import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Row } from './rows.ts';

/** What one run of one benchmark gave. */
export interface Outcome {
  readonly rows: readonly Row[];
  readonly checksum: number;
}

/** An outcome, with where and when it was measured. */
export interface Measured extends Outcome {
  readonly name: string;
  readonly summary: string;
  readonly machine: string;
  /** ISO day. */
  readonly day: string;
  readonly effort: string;
}

/** The folder of the measured results: `results.json`, and the charts drawn from it. */
export const docsFolder = path.resolve(import.meta.dirname, '../../docs/benchmarks');
const file = path.join(docsFolder, 'results.json');

/** The order in which people read them; others come behind. */
const order = [
  'lookup',
  'mixes',
  'writes',
  'rivals',
  'messages',
  'groups',
  'stats',
  'scaling',
  'death',
  'memory',
  'growth',
];
const placeOf = (name: string): number => (order.indexOf(name) + order.length + 1) % (order.length + 1);

export function readResults(): readonly Measured[] {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Measured[]) : [];
}

/** Puts results in the place of earlier ones of the same benchmarks. */
export function mergeResults(measured: readonly Measured[]): readonly Measured[] {
  const byName = new Map([...readResults(), ...measured].map((result) => [result.name, result]));
  const merged = [...byName.values()].toSorted((a, b) => placeOf(a.name) - placeOf(b.name));
  mkdirSync(docsFolder, { recursive: true });
  // Pairs of numbers stay on one line, as the formatter wants them.
  const text = JSON.stringify(merged, shorten, 2).replaceAll(
    /\[\s+("[^"]*"|[^\s,[\]]+),\s+([^\s,[\]]+)\s+\]/g,
    '[$1, $2]',
  );
  writeFileSync(file, `${text}\n`);
  return merged;
}

/** Four digits are more than any figure is good for, and keep the file's changes small. */
const shorten = (_: string, value: unknown): unknown =>
  typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
