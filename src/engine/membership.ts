import { type InspectOptions, inspect } from 'node:util';
import { corrupt, RegistryError } from '../shared/errors.ts';
import type { RawEntry } from '../shared/shard-reader.ts';
import type { OwnerInfo } from './entry.ts';
import { checkKnown } from './options.ts';
import type { Owner } from './owner.ts';
import type { Registration } from './registration.ts';
import { show } from './show.ts';

/** Who is a member of a group: an owner, or a name that it has. Frozen. */
export interface GroupMember {
  readonly owner: OwnerInfo;
  /** The name, when it joined by one. */
  readonly kind?: string;
  readonly id?: string;
}

/** Who joins or leaves a group. */
export interface MemberOptions {
  /** By default this thread. */
  readonly owner?: Owner | undefined;
  /** A name that is registered for this owner: then the name is the member, and is one as long as it stays so registered. */
  readonly kind?: string | undefined;
  readonly id?: string | undefined;
}

/** What `groups.join` gives: a membership in the hand of who made it. Ends with its owner. */
export class Membership implements Disposable {
  readonly group: string;
  readonly #registration: Registration;

  /** @internal */
  constructor(group: string, registration: Registration) {
    this.group = group;
    this.#registration = registration;
  }

  /** Whether it stands: it was not left, and its owner lives. */
  get active(): boolean {
    return this.#registration.active;
  }

  /** Leaves the group. @returns false when it no longer stood; doing it twice is no error.
   *  @throws {RegistryError} `BUSY` */
  leave(): boolean {
    return this.#registration.unregister();
  }

  /** For `using`. */
  [Symbol.dispose](): void {
    this.leave();
  }

  /** @internal For `console.log`. */
  [inspect.custom](_depth: number, options: InspectOptions): string {
    const { group, active } = this;
    return show('Membership', { group, active }, options);
  }
}

/** Whether two lists have the same members, in the same order. */
export const isSameMembers = (some: readonly GroupMember[], others: readonly GroupMember[]): boolean =>
  some === others || (some.length === others.length && some.every((member, n) => isSameMember(member, others[n])));

const isSameMember = (one: GroupMember, other: GroupMember): boolean =>
  one === other ||
  (one.owner.slot === other.owner.slot &&
    one.owner.epoch === other.owner.epoch &&
    one.kind === other.kind &&
    one.id === other.id);

/** A registration of a name, wherever it lies. */
export interface NamedMember {
  readonly kind: string;
  readonly id: string;
  readonly shard: number;
  readonly record: number;
  readonly born: number;
}

/*
 * The entry of a membership is named `owner slot . owner epoch / group`, or where a name is the member
 * `owner slot . owner epoch . shard . record . born / group`, numbers in base 36. What follows the first slash is the
 * group's name, whatever characters it has. The entry's config says what the name is.
 */

const prefixForm = /^[0-9a-z]+\.[0-9a-z]+(?:\.([0-9a-z]+)\.([0-9a-z]+)\.([0-9a-z]+))?$/;

/** The id of a membership's entry. */
export function membershipId(group: string, { slot, epoch }: Owner, named: NamedMember | undefined): string {
  const parts = [slot, epoch];
  if (named !== undefined) parts.push(named.shard, named.record, named.born >>> 0);
  return `${parts.map((part) => part.toString(36)).join('.')}/${group}`;
}

/** What a membership's entry says. @throws {RegistryError} `CORRUPT` */
export function parseMembership({ name, text }: RawEntry): { group: string; named: NamedMember | undefined } {
  const slash = name.indexOf('/');
  const group = name.slice(slash + 1);
  const [prefix, ...place] = prefixForm.exec(name.slice(0, Math.max(0, slash))) ?? [];
  if (prefix === undefined || group === '') throw corrupt(`membership ${JSON.stringify(name)}`);
  if (place[0] === undefined) return { group, named: undefined };
  const [shard, record, born] = place.map((part) => Number.parseInt(part, 36));
  const [kind, id] = nameOf(text);
  return { group, named: { kind, id, shard, record, born: born | 0 } };
}

function nameOf(text: string | undefined): [kind: string, id: string] {
  try {
    const [kind, id] = JSON.parse(text ?? '');
    if (typeof kind === 'string' && typeof id === 'string') return [kind, id];
  } catch (error) {
    if (!(error instanceof SyntaxError) && !(error instanceof TypeError)) throw error;
  }
  throw corrupt('a membership of a name without the name');
}

/** @throws {RegistryError} `INVALID_OPTION` */
export function checkMemberOptions(options: MemberOptions): void {
  checkKnown(options, ['owner', 'kind', 'id']);
  if ((options.kind === undefined) === (options.id === undefined)) return;
  throw new RegistryError('INVALID_OPTION', 'a member by name has both kind and id');
}
