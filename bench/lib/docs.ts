import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Chart } from './charts.ts';
import { docsFolder, type Measured } from './results.ts';
import { formatFigure, formatGoal, formatRatio, formatVerdict, type Row } from './rows.ts';

const root = path.resolve(import.meta.dirname, '../..');

/** Draws the charts, and puts the tables between the `<!-- bench … -->` marks of the README and the benchmarks' page. */
export async function writeDocs(results: readonly Measured[]): Promise<void> {
  const { drawCharts } = await import('./charts.ts');
  const charts = new Map(results.map((result) => [result, drawCharts(result)]));
  for (const file of existsSync(docsFolder) ? readdirSync(docsFolder) : []) {
    if (file.endsWith('.svg')) rmSync(path.join(docsFolder, file));
  }
  for (const chart of [...charts.values()].flat())
    writeFileSync(path.join(docsFolder, `${chart.name}.svg`), `${chart.svg}\n`);
  const sections = [...charts].map(([result, drawn]) => sectionOf(result, drawn));
  rewrite('docs/BENCHMARKS.md', 'goals', goalsTable(results));
  rewrite('docs/BENCHMARKS.md', 'profiles', profilesTable(results));
  rewrite('docs/BENCHMARKS.md', 'rows', sections.join('\n\n'));
  rewrite('README.md', '', headlineTable(results));
}

/** Replaces what is between the marks of `section`; says so when a file has none. */
function rewrite(name: string, section: string, text: string): void {
  const mark = section === '' ? 'bench' : `bench ${section}`;
  const [begin, end] = [`<!-- ${mark} -->`, `<!-- /${mark} -->`];
  const file = path.join(root, name);
  const before = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const from = before.indexOf(begin);
  const to = before.indexOf(end);
  if (from === -1 || to < from) {
    console.log(`${name} has no ${begin} … ${end}: left as it is`);
    return;
  }
  const after = `${before.slice(0, from)}${begin}\n\n${text}\n\n${before.slice(to)}`;
  if (after !== before) writeFileSync(file, after);
}

/** Cells as Markdown that the formatter leaves alone. */
function markdownTable(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const table = [head, ...lines].map((cells) => cells.map((cell) => cell.replaceAll('|', '\\|')));
  const widths = head.map((_, column) => Math.max(3, ...table.map((line) => line[column].length)));
  const line = (cells: readonly string[]) => `| ${cells.map((cell, n) => cell.padEnd(widths[n])).join(' | ')} |`;
  return [line(table[0]), line(widths.map((width) => '-'.repeat(width))), ...table.slice(1).map(line)].join('\n');
}

const withUnit = (value: number | undefined, unit: string): string =>
  value === undefined ? '' : `${formatFigure(value)} ${unit}`;

function withSpread(value: number | undefined, spread: readonly [number, number] | undefined, unit: string): string {
  if (value === undefined || spread === undefined) return '';
  return `${withUnit(value, unit)} (${formatFigure(spread[0])}–${formatFigure(spread[1])})`;
}

/** Where a benchmark was measured. */
const provenance = ({ machine, day, effort }: Measured): string => `${machine}; ${effort}; ${day}`;

function headlineTable(results: readonly Measured[]): string {
  const rows = results.flatMap((result) => result.rows).filter(({ headline }) => headline);
  const lines = rows.map((row) => [
    row.subject,
    withUnit(row.value, row.unit),
    row.peer ?? '',
    withUnit(row.peerValue, row.unit),
    formatRatio(row),
  ]);
  const where = [...new Set(results.map(provenance))].map((line) => `Measured with ${line}.`);
  return [markdownTable(['measured', 'Rollcall', 'beside', 'takes', 'ratio'], lines), ...where].join('\n\n');
}

function goalsTable(results: readonly Measured[]): string {
  const rows = results.flatMap((result) => result.rows).filter(({ goal }) => goal !== undefined);
  const judged = rows.filter(({ met }) => met !== undefined);
  const lines = rows.map((row) => [
    row.benchmark,
    row.subject,
    row.peer ?? '',
    withUnit(row.value, row.unit),
    formatRatio(row),
    formatGoal(row.goal!, row.unit),
    verdict(row),
  ]);
  const table = markdownTable(['benchmark', 'subject', 'beside', 'median', 'ratio', 'goal', 'verdict'], lines);
  const met = judged.filter((row) => row.met).length;
  return `${met} of ${judged.length} goals met; ${rows.length - judged.length} not judged.\n\n${table}`;
}

/** Where the time of those goes that missed a goal; a subject that missed several is shown once. */
function profilesTable(results: readonly Measured[]): string {
  const rows = results.flatMap((result) => result.rows).filter(({ profile }) => profile !== undefined);
  const lines = new Map(rows.map((row) => [`${row.benchmark} ${row.subject}`, profileLine(row)]));
  return markdownTable(['benchmark', 'subject', 'time in the function itself'], [...lines.values()]);
}

const profileLine = ({ benchmark, subject, profile = [] }: Row): string[] => [
  benchmark,
  subject,
  profile.map(([where, share]) => `${where} ${Math.round(share * 100)} %`).join(', '),
];

const verdict = (row: Row): string => (row.met === false ? '**missed**' : formatVerdict(row));

function sectionOf(result: Measured, charts: readonly Chart[]): string {
  const lines = result.rows.map((row) => [
    row.subject,
    withSpread(row.value, row.spread, row.unit),
    row.peer ?? '',
    withSpread(row.peerValue, row.peerSpread, row.unit),
    formatRatio(row),
  ]);
  const notes = new Set(
    result.rows.flatMap(({ subject, note }) => (note === undefined ? [] : [`- ${subject}: ${note}.`])),
  );
  return [
    `### ${result.name}`,
    `${capital(result.summary)}. ${provenance(result)}; checksum ${result.checksum}.`,
    markdownTable(['subject', 'median (quartiles)', 'beside', 'median (quartiles)', 'ratio'], lines),
    ...(notes.size > 0 ? [[...notes].join('\n')] : []),
    ...charts.map(({ name, title }) => `![${title}](benchmarks/${name}.svg)`),
  ].join('\n\n');
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
