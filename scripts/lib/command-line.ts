import { type ParseArgsConfig, parseArgs } from 'node:util';

/** Ends the process with exit code 2 and one line: what was asked for cannot be done. */
export function refuse(message: string): never {
  console.error(`${message} (see --help)`);
  process.exit(2);
}

/** `parseArgs`; what does not fit the options is refused. */
export function parseCommandLine<const Config extends ParseArgsConfig>(config: Config) {
  try {
    return parseArgs(config);
  } catch (error) {
    return refuse((error as Error).message.replaceAll('\n', ' ').replace(/\.$/, ''));
  }
}

/** The number an option was given; refused when it is not one from `min` to `max`, or not whole where it has to be. */
export function numberOf(
  option: string,
  text: string,
  { min = 0, max = Number.MAX_SAFE_INTEGER, whole = true }: { min?: number; max?: number; whole?: boolean } = {},
): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (value >= min && value <= max && (!whole || Number.isInteger(value))) return value;
  const range = max === Number.MAX_SAFE_INTEGER ? `${min} on` : `${min} to ${max}`;
  return refuse(`--${option} is "${text}": a ${whole ? 'whole ' : ''}number from ${range}`);
}
