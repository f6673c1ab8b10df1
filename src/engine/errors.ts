import { RegistryError } from '../shared/errors.ts';
import { quote } from '../shared/name-key.ts';
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
      `${kind} ${quote(id)} is registered by thread ${owner.threadId} (owner ${owner.slot}, epoch ${owner.epoch})`,
    );
    this.name = 'AlreadyRegisteredError';
    this.kind = kind;
    this.id = id;
    this.owner = owner;
  }
}
