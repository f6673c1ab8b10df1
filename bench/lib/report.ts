import { cpus } from 'node:os';
import { formatFigure, formatGoal, formatRatio, formatVerdict, type Row } from './rows.ts';

export function describeMachine(): string {
  const cores = cpus();
  return `Node ${process.versions.node}, V8 ${process.versions.v8}, ${process.platform}-${process.arch}, ${cores.length} × ${cores[0]?.model.trim() ?? 'unknown'}`;
}

const withSpread = (value: number, [low, high]: readonly [number, number], unit: string): string =>
  `${formatFigure(value)} ${unit} (${formatFigure(low)}–${formatFigure(high)})`;

/** Rows as a table for a terminal; below them what is to be said about some. */
export function formatRows(rows: readonly Row[]): string {
  const head = ['subject', 'median (quartiles)', 'peer', 'median (quartiles)', 'ratio', 'goal', 'verdict'];
  const table = [head, ...rows.map(cellsOf)];
  const widths = head.map((_, column) => Math.max(...table.map((line) => line[column].length)));
  const lines = table.map((line) => `  ${line.map((cell, n) => cell.padEnd(widths[n])).join('  ')}`.trimEnd());
  const notes = rows.filter(({ note }) => note !== undefined).map(({ subject, note }) => `  * ${subject}: ${note}`);
  return [...lines, ...new Set(notes)].join('\n');
}

function cellsOf(row: Row): string[] {
  const { peer, peerValue, peerSpread, unit, goal } = row;
  return [
    row.subject,
    withSpread(row.value, row.spread, unit),
    peer ?? '',
    peerValue === undefined || peerSpread === undefined ? '' : withSpread(peerValue, peerSpread, unit),
    formatRatio(row),
    goal ? formatGoal(goal, unit) : '',
    formatVerdict(row),
  ];
}
