import type { JsonValue } from '../shared/codec.ts';
import { type Answer, answerFrom, type Source } from './answer.ts';
import type { SharedEntry } from './entry.ts';
import type { Grounds } from './grounds.ts';
import { noMembers } from './group-index.ts';
import { KindIndex } from './kind-index.ts';
import { type GroupMember, isSameMembers } from './membership.ts';
import type { Parts } from './parts.ts';

interface Rule {
  readonly kind: string;
  /** The key of `config.capabilities` that makes a member; without one every entry of the kind is. */
  readonly capability?: string;
}

/** Groups whose members are what is registered: nobody joins or leaves them. */
const rules: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ['mcp_all_servers', { kind: 'server' }],
  ['mcp_tool_servers', { kind: 'server', capability: 'tools' }],
  ['mcp_resource_servers', { kind: 'server', capability: 'resources' }],
  ['mcp_prompt_servers', { kind: 'server', capability: 'prompts' }],
  ['mcp_all_transports', { kind: 'transport' }],
]);

export const isAutomatic = (name: string): boolean => rules.has(name);
export const automaticNames: readonly string[] = [...rules.keys()];

/**
 * The automatic groups. They are views of the entries of kinds `server` and `transport`, so whatever registers, updates,
 * unregisters or dies, they cannot disagree with the registry.
 */
export class AutomaticGroups {
  readonly #parts: Parts;
  readonly #indexes = new Map<string, KindIndex>();
  readonly #answers = new Map<string, Answer<readonly GroupMember[]>>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** @returns undefined when the answer has to be read anew */
  known(name: string): readonly GroupMember[] | undefined {
    const answer = this.#answers.get(name);
    return answer?.holds(this.#parts.life.words) ? answer.value : undefined;
  }

  members(name: string): readonly GroupMember[] {
    const rule = rules.get(name) as Rule;
    const index = this.#indexOf(rule.kind);
    if (index === undefined) return noMembers;
    const before = this.#answers.get(name)?.value;
    const answer = answerFrom(this.#parts.table.control, index.views, new MembersBy(index, rule, before));
    this.#answers.set(name, answer);
    return answer.value;
  }

  /** Undefined while nothing of the kind was ever registered. */
  #indexOf(kind: string): KindIndex | undefined {
    const { table, resolver } = this.#parts;
    const known = this.#indexes.get(kind);
    if (known !== undefined) return known;
    const number = table.kinds.find(kind);
    if (number === 0) return undefined;
    const index = new KindIndex(table, resolver, number);
    this.#indexes.set(kind, index);
    return index;
  }
}

/** The member that an entry is: the same object for the same entry's owner and name. */
const members = new WeakMap<SharedEntry, GroupMember>();

/** Collects the entries that a rule makes members. */
class MembersBy implements Source<readonly GroupMember[]> {
  readonly #index: KindIndex;
  readonly #rule: Rule;
  readonly #before: readonly GroupMember[] | undefined;

  constructor(index: KindIndex, rule: Rule, before: readonly GroupMember[] | undefined) {
    this.#index = index;
    this.#rule = rule;
    this.#before = before;
  }

  collect(control: Int32Array, grounds: Grounds): readonly GroupMember[] {
    const { capability } = this.#rule;
    const found: GroupMember[] = [];
    for (const entry of this.#index.collect(control, grounds)) {
      if (capability === undefined || hasCapability(entry.config, capability)) found.push(memberOf(entry));
    }
    return this.#before !== undefined && isSameMembers(found, this.#before) ? this.#before : Object.freeze(found);
  }
}

function memberOf(entry: SharedEntry): GroupMember {
  const known = members.get(entry);
  if (known !== undefined) return known;
  const { owner, kind, id } = entry;
  const member = Object.freeze({ owner, kind, id });
  members.set(entry, member);
  return member;
}

/** As MCP says it: a capability is there when its key has an object, an empty one too. */
function hasCapability(config: JsonValue | undefined, capability: string): boolean {
  const capabilities = fieldOf(config, 'capabilities');
  const value = fieldOf(capabilities, capability);
  return value !== undefined && value !== null && value !== false;
}

const fieldOf = (value: JsonValue | undefined, key: string): JsonValue | undefined =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as { readonly [key: string]: JsonValue })[key]
    : undefined;
