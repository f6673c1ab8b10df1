import { type InspectOptions, inspect } from 'node:util';
import { RegistryError } from '../shared/errors.ts';

/** What `console.log` shows of one of our objects: its class and what its user knows of it, not how it does that. */
export function show(name: string, fields: object, options: InspectOptions): string {
  return `${name} ${inspect(fields, options)}`;
}

/** What a call returns, or the code of its refusal: who logs an object is not to get its errors. */
export function valueOrCode(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    if (error instanceof RegistryError) return error.code;
    throw error;
  }
}
