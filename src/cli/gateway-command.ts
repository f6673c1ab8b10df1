import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { defaultConfig, Gateway, GatewayError, parseConfig, type UpstreamSpec, version } from '../gateway/index.ts';
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
  // From the first moment on: a signal during start-up must not leave children behind either.
  const stop = nextSignal();
  const { upstreams, notes } = config === undefined ? defaultConfig() : readConfig(config);
  const report = new GatewayReport(upstreams.length, options.threads);
  report.starting(notes);
  const starting = Gateway.start({ ...options, upstreams, onEvent: (event) => report.event(event) });
  const gateway = await Promise.race([starting, stop.then(() => undefined)]);
  if (gateway !== undefined) {
    report.started(gateway);
    await stop;
  }
  process.once('SIGINT', () => process.exit(130));
  process.once('SIGTERM', () => process.exit(143));
  report.stopping();
  await (await starting).close();
  report.stopped();
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

function nextSignal(): Promise<unknown> {
  return Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
}
