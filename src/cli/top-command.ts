import { setTimeout as sleep } from 'node:timers/promises';
import { type Figures, Inspector, type InspectorOptions, RegistryError } from '../engine/index.ts';
import { topHelp } from './help.ts';
import { targetOf, targetOptions } from './inspect-target.ts';
import { Screen, type Terminal } from './screen.ts';
import { frameOf } from './top-frame.ts';
import { parseOptions, UsageError, wholeNumber } from './usage-error.ts';

interface TopArguments {
  readonly target: InspectorOptions;
  readonly intervalMs: number;
  /** Frames, or until told to stop. */
  readonly count: number;
}

/** `rollcall top`: shows what a process tells, again and again, until told to stop. Resolves to the exit code. */
export async function topCommand(args: string[], terminal: Terminal = process): Promise<number> {
  const stop = new AbortController();
  const quit = (): void => stop.abort();
  try {
    const parsed = parse(args);
    if (parsed === 'help') {
      terminal.stdout.write(`${topHelp}\n`);
      return 0;
    }
    process.on('SIGINT', quit).on('SIGTERM', quit);
    process.stdout.on('error', quit); // whoever read it has left
    await show(parsed, terminal, stop);
    return 0;
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof RegistryError)) throw error;
    const hint = error instanceof UsageError ? ' (see rollcall top --help)' : '';
    console.error(`rollcall top: ${error.message}${hint}`);
    return error instanceof UsageError ? 2 : 1;
  } finally {
    process.off('SIGINT', quit).off('SIGTERM', quit);
  }
}

function parse(args: string[]): TopArguments | 'help' {
  const values = parseOptions(args, {
    ...targetOptions,
    interval: { type: 'string' },
    count: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  });
  if (values.help) return 'help';
  return {
    target: targetOf(values),
    intervalMs: wholeNumber('--interval', values.interval ?? '1000', 100, 3_600_000),
    count: values.count === undefined ? Number.POSITIVE_INFINITY : wholeNumber('--count', values.count, 1, 1_000_000),
  };
}

async function show({ target, intervalMs, count }: TopArguments, terminal: Terminal, stop: AbortController) {
  await using inspector = await Inspector.connect(target); // before the screen changes
  using screen = new Screen(terminal, () => stop.abort());
  let before: Figures | undefined;
  for (let frames = 0; frames < count && !stop.signal.aborted; frames++) {
    if (frames > 0) await sleep(intervalMs, undefined, { signal: stop.signal }).catch(() => {});
    if (stop.signal.aborted) return;
    const now = await figuresOf(inspector, stop.signal);
    if (now === undefined) return;
    screen.draw(frameOf(now, before));
    before = now;
  }
}

/** Undefined when told to stop meanwhile: the process may be too busy to answer. */
async function figuresOf(inspector: Inspector, signal: AbortSignal): Promise<Figures | undefined> {
  const { promise: stopped, resolve } = Promise.withResolvers<undefined>();
  const onAbort = (): void => resolve(undefined);
  signal.addEventListener('abort', onAbort);
  const figures = inspector.figures();
  figures.catch(() => {}); // nobody may be waiting for it any more
  try {
    return await Promise.race([figures, stopped]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
