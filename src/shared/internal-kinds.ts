import { limits } from './limits.ts';

/** Rows for kinds: those of users, and the names of counters. */
export const kindRows: number = limits.kindsMax + limits.counterNamesMax;

/**
 * Kinds of entries that are the registry's own: what they say is given by calls of their own. Their numbers lie above
 * those of all kinds that have a name, so no name leads to them, and none of them has a row.
 */
export const InternalKind = {
  /** A membership of a group: see engine/groups.ts. */
  membership: kindRows + 1,
  /** A binding of a transport to a server: see engine/bindings.ts. */
  binding: kindRows + 2,
  /** The properties of an owner: see engine/properties.ts. */
  properties: kindRows + 3,
} as const;

export const isInternal = (kind: number): boolean => kind > kindRows;
