import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { GatewayError, limits } from '../gateway/index.ts';

export interface GatewayArguments {
  config: string | undefined;
  host: string;
  port: number;
  threads: number;
  allowedHosts: string[];
}

/** @throws {GatewayError} `BAD_USAGE`, with what was given and what would do. */
export function parseGatewayArguments(args: string[]): GatewayArguments | 'help' | 'version' {
  const values = parse(args);
  if (values.help) return 'help';
  if (values.version) return 'version';
  return {
    config: values.config,
    host: nonEmpty('--host', values.host ?? '127.0.0.1'),
    port: wholeNumber('--port', values.port ?? '8808', 0, 65_535),
    threads:
      values.threads === undefined
        ? availableParallelism()
        : wholeNumber('--threads', values.threads, 1, limits.threadsMax),
    allowedHosts: (values['allow-host'] ?? []).map((host) => nonEmpty('--allow-host', host)),
  };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        config: { type: 'string' },
        host: { type: 'string' },
        port: { type: 'string' },
        threads: { type: 'string' },
        'allow-host': { type: 'string', multiple: true },
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean', short: 'v' },
      },
    }).values;
  } catch (error) {
    throw usage((error as Error).message);
  }
}

function wholeNumber(option: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw usage(`${option} takes a whole number from ${min} to ${max}, not "${text}".`);
}

function nonEmpty(option: string, text: string): string {
  if (text !== '') return text;
  throw usage(`${option} needs a value.`);
}

function usage(message: string): GatewayError {
  return new GatewayError('BAD_USAGE', `${message} (see rollcall gateway --help)`);
}
