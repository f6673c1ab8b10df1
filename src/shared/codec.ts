import { corrupt, RegistryError } from './errors.ts';

/** What a config may be: anything JSON can say. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** What a config may be given as. Wider than `JsonValue`, as types declared by `interface` do not fit that; what JSON
 *  cannot say is refused when it is encoded. */
export type JsonInput = string | number | boolean | null | object;

/**
 * A config as it is stored, made by `encodeConfig`: JSON text, one byte a character when all are Latin-1, else two.
 *
 * Not UTF-8: text is read in one pass from memory that a writer may be changing, and only the fixed-width decoders
 * are safe and fast there. Reusable for any number of names.
 */
export class EncodedConfig {
  readonly text: string;
  readonly wide: boolean;
  /** Stored bytes: what `configBytesMax` limits. */
  readonly byteLength: number;

  /** @internal Made by `encodeConfig`. */
  constructor(text: string, wide: boolean) {
    this.text = text;
    this.wide = wide;
    this.byteLength = wide ? text.length * 2 : text.length;
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the whole of Latin-1 is meant
const beyondLatin1 = /[^\x00-\xff]/;

/**
 * Encodes a config once, so that registering or updating with it costs no serialisation.
 * @throws {RegistryError} `INVALID_CONFIG` when JSON cannot say it (a function, a cycle, a bigint).
 * @example registration.update(encodeConfig({ port: 7400 }));
 */
export function encodeConfig(config: JsonInput): EncodedConfig {
  if (config instanceof EncodedConfig) return config;
  let text: string | undefined;
  try {
    text = JSON.stringify(config);
  } catch (error) {
    throw invalidConfig(`${(error as Error | null)?.message ?? error}`, { cause: error });
  }
  if (text === undefined) throw invalidConfig('JSON.stringify gives undefined');
  return new EncodedConfig(text, beyondLatin1.test(text));
}

function invalidConfig(why: string, options?: ErrorOptions): RegistryError {
  const message = `config is not JSON (${why}): pass objects, arrays, strings, numbers, booleans or null`;
  return new RegistryError('INVALID_CONFIG', message, options);
}

/** Parses stored text and freezes it to its depth: one decoded value serves every caller of a thread.
 *  @throws {RegistryError} `CORRUPT` */
export function decodeConfig(text: string): JsonValue {
  try {
    return deepFreeze(JSON.parse(text));
  } catch (error) {
    throw corrupt(`a config that is not JSON: ${(error as Error).message}`);
  }
}

function deepFreeze(value: JsonValue): JsonValue {
  if (typeof value !== 'object' || value === null) return value;
  // An explicit stack: a hostile config may nest deeper than the call stack.
  const pending: object[] = [value];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    Object.freeze(next);
    for (const inner of Object.values(next)) if (typeof inner === 'object' && inner !== null) pending.push(inner);
  }
  return value;
}
