import { limits } from './limits.ts';

/** True if parsed JSON has more levels than `limits.nestingMax`. Reading such JSON is harmless; writing it is not. */
export function isTooDeep(value: unknown, levels: number = limits.nestingMax): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  const inner = Array.isArray(value) ? value : Object.values(value);
  return inner.some((item) => isTooDeep(item, levels - 1));
}

/** For messages: what is wrong with it. */
export const tooDeep = `it is nested more than ${limits.nestingMax} levels deep`;
