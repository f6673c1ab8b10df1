import type { Registry } from '../../src/engine/index.ts';
import { currentKernelThread } from '../../src/shared/liveness.ts';
import type { Attachment } from './threads.ts';

export const threadKind = 'thread';
/** The group of all threads. */
export const crewGroup = 'crew';

/** Registers the calling thread under its row, for as long as it lives. @returns who its locks say holds them. */
export function attachmentOf(registry: Registry, row: number): Attachment {
  registry.register(threadKind, `${row}`);
  registry.groups.join(crewGroup, { kind: threadKind, id: `${row}` });
  const { slot, epoch } = registry.whereis(threadKind, `${row}`)!.owner;
  return { slot, epoch, tid: currentKernelThread().tid };
}
