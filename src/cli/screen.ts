import type { ReadStream, WriteStream } from 'node:tty';

/** Where `rollcall top` is shown: the parts of `process.stdin` and `process.stdout` that it uses. */
export interface Terminal {
  readonly stdin: Pick<ReadStream, 'isTTY' | 'setRawMode' | 'on' | 'off' | 'resume' | 'pause'>;
  readonly stdout: Pick<WriteStream, 'isTTY' | 'columns' | 'rows' | 'write'>;
}

const ENTER = '\u001b[?1049h\u001b[?25l\u001b[?7l'; // another screen, no cursor, no wrapping
const LEAVE = '\u001b[?7h\u001b[?25h\u001b[?1049l';
const HOME = '\u001b[H';
const END_OF_LINE = '\u001b[K';
const END_OF_SCREEN = '\u001b[J';
const CTRL_C = '\u0003';

/**
 * A screen that is drawn over and over, and given back as it was. What is no terminal gets one frame after the other
 * as plain lines.
 */
export class Screen implements Disposable {
  readonly #terminal: Terminal;
  readonly #onKey: (key: Buffer) => void;
  #frames = 0;

  /** @param quit called at q and Ctrl-C */
  constructor(terminal: Terminal, quit: () => void) {
    this.#terminal = terminal;
    this.#onKey = (key) => {
      if (['q', 'Q', CTRL_C].includes(key.toString())) quit();
    };
    const { stdin, stdout } = terminal;
    if (!stdout.isTTY) return;
    stdout.write(ENTER);
    if (!stdin.isTTY) return;
    stdin.setRawMode(true);
    stdin.on('data', this.#onKey);
    stdin.resume();
  }

  draw(lines: readonly string[]): void {
    const { stdout } = this.#terminal;
    if (!stdout.isTTY) {
      stdout.write(`${this.#frames++ === 0 ? '' : '\n'}${lines.join('\n')}\n`);
      return;
    }
    // The last line stays free: a line feed there would scroll.
    const shown = lines.slice(0, Math.max(1, (stdout.rows || 24) - 1));
    const cut = shown.map((line) => `${[...line].slice(0, stdout.columns || 80).join('')}${END_OF_LINE}\r\n`);
    stdout.write(`${HOME}${cut.join('')}${END_OF_SCREEN}`); // one write: it does not flicker
  }

  [Symbol.dispose](): void {
    const { stdin, stdout } = this.#terminal;
    if (!stdout.isTTY) return;
    stdout.write(LEAVE);
    if (!stdin.isTTY) return;
    stdin.off('data', this.#onKey);
    stdin.setRawMode(false);
    stdin.pause();
  }
}
