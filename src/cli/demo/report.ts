import { inspect, isDeepStrictEqual, styleText } from 'node:util';
import { plural } from '../../gateway/text.ts';

export type Print = (line: string) => void;

/** What the demo tells: steps, what happens in them, and a tick or the difference for everything that is checked. Colours only
 *  where standard output shows them: not in files, nor with NO_COLOR. */
export class Report {
  readonly #print: Print;
  #steps = 0;
  #passed = 0;
  #failed = 0;

  constructor(print: Print) {
    this.#print = print;
  }

  /** What follows belongs together. */
  step(title: string): void {
    this.#steps++;
    this.#print(styleText('bold', `\n${this.#steps}. ${title}`));
  }

  say(line: string): void {
    this.#print(`   ${line}`);
  }

  /** Rows of cells, in columns. Those that are numbers in every row stand right. */
  table(head: readonly string[], rows: readonly (readonly string[])[]): void {
    const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column].length)));
    const isNumber = head.map((_, column) => rows.every((row) => /^[\d,.]+\D{0,3}$/.test(row[column])));
    const line = (cells: readonly string[]) =>
      cells
        .map((cell, column) => (isNumber[column] ? cell.padStart(widths[column]) : cell.padEnd(widths[column])))
        .join('   ')
        .trimEnd();
    this.say(styleText('dim', line(head)));
    for (const row of rows) this.say(line(row));
  }

  /** A tick, or the difference. */
  check(what: string, actual: unknown, expected: unknown): void {
    if (isDeepStrictEqual(actual, expected)) {
      this.#passed++;
      this.say(`${styleText('green', '✓')} ${what}`);
      return;
    }
    this.#failed++;
    this.say(`${styleText('red', '✗')} ${what}`);
    this.say(`    expected ${shown(expected)}`);
    this.say(`    got      ${shown(actual)}`);
  }

  /** The tour cannot go on. */
  broke(error: unknown): void {
    this.#failed++;
    this.say(`${styleText('red', '✗')} this step broke off`);
    this.say(`    ${error instanceof Error ? error.stack : shown(error)}`);
  }

  /** @returns whether all was as it should be, and at least something was looked at */
  end(): boolean {
    const ok = this.#failed === 0 && this.#passed > 0;
    const failed = this.#failed === 0 ? '' : `, ${this.#failed} failed`;
    this.#print(styleText(ok ? 'green' : 'red', `\n${plural(this.#passed, 'check')} passed${failed}`));
    return ok;
  }
}

const shown = (value: unknown): string => inspect(value, { depth: 6, breakLength: Number.POSITIVE_INFINITY });
