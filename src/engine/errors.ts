import { RegistryError } from '../shared/errors.ts';
import { Shard as At } from '../shared/layout.ts';
import { quote } from '../shared/name-key.ts';
import type { Shard } from '../shared/shard.ts';
import type { OwnerInfo } from './entry.ts';

/** The name has a living owner. */
export class AlreadyRegisteredError extends RegistryError {
  readonly kind: string;
  readonly id: string;
  /** Who has it. */
  readonly owner: OwnerInfo;

  constructor(kind: string, id: string, owner: OwnerInfo) {
    super(
      'ALREADY_REGISTERED',
      `${kind} ${quote(id)} is registered by thread ${owner.threadId} (owner ${owner.slot}, epoch ${owner.epoch}): ` +
        'unregister it first, or take another id',
    );
    this.name = 'AlreadyRegisteredError';
    this.kind = kind;
    this.id = id;
    this.owner = owner;
  }
}

export function closed(): RegistryError {
  return new RegistryError('CLOSED', 'this registry is closed: open or attach another');
}

export function ownerDead(kind: string, id: string): RegistryError {
  return new RegistryError('OWNER_DEAD', `register ${kind} ${quote(id)}: its owner has been closed`);
}

export function tableFull(what: string, kind: string, id: string, { memory }: Shard): RegistryError {
  const word = (at: number) => memory.control[memory.at + at];
  return new RegistryError(
    'TABLE_FULL',
    `${what} ${kind} ${quote(id)}: its shard has ${word(At.entries)} of ${memory.entriesMax} entries and ` +
      `${word(At.valueBytes)} bytes of configs; raise entriesPerShardMax, valueBytesPerShardMax or shards`,
  );
}
