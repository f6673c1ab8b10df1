import { printable } from '../gateway/text.ts';

/** `1,234,567`. */
export const count = (value: number): string => Math.round(value).toLocaleString('en-US');

/** Three digits and a unit: `1.25 ms`. */
export function duration(us: number): string {
  if (us === 0) return '–'; // nothing was measured yet
  if (us < 1_000) return `${digits(us)} µs`;
  return us < 1e6 ? `${digits(us / 1_000)} ms` : `${digits(us / 1e6)} s`;
}

export function bytes(value: number): string {
  const unit = [' B', ' kB', ' MB', ' GB', ' TB'];
  const power = Math.min(unit.length - 1, Math.floor(Math.log10(Math.max(1, value)) / 3));
  return power === 0 ? `${value}${unit[0]}` : `${digits(value / 1_000 ** power)}${unit[power]}`;
}

export const percent = (share: number): string => `${Math.round(share * 100)} %`;

const digits = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));

/** Lines with aligned columns: the first column to the left, the others to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const cells = [head, ...rows].map((row) => row.map(printable));
  const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column].length)));
  return cells.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
      .join('  ')
      .trimEnd(),
  );
}
