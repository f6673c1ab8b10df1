import { inspect } from 'node:util';
import { RegistryError } from '../shared/errors.ts';
import { checkObject, checkSignal, checkTimeout } from './options.ts';

/** How a message is sent. */
export interface RouteOptions {
  /** Overtakes what is not: it has a lane of its own, which is emptied first. For control signals of up to 4,096 bytes. */
  readonly urgent?: boolean | undefined;
  /** What a `Balancer` with a consistent hash goes by. */
  readonly key?: string | undefined;
}

/** The same, for a sending that may wait. */
export interface RouteAsyncOptions extends RouteOptions {
  /** Gives up when it aborts. */
  readonly signal?: AbortSignal | undefined;
  /** Gives up with `TIMEOUT` after so many milliseconds, from 0 to 2,147,483,647. By default it waits as long as its target lives. */
  readonly timeoutMs?: number | undefined;
}

export interface CallOptions extends RouteOptions {
  /** Gives up when it aborts; then the handler's signal aborts, too. */
  readonly signal?: AbortSignal | undefined;
  /** Gives up with `TIMEOUT` after so many milliseconds, from 0 to 2,147,483,647. Default 30,000. */
  readonly timeoutMs?: number | undefined;
}

/** An owner, however one knows it: an `Owner`, an entry's `owner`, the `from` of a message. */
export interface Address {
  readonly slot: number;
  readonly epoch: number;
}

/** @internal */
export const noOptions: CallOptions = Object.freeze({});

const noTransfers =
  'transferList: shared memory moves nothing; put it into a MessagePort of your own, then send a message that says so';

const known = new Set(['urgent', 'key', 'signal', 'timeoutMs']);

/** @internal @throws {RegistryError} `INVALID_OPTION` */
export function checkRouteOptions(options: CallOptions): void {
  if (options === noOptions) return;
  checkObject(options);
  for (const name of Object.keys(options)) {
    if (known.has(name)) continue;
    if (name === 'transferList') throw new RegistryError('INVALID_OPTION', noTransfers);
    throw new RegistryError('INVALID_OPTION', `unknown option ${name}: known are ${[...known].join(', ')}`);
  }
  const { urgent, key, signal, timeoutMs } = options;
  const valid = (urgent === undefined || typeof urgent === 'boolean') && (key === undefined || typeof key === 'string');
  if (!valid)
    throw new RegistryError('INVALID_OPTION', `options are ${inspect(options)}: see RouteOptions, CallOptions`);
  checkTimeout(timeoutMs);
  checkSignal(signal);
}
