import path from 'node:path';
import fc from 'fast-check';

/*
 * Properties with seeds that are printed and can be replayed. One seed serves all properties of a file:
 *
 *   ROLLCALL_SEED         replays that seed instead of a random one
 *   ROLLCALL_PROPERTY     runs only the property of that name
 *   ROLLCALL_PATH         goes straight to one counterexample of that property
 *   ROLLCALL_RUNS_FACTOR  multiplies the run counts: 10 for a long night, 0.1 for a quick look
 */
const { ROLLCALL_SEED, ROLLCALL_PROPERTY, ROLLCALL_PATH, ROLLCALL_RUNS_FACTOR } = process.env;
const runsDefault = 100;
const seed = ROLLCALL_SEED === undefined ? Math.floor(Math.random() * 2 ** 31) : numberFrom('ROLLCALL_SEED');
const runsFactor = ROLLCALL_RUNS_FACTOR === undefined ? 1 : numberFrom('ROLLCALL_RUNS_FACTOR');
let found = ROLLCALL_PROPERTY === undefined;
console.log(`seed ${seed}`);
process.on('exit', () => {
  if (found) return;
  console.log(`no property is named "${ROLLCALL_PROPERTY}"`);
  process.exitCode = 1;
});

/** What uvu's `test` and each of its suites are. */
type Test = (name: string, body: () => Promise<void>) => void;

/**
 * Adds the property to a suite, as a test of that name.
 *
 * @example
 * property(test, 'name-table: agrees with a Map', fc.property(fc.commands(commands), agree), { numRuns: 500 });
 */
export function property<Ts>(
  test: Test,
  name: string,
  rawProperty: fc.IRawProperty<Ts>,
  parameters?: fc.Parameters<Ts>,
): void {
  test(name, () => assertProperty(name, rawProperty, parameters));
}

/** Checks one property; when it fails, prints the one command that replays the failure, and throws. */
export async function assertProperty<Ts>(
  name: string,
  rawProperty: fc.IRawProperty<Ts>,
  parameters: fc.Parameters<Ts> = {},
): Promise<void> {
  if (ROLLCALL_PROPERTY !== undefined && ROLLCALL_PROPERTY !== name) return;
  found = true;
  const details = await fc.check(rawProperty, {
    seed,
    ...parameters,
    numRuns: Math.max(1, Math.round((parameters.numRuns ?? runsDefault) * runsFactor)),
    // A path means something to one property only.
    ...(ROLLCALL_PATH !== undefined && ROLLCALL_PROPERTY === name ? { path: ROLLCALL_PATH } : {}),
  });
  if (!details.failed) return;
  // Not a part of the message: uvu prints messages with each backslash turned round.
  console.log(`\nreplay: ${replayCommand(name, details)}`);
  throw new Error(await fc.asyncDefaultReportMessage(details), { cause: details.errorInstance });
}

function replayCommand<Ts>(name: string, details: fc.RunDetails<Ts>): string {
  // Command lists shrink outside fast-check's path: only the whole run, from its seed, finds the same one again.
  const usesCommands = fc.stringify(details.counterexample).includes('replayPath=');
  const settings = {
    ROLLCALL_SEED: String(details.seed),
    ROLLCALL_PROPERTY: name,
    ROLLCALL_PATH: usesCommands ? undefined : (details.counterexamplePath ?? undefined),
    ROLLCALL_RUNS_FACTOR,
  };
  const words = Object.entries(settings).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const file = path.relative(process.cwd(), process.argv[1]);
  return `${words.map(([key, value]) => `${key}=${quoted(value)}`).join(' ')} npm test -- ${quoted(file)}`;
}

function quoted(word: string): string {
  return /^[\w.,:/+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function numberFrom(variable: string): number {
  const value = Number(process.env[variable]);
  if (!Number.isFinite(value)) throw new Error(`${variable} is "${process.env[variable]}", which is no number`);
  return value;
}
