import { RegistryError } from '../shared/errors.ts';
import { attempt } from '../shared/foreign.ts';
import { Body } from '../shared/message-body.ts';

/** What a handler in another thread threw: its message, name, code and stack. An `Error` of another class cannot cross threads. */
export class RemoteError extends Error {
  readonly code: string | undefined;

  /** @internal Made by `call`. */
  constructor(name: string, message: string, code: string | undefined, stack: string | undefined) {
    super(message);
    this.name = name;
    this.code = code;
    if (stack !== undefined) this.stack = stack;
  }
}

/** As it crosses: text for errors, anything else as it is. A code alone when there is room for no more. */
type Failure =
  | RegistryError['code']
  | { readonly kind: 'registry'; readonly code: RegistryError['code']; readonly message: string }
  | {
      readonly kind: 'error';
      readonly name: string;
      readonly message: string;
      readonly code?: string;
      readonly stack?: string;
    }
  | { readonly kind: 'value'; readonly value: unknown };

/** What was thrown, ready to be sent. Always small enough, and always something that can be cloned. Never throws. */
export function failureBody(thrown: unknown, bytesMax: number): Body {
  const isError = attempt(() => thrown instanceof Error, false);
  return (
    fitting(isError ? describe(thrown as Error) : { kind: 'value', value: thrown }, bytesMax) ??
    fitted(isError ? describeBriefly(thrown as Error) : { ...unknownError, message: typeof thrown }, bytesMax) ??
    nothing
  );
}

/** A refusal of ours, ready to be sent: as much of it as is small enough. */
export const refusalBody = ({ code, message }: RegistryError, bytesMax: number): Body =>
  fitted({ kind: 'registry', code, message }, bytesMax) ?? fitting(code, bytesMax) ?? nothing;

const nothing = new Body(undefined);

/** It, if it is small enough and can be cloned. */
function fitting(failure: Failure, bytesMax: number): Body | undefined {
  const body = attempt(() => Body.within(failure, bytesMax), undefined);
  return body !== undefined && body.byteLength <= bytesMax ? body : undefined;
}

/** It, with as much of its message as is small enough. */
function fitted(failure: Extract<Failure, { readonly message: string }>, bytesMax: number): Body | undefined {
  const { message } = failure;
  const over = new Body(failure).byteLength - bytesMax;
  // Each character takes a byte or two, and two-byte ones may begin a byte later.
  const length = over <= 0 ? message.length : message.length - over - 1;
  return length < 0 ? undefined : fitting({ ...failure, message: message.slice(0, length) }, bytesMax);
}

const unknownError = { kind: 'error', name: 'Error' } as const;

/** What is asked of an error may be getters that throw, or have no text. */
const textOf = (look: () => unknown, otherwise = ''): string => attempt(() => String(look()), otherwise);

const describeName = (error: Error) =>
  ({
    kind: 'error',
    name: textOf(() => error.name, 'Error'),
    message: textOf(() => error.message),
  }) as const;

function describe(error: Error): Failure {
  const stack = attempt(() => error.stack, undefined);
  const code = attempt(() => (error as Error & { readonly code?: unknown }).code, undefined);
  return {
    ...describeName(error),
    ...(stack !== undefined && { stack: textOf(() => stack) }),
    ...(typeof code === 'string' && { code }),
  };
}

const BRIEF_CHARACTERS = 1_000;

function describeBriefly(error: Error) {
  const { kind, name, message } = describeName(error);
  return { kind, name: name.slice(0, 100), message: message.slice(0, BRIEF_CHARACTERS) };
}

/** What the caller is to be told. `what` says whom it called. */
export function thrownBy(failure: unknown, what: string): unknown {
  const told = failure as Failure | undefined;
  if (told === undefined)
    return new RemoteError('Error', 'the handler failed, and its error could not be sent', undefined, undefined);
  if (typeof told === 'string') return new RegistryError(told, `${what}: more does not fit messageBytesMax`);
  if (told.kind === 'value') return told.value;
  if (told.kind === 'registry') return new RegistryError(told.code, `${what}: ${told.message}`);
  return new RemoteError(told.name, told.message, told.code, told.stack);
}
