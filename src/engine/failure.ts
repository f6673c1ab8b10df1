import { RegistryError } from '../shared/errors.ts';
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

/** As it crosses: text for errors, anything else as it is. */
type Failure =
  | { readonly kind: 'registry'; readonly code: RegistryError['code']; readonly message: string }
  | {
      readonly kind: 'error';
      readonly name: string;
      readonly message: string;
      readonly code?: string;
      readonly stack?: string;
    }
  | { readonly kind: 'value'; readonly value: unknown };

/** What was thrown, ready to be sent. Always small enough, and always something that can be cloned. */
export function failureBody(thrown: unknown, bytesMax: number): Body {
  for (const attempt of [describe(thrown), describeBriefly(thrown)]) {
    try {
      const body = new Body(attempt);
      if (body.byteLength <= bytesMax) return body;
    } catch {} // it cannot be cloned
  }
  return new Body(undefined);
}

function describe(thrown: unknown): Failure {
  if (!(thrown instanceof Error)) return { kind: 'value', value: thrown };
  const { name, message, stack, code } = thrown as Error & { code?: unknown };
  const described = { kind: 'error', name: String(name), message: String(message) } as const;
  return {
    ...described,
    ...(stack !== undefined && { stack: String(stack) }),
    ...(typeof code === 'string' && { code }),
  };
}

const BRIEF_CHARACTERS = 1_000;

function describeBriefly(thrown: unknown): Failure {
  const [name, message] = thrown instanceof Error ? [thrown.name, thrown.message] : ['Error', typeof thrown];
  return { kind: 'error', name: String(name).slice(0, 100), message: String(message).slice(0, BRIEF_CHARACTERS) };
}

/** A refusal of ours, ready to be sent. */
export const refusalBody = ({ code, message }: RegistryError): Body =>
  new Body({ kind: 'registry', code, message } satisfies Failure);

/** What the caller is to be told. */
export function thrownBy(failure: unknown): unknown {
  const told = failure as Failure | undefined;
  if (told === undefined)
    return new RemoteError('Error', 'the handler failed, and its error could not be sent', undefined, undefined);
  if (told.kind === 'value') return told.value;
  if (told.kind === 'registry') return new RegistryError(told.code, told.message);
  return new RemoteError(told.name, told.message, told.code, told.stack);
}
