import type { GroupMember, Registry } from '../../src/engine/index.ts';
import { checkedConfig, expectWhole } from '../stress/tasks/configs.ts';
import { crewGroup, threadKind } from './attachment.ts';
import { counters } from './counting.ts';
import type { CrewMember } from './crew.ts';
import { groupNames, tiedKinds } from './own-ties.ts';
import { Problem } from './threads.ts';
import { Row, rowAt, type Words } from './words.ts';
import { kinds, nameOf, sharedNames } from './writer.ts';

const present = 'present';
/** The config of an entry that is there all the while. */
const presentConfig = (n: number) => ({ n });

/** What the main thread registers for the others, and what it sees of them when they have ended. */
export class Witness {
  readonly #registry: Registry;
  readonly #words: Words;
  readonly #entries: number;
  readonly #rows: readonly number[];
  /** What was counted; and of that, what those who counted were not told. */
  counted = 0;
  countedUntold = 0;
  #crew: readonly GroupMember[] = [];

  /** `entries` are there all the while; `rows` are those of all threads. */
  constructor(registry: Registry, words: Words, entries: number, rows: readonly number[]) {
    this.#registry = registry;
    this.#words = words;
    this.#entries = entries;
    this.#rows = rows;
  }

  /** Watches who is in the group of all, until the registry is closed. */
  async followCrew(): Promise<void> {
    for await (const members of this.#registry.groups.watch(crewGroup)) this.#crew = members;
  }

  /** Whether a watch has told who is in the group of all, these and nobody else. */
  isToldOf(crew: readonly CrewMember[]): boolean {
    const told = new Set(this.#crew.map(tenancyOf));
    return told.size === crew.length && crew.every(({ attachment }) => told.has(tenancyOf({ owner: attachment })));
  }

  /** Registers what is there all the while, and a ledger and a gift for each place of victims. */
  prepare(rows: readonly number[]): void {
    for (let n = 0; n < this.#entries; n++) {
      this.#registry.register(present, `${present} ${n}`, { config: presentConfig(n) });
    }
    for (const row of rows) {
      const id = nameOf('ledger', row);
      this.#registry.register(kinds.ledger, id, { config: checkedConfig(id, 0) });
    }
  }

  /** Nothing of a killed thread is found, and what it was told is done is there. @returns names of the living that were listed. */
  expectGone({ threadId, row }: CrewMember): number {
    let listed = 0;
    for (const entry of this.#sharedEntries()) {
      if (entry.owner.threadId === threadId) throw new Problem('lost', `"${entry.id}" of a dead thread is found`);
      if (entry.config !== undefined) whole(entry.id, entry.config);
      listed++;
    }
    const id = nameOf('ledger', row);
    const state = whole(id, this.#registry.whereis(kinds.ledger, id)?.config);
    const at = rowAt(row, Row.acknowledged);
    const told = Atomics.load(this.#words, at);
    if (state !== told && state !== told + 1)
      throw new Problem('lost', `"${id}" is in state ${state}, told was ${told}`);
    // The last write may have been committed and not told: the next victim goes on from there.
    Atomics.store(this.#words, at, state);
    return listed;
  }

  /** A list reads every record, so it is spared where there are very many. */
  *#sharedEntries() {
    if (this.#entries === 0) return yield* this.#registry.list(kinds.shared);
    for (let n = 0; n < sharedNames; n++) {
      const entry = this.#registry.whereis(kinds.shared, nameOf('name', n));
      if (entry) yield entry;
    }
  }

  /** Of the dead nobody is a member of any group; of those that live nobody is missing in the group of all. */
  expectMembers(dead: CrewMember, crew: Iterable<CrewMember>): void {
    for (const group of [crewGroup, ...groupNames]) {
      const members = this.#registry.groups.members(group);
      if (members.some(({ owner }) => owner.threadId === dead.threadId)) {
        throw new Problem('lost', `a dead thread is a member of "${group}"`);
      }
    }
    this.expectCrew(crew);
  }

  /** Everybody who lives is in the group of all. */
  expectCrew(crew: Iterable<CrewMember>): void {
    const members = new Set(this.#registry.groups.members(crewGroup).map(tenancyOf));
    for (const { lives, row, attachment } of crew) {
      if (lives && !members.has(tenancyOf({ owner: attachment }))) {
        throw new Problem('lost', `thread ${row} lives, and is not in "${crewGroup}"`);
      }
    }
  }

  /** What was counted is no less than was told, and no more than was begun. @returns what was counted by owners, to be kept */
  expectCounts(): number {
    for (const [name, tried, counted] of [
      [counters.all, Row.allTried, Row.allCounted],
      [counters.kept, Row.keptTried, Row.keptCounted],
    ] as const) {
      const [most, least] = [this.#sumOf(tried), this.#sumOf(counted)];
      const found = this.#registry.counters.sum(name);
      if (found < least) throw new Problem('lost', `counter "${name}" is ${found}; told were ${least}`);
      if (found > most) throw new Problem('repeated', `counter "${name}" is ${found}; begun were ${most}`);
      this.counted += found;
      this.countedUntold += found - least;
    }
    return this.#registry.counters.sum(counters.kept);
  }

  /** All owners that counted are dead: what was to be kept is, and the rest is gone. */
  expectKept(expected: number): void {
    const { counters: sums } = this.#registry;
    const kept = sums.sum(counters.kept);
    if (kept !== expected) throw new Problem('lost', `counter "${counters.kept}" is ${kept}, it was ${expected}`);
    const gone = sums.sum(counters.gone);
    if (gone !== 0) throw new Problem('leaked', `counter "${counters.gone}" is ${gone}, its owners are dead`);
  }

  #sumOf(field: number): number {
    return this.#rows.reduce((sum, row) => sum + Atomics.load(this.#words, rowAt(row, field)), 0);
  }

  /** All names of a kind, with their states. */
  expectStates(kind: string, states: readonly (readonly [id: string, state: number])[]): void {
    const count = this.#registry.count(kind);
    if (count !== states.length) throw new Problem('lost', `${count} names of ${kind}, not ${states.length}`);
    for (const [id, expected] of states) {
      const state = whole(id, this.#registry.whereis(kind, id)?.config);
      if (state !== expected) throw new Problem('lost', `${kind} "${id}" is in state ${state}, not in ${expected}`);
    }
  }

  /** The entries that were there all the while still are. */
  expectEntries(): void {
    let sum = 0;
    let count = 0;
    for (const { id, config } of this.#registry.list(present)) {
      const { n } = config as ReturnType<typeof presentConfig>;
      if (id !== `${present} ${n}`) throw new Problem('torn', `"${id}" has the config of ${n}`);
      sum += n;
      count++;
    }
    const expected = (this.#entries * (this.#entries - 1)) / 2;
    if (count !== this.#entries || sum !== expected) {
      throw new Problem('lost', `${count} of ${this.#entries} entries are there`);
    }
  }

  /** Every kind that has names. */
  kinds(survivors: number): string[] {
    return [
      present,
      threadKind,
      ...Object.values(tiedKinds),
      ...Object.values(kinds),
      ...Array.from({ length: survivors }, (_, row) => `survivor ${row}`),
    ];
  }
}

const tenancyOf = ({ owner: { slot, epoch } }: { readonly owner: { readonly slot: number; readonly epoch: number } }) =>
  `${slot}.${epoch}`;

function whole(id: string, config: unknown): number {
  if (config === undefined) throw new Problem('lost', `"${id}" is gone`);
  try {
    return expectWhole(id, config).n;
  } catch (error) {
    throw new Problem('torn', String(error), { cause: error });
  }
}
