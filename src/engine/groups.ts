import { threadId } from 'node:worker_threads';
import { encodeConfig } from '../shared/codec.ts';
import { assert, RegistryError } from '../shared/errors.ts';
import { InternalKind } from '../shared/internal-kinds.ts';
import { limits } from '../shared/limits.ts';
import { quote } from '../shared/name-key.ts';
import { IfHeld } from '../shared/shard.ts';
import { Outcome } from '../shared/shard-mutations.ts';
import type { Answer } from './answer.ts';
import { AutomaticGroups, automaticNames, isAutomatic } from './automatic-groups.ts';
import { Dependents } from './dependents.ts';
import { type Group, GroupIndex } from './group-index.ts';
import {
  checkMemberOptions,
  type GroupMember,
  isSameMembers,
  type MemberOptions,
  Membership,
  membershipId,
  type NamedMember,
} from './membership.ts';
import { checkObject } from './options.ts';
import type { Owner } from './owner.ts';
import { checkOwner, type Parts, registerOwn } from './parts.ts';
import type { StateIterator } from './wait.ts';
import type { Watches, WatchOptions } from './watches.ts';

/**
 * Groups of owners and names, as `pg` of Erlang: who is in a group, asked by its name, in every thread. A group is there while it has
 * members; a membership ends with its owner. To join twice is to join once.
 *
 * The groups `mcp_all_servers`, `mcp_tool_servers`, `mcp_resource_servers`, `mcp_prompt_servers` and `mcp_all_transports` have
 * for members what is registered of kinds `server` and `transport`, by `config.capabilities`; nobody joins or leaves them.
 * @example
 * registry.groups.join('indexers', { owner });
 * registry.groups.members('indexers'); // in any thread: [{ owner: { threadId, slot, epoch } }]
 */
export class Groups {
  readonly #parts: Parts;
  readonly #watches: Watches;
  readonly #automatic: AutomaticGroups;
  readonly #indexes: (GroupIndex | undefined)[];
  readonly #groups = new Map<string, Group>();
  /** What was answered about groups that were not there. */
  readonly #empty = new Map<string, Answer<readonly GroupMember[]>>();
  readonly #byName: Dependents;

  /** @internal Made by the registry. */
  constructor(parts: Parts, watches: Watches) {
    this.#parts = parts;
    this.#watches = watches;
    this.#byName = new Dependents(parts.table);
    this.#automatic = new AutomaticGroups(parts);
    this.#indexes = parts.table.shards.map(() => undefined);
  }

  /** Makes an owner, or a name of it, a member.
   *  @param group any Unicode text of at most 192 bytes (UTF-8)
   *  @throws {RegistryError} `INVALID_NAME`, `INVALID_OPTION`; `NOT_FOUND` when the name is not registered for the owner;
   *    `OWNER_DEAD`, `TABLE_FULL` when the shard of the group's name is, `CLOSED`, `BUSY`; `CONFIG_TOO_LARGE` when a name's kind and
   *    id together exceed `configBytesMax` */
  join(group: string, options: MemberOptions = {}): Membership {
    const { owner, named } = this.#member(group, options);
    if (owner.alive && options.kind !== undefined && named === undefined) throw notRegistered(group, options);
    if (named !== undefined) this.#byName.freeSome();
    this.#encode(group, owner, named);
    const config = named && encodeConfig([named.kind, named.id]);
    const registration = registerOwn(this.#parts, owner, 'group', group, config, IfHeld.update);
    assert(registration !== undefined, 'a membership is its own owner’s');
    if (named !== undefined) this.#byName.add(registration, [named]);
    return new Membership(group, registration);
  }

  /** Ends a membership. @returns whether there was one.
   *  @throws {RegistryError} `INVALID_NAME`, `INVALID_OPTION`, `CLOSED`, `BUSY` */
  leave(group: string, options: MemberOptions = {}): boolean {
    const { owner, named } = this.#member(group, options);
    if (options.kind !== undefined && named === undefined) return false; // its membership ended with it
    this.#encode(group, owner, named);
    const { table } = this.#parts;
    return table.shards[table.shardOf(table.key.hash)].unregister(table.key) === Outcome.done;
  }

  /** The members of a group, in no particular order: a frozen array, the same until a member comes or goes. Nothing but loads
   *  of memory when none has; the first time the thread asks, it reads the shard of the group's name.
   *  @throws {RegistryError} `INVALID_NAME`, `CLOSED`; `BUSY` when others write without a pause */
  members(group: string): readonly GroupMember[] {
    const answer = this.#groups.get(group)?.answer ?? this.#empty.get(group);
    if (answer?.holds(this.#parts.life.words)) return answer.value;
    if (isAutomatic(group)) return this.#automatic.known(group) ?? this.#automaticMembers(group);
    return this.#read(group);
  }

  /** The members that are of this thread. @throws {RegistryError} as `members` does */
  localMembers(group: string): readonly GroupMember[] {
    return this.members(group).filter(({ owner }) => owner.threadId === threadId);
  }

  /** Names of the groups that have members, in no particular order. @throws {RegistryError} `CLOSED`, `BUSY` */
  list(): string[] {
    this.#parts.life.checkOpen();
    const { shards } = this.#parts.table;
    for (const shard of shards.keys()) this.#index(shard).view.catchUp();
    return [...automaticNames, ...this.#groups.keys()].filter((name) => this.members(name).length > 0);
  }

  /** The members of a group now, then whenever one has come or gone: see `Registry.watch`.
   *  @throws {RegistryError} `INVALID_NAME`, `INVALID_OPTION`, `CLOSED` */
  watch(group: string, options: WatchOptions = {}): StateIterator<readonly GroupMember[]> {
    this.members(group); // says at once what is wrong with it
    let told: readonly GroupMember[] | undefined;
    const look = () => {
      const members = this.members(group);
      if (told !== undefined && isSameMembers(members, told)) return undefined;
      told = members;
      return { value: members };
    };
    return this.#watches.states(look, options);
  }

  #automaticMembers(group: string): readonly GroupMember[] {
    this.#parts.life.checkOpen();
    return this.#automatic.members(group);
  }

  #read(group: string): readonly GroupMember[] {
    this.#parts.life.checkOpen();
    this.#encodeGroup(group);
    const { table } = this.#parts;
    return this.#index(table.shardOf(table.key.hash)).members(group);
  }

  #index(shard: number): GroupIndex {
    const { table, resolver } = this.#parts;
    this.#indexes[shard] ??= new GroupIndex(table, resolver, shard, this.#groups, this.#empty);
    return this.#indexes[shard];
  }

  /** Checks who joins or leaves. @returns the name only if the owner has it */
  #member(group: string, options: MemberOptions): { owner: Owner; named: NamedMember | undefined } {
    this.#parts.life.checkOpen();
    checkObject(options);
    checkMemberOptions(options);
    const { owner = this.#parts.self, kind, id } = options;
    checkOwner(this.#parts.table, owner);
    this.#encodeGroup(group);
    if (isAutomatic(group)) {
      throw new RegistryError('INVALID_NAME', `group ${quote(group)} is automatic: its members are what is registered`);
    }
    const named = kind === undefined || id === undefined ? undefined : this.#named(owner, kind, id);
    return { owner, named };
  }

  /** Where a name's registration lies, if the owner has it. */
  #named(owner: Owner, kind: string, id: string): NamedMember | undefined {
    const { table, resolver } = this.#parts;
    const entry = resolver.resolve(kind, id)?.found;
    const shard = table.shardOf(table.key.hash); // of the name that was just resolved
    if (entry === undefined || entry.owner.slot !== owner.slot || entry.owner.epoch !== owner.epoch) return undefined;
    return { kind, id, shard, record: entry.record, born: entry.born };
  }

  /** Checks a group's name; leaves its hash in the table's key. */
  #encodeGroup(group: string): void {
    const { key } = this.#parts.table;
    key.encode(InternalKind.membership, group);
    if (key.byteLength <= limits.groupNameBytesMax) return;
    throw new RegistryError(
      'INVALID_NAME',
      `group ${quote(group)} has ${key.byteLength} UTF-8 bytes; at most ${limits.groupNameBytesMax}`,
    );
  }

  /** Leaves a membership's name in the table's key. */
  #encode(group: string, owner: Owner, named: NamedMember | undefined): void {
    const { key } = this.#parts.table;
    this.#encodeGroup(group);
    key.encodeBeside(key.hash, InternalKind.membership, membershipId(group, owner, named));
  }
}

function notRegistered(group: string, { kind = '', id = '' }: MemberOptions): RegistryError {
  return new RegistryError('NOT_FOUND', `join ${quote(group)}: ${kind} ${quote(id)} is not registered for this owner`);
}
