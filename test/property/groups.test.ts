// Groups, automatic groups and bindings under random operations by two attachments, against plain maps: after each
// operation both attachments, whose views have seen different pasts, answer what the maps say.
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type GroupMember, type Owner, Registry } from '../../src/engine/index.ts';
import { audit } from '../support/bookkeeping.ts';
import { property } from '../support/property.ts';

const test = suite('groups and bindings');

const groupNames = ['g', 'a group / of another name'];
const ids = ['a', 'b'];
const capabilities = ['tools', 'resources', 'prompts'];
const kinds = ['server', 'transport'] as const;
type Kind = (typeof kinds)[number];

/** An owner of one of the attachments; `undefined` is its thread. */
interface Holder {
  readonly registry: Registry;
  owner: Owner | undefined;
}
interface Named {
  readonly holder: string;
  readonly config: { readonly capabilities: Record<string, object>; readonly server_id?: string };
  readonly registration: number;
}
interface Bound {
  readonly holder: string;
  readonly server: string | null;
  readonly registrations: readonly (number | undefined)[];
}

const step = fc.record({
  what: fc.constantFrom(
    ...([
      'register',
      'register',
      'update',
      'unregister',
      'close',
      'join',
      'join',
      'joinByName',
      'leave',
      'bind',
    ] as const),
    ...(['bind', 'unbind', 'churn'] as const),
  ),
  holder: fc.nat(5),
  kind: fc.constantFrom(...kinds),
  id: fc.constantFrom(...ids),
  other: fc.constantFrom(...ids),
  group: fc.constantFrom(...groupNames),
  capabilities: fc.subarray(capabilities),
  implied: fc.boolean(),
  asks: fc.boolean(),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** The plain thing, and the real one beside it. */
class Pair {
  readonly registries: readonly Registry[];
  readonly holders: Holder[];
  readonly names = new Map<string, Named>();
  readonly members = new Map<string, { group: string; holder: string; kind?: Kind; id?: string; of?: number }>();
  readonly bindings = new Map<string, Bound>();
  #count = 0;

  constructor(registries: readonly Registry[]) {
    this.registries = registries;
    this.holders = registries.flatMap((registry) => [
      { registry, owner: undefined },
      { registry, owner: registry.owner() },
      { registry, owner: registry.owner() },
    ]);
  }

  perform({ what, holder: n, kind, id, other, group, capabilities, implied }: Step): void {
    const holder = this.holders[n];
    const { registry } = holder;
    const who = keyOf(holder);
    const options = holder.owner === undefined ? {} : { owner: holder.owner };
    const config = {
      capabilities: Object.fromEntries(capabilities.map((name) => [name, {}])),
      ...(kind === 'transport' && implied ? { server_id: other } : {}),
    };
    const name = `${kind} ${id}`;
    const known = this.names.get(name);
    switch (what) {
      case 'register':
        assert.is(registry.tryRegister(kind, id, { ...options, config }).ok, known === undefined);
        if (known === undefined) this.names.set(name, { holder: who, config, registration: this.#count++ });
        return;
      case 'update':
        if (known === undefined) return;
        registry.update(kind, id, config);
        this.names.set(name, { ...known, config });
        return;
      case 'unregister':
        assert.is(registry.unregister(kind, id), known !== undefined);
        this.names.delete(name);
        return;
      case 'close':
        if (holder.owner === undefined) return;
        holder.owner.close();
        for (const map of [this.names, this.members, this.bindings]) {
          for (const [key, entry] of map) if (entry.holder === who) map.delete(key);
        }
        holder.owner = registry.owner();
        return;
      case 'join':
        registry.groups.join(group, options);
        this.members.set(`${group} ${who}`, { group, holder: who });
        return;
      case 'joinByName':
        if (known?.holder !== who) return;
        registry.groups.join(group, { ...options, kind, id });
        this.members.set(`${group} ${who} ${known.registration}`, {
          group,
          holder: who,
          kind,
          id,
          of: known.registration,
        });
        return;
      case 'leave':
        assert.is(registry.groups.leave(group, options), this.members.delete(`${group} ${who}`));
        return;
      case 'bind': {
        const [transport, server] = [this.names.get(`transport ${id}`), this.names.get(`server ${other}`)];
        if (transport === undefined || server === undefined) return;
        registry.bindings.bind(id, other, options);
        const registrations = [transport.registration, server.registration];
        this.bindings.set(id, { holder: who, server: other, registrations });
        return;
      }
      case 'unbind': {
        const bound = this.serverOf(id);
        assert.is(registry.bindings.unbind(id, options), bound !== undefined);
        if (bound === undefined) return;
        const transport = this.names.get(`transport ${id}`);
        if (transport?.config.server_id === undefined) this.bindings.delete(id);
        else this.bindings.set(id, { holder: who, server: null, registrations: [transport.registration] });
        return;
      }
      case 'churn': // more changes than the log of a shard holds
        for (let k = 0; k < 600; k++) registry.register('other', 'x').unregister();
    }
  }

  serverOf(transport: string): string | undefined {
    const entry = this.names.get(`transport ${transport}`);
    const bound = this.bindings.get(transport);
    if (entry === undefined) return undefined;
    if (bound?.registrations[0] === entry.registration) {
      if (bound.server === null) return undefined;
      if (this.names.get(`server ${bound.server}`)?.registration === bound.registrations[1]) return bound.server;
    }
    const implied = entry.config.server_id;
    return implied !== undefined && this.names.has(`server ${implied}`) ? implied : undefined;
  }

  check(registry: Registry): void {
    const { groups, bindings } = registry;
    for (const group of groupNames) {
      const expected = [...this.members.values()].filter(
        (member) =>
          member.group === group &&
          (member.of === undefined || this.names.get(`${member.kind} ${member.id}`)?.registration === member.of),
      );
      assert.equal(
        groups.members(group).map(describe).toSorted(),
        expected.map(({ holder, kind, id }) => [holder, kind, id].join()).toSorted(),
      );
    }
    const named = (kind: Kind, has: string | undefined): string[] =>
      [...this.names]
        .filter(([name, { config }]) => name.startsWith(kind) && (has === undefined || has in config.capabilities))
        .map(([name, { holder }]) => [holder, ...name.split(' ')].join())
        .toSorted();
    const automatic = {
      mcp_all_servers: named('server', undefined),
      mcp_tool_servers: named('server', 'tools'),
      mcp_resource_servers: named('server', 'resources'),
      mcp_prompt_servers: named('server', 'prompts'),
      mcp_all_transports: named('transport', undefined),
    };
    for (const [group, expected] of Object.entries(automatic)) {
      assert.equal(groups.members(group).map(describe).toSorted(), expected, group);
    }
    for (const id of ids) {
      assert.is(bindings.serverOf(id), this.serverOf(id), `the server of ${id}`);
      assert.equal(
        bindings.transportsOf(id).toSorted(),
        ids.filter((transport) => this.serverOf(transport) === id),
        `the transports of ${id}`,
      );
    }
  }
}

const describe = ({ owner, kind, id }: GroupMember): string => [`${owner.slot}.${owner.epoch}`, kind, id].join();
const slotOf = (registry: Registry): string => {
  const registration = registry.register('probe', `${Math.random()}`);
  const { owner } = registry.whereis('probe', registration.id)!;
  registration.unregister();
  return `${owner.slot}.${owner.epoch}`;
};
const threads = new WeakMap<Registry, string>();
function keyOf({ registry, owner }: Holder): string {
  if (owner !== undefined) return `${owner.slot}.${owner.epoch}`;
  const known = threads.get(registry) ?? slotOf(registry);
  threads.set(registry, known);
  return known;
}

property(
  test,
  'agree with plain maps',
  fc.asyncProperty(
    fc.array(step, { minLength: 1, maxLength: 100, size: 'max' }),
    fc.constantFrom(1, 4),
    async (steps, shards) => {
      await using opener = await Registry.open({ shards });
      const attached = Registry.attach(opener.handle);
      const pair = new Pair([opener, attached]);
      for (const each of steps) {
        pair.perform(each);
        // One of the two asks each time, the other now and then: then it has more to catch up on.
        pair.check(opener);
        if (each.asks) pair.check(attached);
      }
      pair.check(attached);
      audit(opener.handle);
      await attached.close();
    },
  ),
  { numRuns: 60 },
);

test.run();
