import { type ParseArgsConfig, parseArgs } from 'node:util';

/** A command line that cannot be meant: ends with code 2. */
export class UsageError extends Error {}

type Options = NonNullable<ParseArgsConfig['options']>;

/** The options of a command line. @throws {UsageError} */
export function parseOptions<const Known extends Options>(args: string[], options: Known) {
  try {
    return parseArgs({ args, options }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** @throws {UsageError} */
export function wholeNumber(option: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new UsageError(`${option} takes a whole number from ${min} to ${max}, not "${text}".`);
}
