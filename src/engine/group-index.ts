import { corrupt } from '../shared/errors.ts';
import { InternalKind } from '../shared/internal-kinds.ts';
import { limits } from '../shared/limits.ts';
import type { RawEntry } from '../shared/shard-reader.ts';
import { ShardView, type ViewIndex } from '../shared/shard-view.ts';
import type { Table } from '../shared/table.ts';
import { type Answer, answerFrom, type Source } from './answer.ts';
import type { SharedOwner } from './entry.ts';
import type { Grounds } from './grounds.ts';
import { type GroupMember, isSameMembers, type NamedMember, parseMembership } from './membership.ts';
import type { Resolver } from './resolver.ts';

export const noMembers: readonly GroupMember[] = Object.freeze([]);

interface Row {
  /** Tells the membership from others in its record. */
  readonly born: number;
  readonly group: string;
  readonly member: GroupMember;
  readonly owner: SharedOwner;
  readonly named: NamedMember | undefined;
}

/** One group that has memberships, as far as this thread knows. */
export class Group {
  readonly rows: Map<number, Row> = new Map<number, Row>();
  /** The members that were handed out last; undefined once a membership has come or gone. */
  members: readonly GroupMember[] | undefined;
  /** Whether names are among its members: these may go without any change of the group's shard. */
  named = 0;
  /** What was answered last. */
  answer: Answer<readonly GroupMember[]> | undefined;
}

/**
 * The memberships of all groups of one shard, by group. All memberships of a group lie in one shard, that of its name,
 * so who asks for a group's members reads one shard.
 */
export class GroupIndex implements ViewIndex {
  readonly view: ShardView;
  readonly #groups: Map<string, Group>;
  readonly #empty: Map<string, Answer<readonly GroupMember[]>>;
  readonly #rows = new Map<number, Row>();
  readonly #table: Table;
  readonly #resolver: Resolver;

  /** @param groups those of all shards @param empty what was answered about names of groups without memberships, of all shards */
  constructor(
    table: Table,
    resolver: Resolver,
    shard: number,
    groups: Map<string, Group>,
    empty: Map<string, Answer<readonly GroupMember[]>>,
  ) {
    this.#groups = groups;
    this.#empty = empty;
    this.#table = table;
    this.#resolver = resolver;
    this.view = new ShardView(table.shards[shard], table.readers[shard], InternalKind.membership, this);
  }

  /** The members of a group; the same array until one has come or gone. */
  members(name: string): readonly GroupMember[] {
    this.view.catchUp();
    const known = this.#groups.get(name);
    const before = known === undefined ? this.#empty.get(name) : known.answer;
    // Names may go without a word in this shard. And a call that was cut off may have left members, and the answer before them.
    const stands = known === undefined || (before?.value === known.members && known.named === 0);
    if (stands && before?.renew(this.#table.control, this.view)) return before.value;
    const answer = answerFrom(this.#table.control, [this.view], new MembersOf(this.#table, this.#groups, name));
    const group = this.#groups.get(name);
    if (group !== undefined) group.answer = answer;
    else this.#keepEmpty(name, answer);
    return answer.value;
  }

  #keepEmpty(name: string, answer: Answer<readonly GroupMember[]>): void {
    if (this.#empty.size >= limits.emptyGroupsKnownMax) this.#empty.clear();
    this.#empty.set(name, answer);
  }

  placed(entry: RawEntry): void {
    if (this.#rows.get(entry.record)?.born === entry.born) return; // who joined again
    this.vacated(entry.record);
    const { group: name, named } = parseMembership(entry);
    const owner = this.#resolver.owner(entry.owner, entry.ownerEpoch);
    const { kind, id } = named ?? {};
    const member: GroupMember =
      kind === undefined || id === undefined ? { owner: owner.info } : { owner: owner.info, kind, id };
    const row = { born: entry.born, group: name, member: Object.freeze(member), owner, named };
    // First: what a `vm` time-out leaves half done, `cleared` must find.
    this.#rows.set(entry.record, row);
    let group = this.#groups.get(name);
    if (group === undefined) {
      group = new Group();
      this.#groups.set(name, group);
    }
    group.rows.set(entry.record, row);
    group.members = undefined;
    if (named !== undefined) group.named++;
  }

  vacated(record: number): void {
    const row = this.#rows.get(record);
    if (row === undefined) return;
    const group = this.#groups.get(row.group) as Group;
    group.rows.delete(record);
    group.members = undefined;
    if (row.named !== undefined) group.named--;
    if (group.rows.size === 0) this.#groups.delete(row.group);
    this.#rows.delete(record);
  }

  cleared(): void {
    for (const { group } of this.#rows.values()) this.#groups.delete(group);
    this.#rows.clear();
  }
}

/** Collects the members of one group. */
class MembersOf implements Source<readonly GroupMember[]> {
  readonly #table: Table;
  readonly #groups: ReadonlyMap<string, Group>;
  readonly #name: string;

  constructor(table: Table, groups: ReadonlyMap<string, Group>, name: string) {
    this.#table = table;
    this.#groups = groups;
    this.#name = name;
  }

  collect(control: Int32Array, grounds: Grounds): readonly GroupMember[] {
    const group = this.#groups.get(this.#name);
    if (group === undefined) return noMembers;
    const members: GroupMember[] = [];
    for (const { owner, member, named } of group.rows.values()) {
      if (
        !owner.lives(control) ||
        grounds.mortality.isOver(owner, control) ||
        (named !== undefined && !this.#stands(named, grounds))
      )
        continue;
      grounds.addOwner(owner);
      members.push(member);
    }
    if (group.members === undefined || !isSameMembers(members, group.members)) group.members = Object.freeze(members);
    return group.members;
  }

  /** Whether a name is still registered as it was when it joined. */
  #stands({ shard, record, born }: NamedMember, grounds: Grounds): boolean {
    const reader = this.#table.readers.at(shard);
    if (reader === undefined) throw corrupt(`a member of shard ${shard}`);
    grounds.addSequence(reader.changeSequenceAt, reader.changeSequence());
    const deadlineAt = reader.deadlineOf(record); // first: `records` covers it afterwards
    if (grounds.mortality.isPast(reader.memory.records, deadlineAt)) return false;
    return reader.isRegistration(record, born);
  }
}
