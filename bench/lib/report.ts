import { cpus } from 'node:os';
import type { Row } from './compare.ts';

export function describeMachine(): string {
  const cores = cpus();
  return `Node ${process.versions.node}, V8 ${process.versions.v8}, ${process.platform}-${process.arch}, ${cores.length} × ${cores[0]?.model.trim() ?? 'unknown'}`;
}

const figure = (value: number): string => (value < 10 ? value.toFixed(2) : value.toFixed(1));

/** Rows as a table for people. */
export function formatRows(rows: readonly Row[]): string {
  const cells = rows.map((row) => [
    row.subject,
    `${figure(row.value)} ${row.unit}`,
    row.peer,
    `${figure(row.peerValue)} ${row.unit}`,
    `${row.ratio.toFixed(2)}×`,
  ]);
  const table = [['subject', 'median', 'peer', 'median', 'ratio'], ...cells];
  const widths = table[0].map((_, column) => Math.max(...table.map((line) => line[column].length)));
  return table
    .map(
      (line) =>
        `  ${line.map((cell, n) => (n % 2 === 0 && n < 4 ? cell.padEnd(widths[n]) : cell.padStart(widths[n]))).join('  ')}`,
    )
    .join('\n');
}
