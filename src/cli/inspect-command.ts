import { Inspector, type InspectorOptions, RegistryError } from '../engine/index.ts';
import { inspectHelp } from './help.ts';
import { entryReport, namesReport, reportOf } from './inspect-report.ts';
import { targetOf, targetOptions } from './inspect-target.ts';
import { parseOptions, UsageError, wholeNumber } from './usage-error.ts';

interface InspectArguments {
  readonly target: InspectorOptions;
  readonly kind: string | undefined;
  readonly id: string | undefined;
  readonly limit: number;
  readonly json: boolean;
}

/** `rollcall inspect`: prints once what a process tells. Resolves to the exit code. */
export async function inspectCommand(args: string[]): Promise<number> {
  try {
    const parsed = parse(args);
    console.log(parsed === 'help' ? inspectHelp : await inspect(parsed));
    return 0;
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof RegistryError)) throw error;
    const hint = error instanceof UsageError ? ' (see rollcall inspect --help)' : '';
    console.error(`rollcall inspect: ${error.message}${hint}`);
    return error instanceof UsageError ? 2 : 1;
  }
}

function parse(args: string[]): InspectArguments | 'help' {
  const values = parseOptions(args, {
    ...targetOptions,
    kind: { type: 'string' },
    id: { type: 'string' },
    limit: { type: 'string' },
    json: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  });
  if (values.help) return 'help';
  const { kind, id, limit = '1000', json = false } = values;
  if (id !== undefined && kind === undefined) throw new UsageError('--id goes with --kind.');
  return { target: targetOf(values), kind, id, limit: wholeNumber('--limit', limit, 1, 10_000), json };
}

async function inspect({ target, kind, id, limit, json }: InspectArguments): Promise<string> {
  await using inspector = await Inspector.connect(target);
  if (kind === undefined) {
    const figures = await inspector.figures();
    return json ? asJson(figures) : reportOf(figures);
  }
  if (id === undefined) {
    const names = await inspector.names(kind, { limit });
    return json ? asJson(names) : namesReport(kind, names);
  }
  const entry = await inspector.entry(kind, id);
  if (entry === undefined) throw new RegistryError('NOT_FOUND', `no ${kind} ${JSON.stringify(id)} is registered`);
  return json ? asJson(entry) : entryReport(entry);
}

/** The same to any parser, and no control characters to a terminal. */
const asJson = (value: unknown): string =>
  JSON.stringify(value, undefined, 2).replace(
    /[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
