/** Stable codes of every error the engine throws. Adding one is a promise to users. */
export type RegistryErrorCode =
  | 'ADMISSION_REFUSED'
  | 'ALREADY_REGISTERED'
  | 'BUSY'
  | 'CLOSED'
  | 'CONFIG_TOO_LARGE'
  | 'COORDINATOR_FAILED'
  | 'COUNTERS_FULL'
  | 'CORRUPT'
  | 'INCOMPATIBLE_HANDLE'
  | 'INSPECTION_FAILED'
  | 'INVALID_CONFIG'
  | 'INVALID_NAME'
  | 'INVALID_OPTION'
  | 'INVALID_MESSAGE'
  | 'KINDS_FULL'
  | 'LANES_FULL'
  | 'MAILBOX_FULL'
  | 'MESSAGE_TOO_LARGE'
  | 'NOT_FOUND'
  | 'NOT_RECEIVING'
  | 'OWNER_DEAD'
  | 'OWNERS_FULL'
  | 'TABLE_FULL'
  | 'THREADS_FULL'
  | 'TIMEOUT';

let codeInStack = false;

/**
 * From now on the first line of an error's `stack` names its code: `RegistryError [BUSY]: …`. For threads whose errors
 * reach others by structured clone, which keeps message and stack, but neither class nor `name` nor `code`. It costs some
 * 4 µs an error.
 */
export function nameCodesInStacks(): void {
  codeInStack = true;
}

/**
 * What the engine refuses, or finds broken outside it. `code` is stable; the message states what was tried, the
 * numbers, and what to do.
 */
export class RegistryError extends Error {
  readonly code: RegistryErrorCode;

  constructor(code: RegistryErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    if (codeInStack) {
      this.name = `RegistryError [${code}]`;
      void this.stack; // its text is made when it is read first
    }
    this.name = 'RegistryError';
    this.code = code;
  }
}

/** The shared memory holds what no writer of ours leaves there. Nothing can be mended: open a new registry. */
export function corrupt(detail: string): RegistryError {
  return new RegistryError('CORRUPT', `shared memory is corrupt (${detail}): close this registry and open a new one`);
}

export const isCorrupt = (error: unknown): boolean => error instanceof RegistryError && error.code === 'CORRUPT';
export const isBusy = (error: unknown): boolean => error instanceof RegistryError && error.code === 'BUSY';

/** Impossible states: a bug of ours, on whichever side it is seen. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`rollcall: internal error: ${message}`);
}
