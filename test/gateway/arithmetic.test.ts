import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ArithmeticError, evaluate } from '../../src/gateway/arithmetic.ts';
import { property } from '../support/property.ts';

const test = suite('arithmetic');

test('precedence, signs and parentheses', () => {
  assert.is(evaluate('1 + 2 * 3'), 7);
  assert.is(evaluate('(1 + 2) * 3 / -4'), -2.25);
  assert.is(evaluate('10 - 4 - 3'), 3);
  assert.is(evaluate('16 / 4 / 2'), 2);
  assert.is(evaluate('--2 + .5 + 1e3'), 1002.5);
});

test('mistakes say what to try', () => {
  for (const text of ['', '1 +', '(1', '1 2', 'a', '1)', '2 ** 3', '1..2', '1e999']) {
    assert.throws(
      () => evaluate(text),
      (error: unknown) => error instanceof ArithmeticError && /Try/.test(error.message),
      text,
    );
  }
  assert.throws(() => evaluate('1 / (2 - 2)'), /Try a divisor other than zero/);
  assert.throws(() => evaluate('('.repeat(100_000)), /levels deep/);
});

property(
  test,
  'agrees with JavaScript on every expression',
  fc.property(
    fc.letrec<{ sum: string }>((tie) => ({
      sum: fc.oneof(
        { maxDepth: 5 },
        fc.nat(99).map(String),
        fc
          .tuple(tie('sum'), fc.constantFrom('+', '-', '*', '/'), tie('sum'))
          .map(([a, operator, b]) => `${a} ${operator} ${b}`),
        tie('sum').map((sum) => `(${sum})`),
        tie('sum').map((sum) => `- ${sum}`),
      ),
    })).sum,
    (text) => {
      // biome-ignore lint/security/noGlobalEval: digits, operators and parentheses that were made above
      const expected = eval(text) as number;
      if (!Number.isFinite(expected) || hidesDivisionByZero(text)) return;
      assert.is(evaluate(text), expected, text);
    },
  ),
  { numRuns: 500 },
);

/** In JavaScript 0 / (1 / 0) is 0: a second division makes a division by zero finite again. Here it is refused. */
function hidesDivisionByZero(text: string): boolean {
  if (text.split('/').length < 3) return false;
  try {
    evaluate(text);
    return false;
  } catch (error) {
    return /divisor other than zero/.test((error as Error).message);
  }
}

test.run();
