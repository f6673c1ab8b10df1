/** A mistake in the numbers or the expression; its message says what to try instead. */
export class ArithmeticError extends Error {}

export type Operation = 'add' | 'subtract' | 'multiply' | 'divide';

export const operations: Record<Operation, (a: number, b: number) => number> = {
  add: (a, b) => finite(a + b),
  subtract: (a, b) => finite(a - b),
  multiply: (a, b) => finite(a * b),
  divide: (a, b) => {
    if (b === 0) throw new ArithmeticError(`${a} / 0 has no result. Try a divisor other than zero.`);
    return finite(a / b);
  },
};

/**
 * Evaluates `+ - * / ( )` over decimal numbers, with the usual precedence.
 *
 *   sum     = product (("+" | "-") product)*
 *   product = factor (("*" | "/") factor)*
 *   factor  = ("+" | "-") factor | number | "(" sum ")"
 */
export function evaluate(expression: string): number {
  const parser = new Parser(expression);
  const value = parser.sum();
  parser.expectEnd();
  return value;
}

class Parser {
  readonly #tokens: string[];
  #next = 0;
  #depth = 0;

  constructor(expression: string) {
    this.#tokens = expression.match(token) ?? [];
  }

  sum(): number {
    let value = this.#product();
    for (;;) {
      if (this.#take('+')) value = operations.add(value, this.#product());
      else if (this.#take('-')) value = operations.subtract(value, this.#product());
      else return value;
    }
  }

  expectEnd(): void {
    if (this.#next < this.#tokens.length) throw this.#unexpected('an operator or the end');
  }

  #product(): number {
    let value = this.#factor();
    for (;;) {
      if (this.#take('*')) value = operations.multiply(value, this.#factor());
      else if (this.#take('/')) value = operations.divide(value, this.#factor());
      else return value;
    }
  }

  #factor(): number {
    this.#depth += 1;
    if (this.#depth > depthMax)
      throw new ArithmeticError(`More than ${depthMax} levels deep. Try a simpler expression.`);
    const value = this.#atom();
    this.#depth -= 1;
    return value;
  }

  #atom(): number {
    if (this.#take('-')) return -this.#factor();
    if (this.#take('+')) return this.#factor();
    if (this.#take('(')) {
      const value = this.sum();
      if (!this.#take(')')) throw this.#unexpected('")"');
      return value;
    }
    const text = this.#tokens[this.#next];
    if (text === undefined || !number.test(text)) throw this.#unexpected('a number');
    this.#next += 1;
    return finite(Number(text));
  }

  #take(text: string): boolean {
    if (this.#tokens[this.#next] !== text) return false;
    this.#next += 1;
    return true;
  }

  #unexpected(wanted: string): ArithmeticError {
    const got = this.#tokens[this.#next];
    const where = got === undefined ? 'the end' : `"${got}"`;
    return new ArithmeticError(`Expected ${wanted}, found ${where}. Try something like (1 + 2) * 3 / 4.`);
  }
}

/** A number, or any single character that is no space: the parser says which it cannot use. */
const token = /(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|\S/g;
const number = /^[\d.]/;
/** Each level is a few frames of stack. */
const depthMax = 100;

function finite(value: number): number {
  if (Number.isFinite(value)) return value;
  throw new ArithmeticError('The result is too large to be a number here. Try smaller numbers.');
}
