import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  defaultConfig,
  Gateway,
  GatewayError,
  type GatewayEvent,
  parseConfig,
  type UpstreamSpec,
  version,
} from '../gateway/index.ts';
import { type GatewayArguments, parseGatewayArguments } from './gateway-arguments.ts';
import { GatewayReport } from './gateway-report.ts';
import { gatewayHelp } from './help.ts';

/** `rollcall gateway`: runs until told to stop. Resolves to the exit code. */
export async function gatewayCommand(args: string[]): Promise<number> {
  try {
    const parsed = parseGatewayArguments(args);
    if (parsed === 'help') console.log(gatewayHelp);
    else if (parsed === 'version') console.log(version);
    else await run(parsed);
    return 0;
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    console.error(`rollcall gateway: ${error.message}`);
    return error.code === 'BAD_USAGE' || error.code === 'BAD_CONFIG' ? 2 : 1;
  }
}

async function run({ config, ...options }: GatewayArguments): Promise<void> {
  const { upstreams, notes } = config === undefined ? defaultConfig() : readConfig(config);
  const report = new GatewayReport(upstreams.length, options.threads);
  // Before anything is started: a signal during start-up must not leave children behind either.
  const stopped = firstSignal(() => report.stopping());
  report.starting(notes);
  const onEvent = (event: GatewayEvent): void => report.event(event);
  const starting = Gateway.start({ ...options, upstreams, onEvent, signal: stopped });
  const gateway = await starting.catch((error: unknown) => {
    if (!stopped.aborted) throw error;
  });
  if (gateway !== undefined) {
    report.started(gateway);
    if (!stopped.aborted) await once(stopped, 'abort');
    await gateway.close();
  }
  report.stopped();
}

/** Aborted by the first SIGINT or SIGTERM. The second ends the process at once, with the code shells know. */
function firstSignal(onSignal: () => void): AbortSignal {
  const stop = new AbortController();
  for (const [signal, code] of Object.entries({ SIGINT: 130, SIGTERM: 143 })) {
    process.on(signal, () => {
      if (stop.signal.aborted) process.exit(code);
      onSignal();
      stop.abort();
    });
  }
  return stop.signal;
}

function readConfig(file: string): { upstreams: UpstreamSpec[]; notes: string[] } {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new GatewayError('BAD_CONFIG', `--config ${file}: cannot be read: ${(error as Error).message}`);
  }
  return { upstreams: parseConfig(text, { file: resolve(file), env: process.env }), notes: [] };
}
