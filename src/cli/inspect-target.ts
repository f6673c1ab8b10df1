import type { InspectorOptions } from '../engine/index.ts';
import { UsageError, wholeNumber } from './usage-error.ts';

/** Options that say which process is looked into. */
export const targetOptions = { path: { type: 'string' }, pid: { type: 'string' } } as const;

/** @throws {UsageError} */
export function targetOf({ path, pid }: { path?: string | undefined; pid?: string | undefined }): InspectorOptions {
  if (path !== undefined && pid !== undefined) throw new UsageError('--path and --pid: give one of them.');
  if (path === '') throw new UsageError('--path needs a value.');
  return { path, pid: pid === undefined ? undefined : wholeNumber('--pid', pid, 1, 2 ** 31 - 1) };
}
