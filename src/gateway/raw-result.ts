import type { StandardSchemaV1 } from '@modelcontextprotocol/client';

/** A schema that accepts any result and changes nothing: a gateway passes on what it does not understand. */
export const rawResult: StandardSchemaV1<unknown, Record<string, unknown>> = {
  '~standard': {
    version: 1,
    vendor: 'rollcall',
    validate: (value) =>
      typeof value === 'object' && value !== null
        ? { value: value as Record<string, unknown> }
        : { issues: [{ message: 'the result is not an object' }] },
  },
};
