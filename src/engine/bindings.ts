import { encodeConfig, type JsonValue } from '../shared/codec.ts';
import { assert, corrupt, RegistryError } from '../shared/errors.ts';
import { InternalKind } from '../shared/internal-kinds.ts';
import { limits } from '../shared/limits.ts';
import { quote } from '../shared/name-key.ts';
import { IfHeld } from '../shared/shard.ts';
import { type Answer, answerFrom, type Source } from './answer.ts';
import { Dependents, type Place } from './dependents.ts';
import type { SharedEntry } from './entry.ts';
import type { Grounds } from './grounds.ts';
import { KindIndex } from './kind-index.ts';
import { checkKnown } from './options.ts';
import type { Owner } from './owner.ts';
import { checkOwner, type Parts, registerOwn } from './parts.ts';

const TRANSPORT = 'transport';
const SERVER = 'server';
const noTransports: readonly string[] = Object.freeze([]);

/** Who makes a binding. */
export interface BindOptions {
  /** The binding ends with this owner too. By default this thread; best the transport's own. */
  readonly owner?: Owner | undefined;
}

/**
 * Which server a transport (a name of kind `transport`) is bound to (a name of kind `server`), and the other way round.
 *
 * A transport is bound by `bind`, or by `server_id` in its config; what `bind` and `unbind` say counts more. A binding is
 * between two registrations: it is gone when either name is unregistered or its owner dies, and does not come back when the name is
 * registered anew; but `server_id` says so of whoever has that name.
 * @example
 * registry.bindings.bind('tcp-5555', 'billing');
 * registry.bindings.serverOf('tcp-5555'); // 'billing', in any thread
 */
export class Bindings {
  readonly #parts: Parts;
  readonly #bindings: KindIndex;
  readonly #made: Dependents;
  #transports: KindIndex | undefined;
  #servers: KindIndex | undefined;
  #byServer: Answer<ReadonlyMap<string, readonly string[]>> | undefined;

  /** @internal Made by the registry. */
  constructor(parts: Parts) {
    this.#parts = parts;
    this.#bindings = new KindIndex(parts.table, parts.resolver, InternalKind.binding);
    this.#made = new Dependents(parts.table);
  }

  /** Binds a transport to a server, instead of the one it was bound to, whoever said so: at no moment is it bound to none.
   *  @throws {RegistryError} `NOT_FOUND` when either is not registered, `INVALID_NAME`, `INVALID_OPTION`, `OWNER_DEAD`, `TABLE_FULL`,
   *    `CONFIG_TOO_LARGE` when what is stored, the server's id and four numbers, exceeds `configBytesMax`, `CLOSED`, `BUSY` */
  bind(transportId: string, serverId: string, options: BindOptions = {}): void {
    const owner = this.#ownerOf(options);
    const transport = this.#registered(TRANSPORT, transportId);
    const server = this.#registered(SERVER, serverId);
    this.#write(transportId, owner, serverId, [transport, server]);
  }

  /** Unbinds a transport. Where its config has a `server_id`, that is noted too, for as long as `owner` lives.
   *  @returns whether it was bound
   *  @throws {RegistryError} `INVALID_NAME`, `INVALID_OPTION`, `OWNER_DEAD`, `TABLE_FULL`, `CONFIG_TOO_LARGE`, `CLOSED`, `BUSY` */
  unbind(transportId: string, options: BindOptions = {}): boolean {
    const owner = this.#ownerOf(options);
    if (this.serverOf(transportId) === undefined) return false;
    const { table, resolver } = this.#parts;
    const transport = resolver.resolve(TRANSPORT, transportId)?.found;
    if (transport === undefined) return false;
    const shard = table.shardOf(table.key.hash); // of the name that was just resolved
    if (impliedServer(transport) === undefined) {
      table.key.encode(InternalKind.binding, transportId);
      table.shards[table.shardOf(table.key.hash)].unregister(table.key);
    } else this.#write(transportId, owner, null, [{ shard, record: transport.record, born: transport.born }]);
    return true;
  }

  /** The server that a transport is bound to. Three lookups, however many bindings there are.
   *  @throws {RegistryError} `INVALID_NAME`, `CLOSED` */
  serverOf(transportId: string): string | undefined {
    this.#parts.life.checkOpen();
    const { words } = this.#parts.life;
    for (let pass = 0; ; pass++) {
      const used: (SharedEntry | undefined)[] = [];
      const use = (answer: SharedEntry | undefined): SharedEntry | undefined => {
        used.push(answer);
        return answer?.found;
      };
      const { resolver } = this.#parts;
      const transport = use(resolver.resolve(TRANSPORT, transportId));
      const binding = transport && use(resolver.resolveOwn(InternalKind.binding, transportId));
      const server = transport && serverOf(transport, binding, (id) => use(resolver.resolve(SERVER, id)));
      // All of it still holds, so it was so at one moment.
      if (pass === limits.viewPassesMax || used.every((answer) => answer?.holds(words) ?? true)) return server;
    }
  }

  /** The transports that are bound to a server, in no particular order: a frozen array, the same until a transport, a server or
   *  a binding changes; then all transports are looked at again.
   *  @throws {RegistryError} `CLOSED`; `BUSY` when others write without a pause */
  transportsOf(serverId: string): readonly string[] {
    return this.#all()?.get(serverId) ?? noTransports;
  }

  /** @internal How many transports are bound. @throws as `transportsOf` */
  count(): number {
    let count = 0;
    for (const transports of this.#all()?.values() ?? []) count += transports.length;
    return count;
  }

  #all(): ReadonlyMap<string, readonly string[]> | undefined {
    if (!this.#byServer?.holds(this.#parts.life.words)) {
      this.#parts.life.checkOpen();
      this.#byServer = this.#read();
    }
    return this.#byServer?.value;
  }

  /** Undefined while no transport or no server was ever registered. */
  #read(): Answer<ReadonlyMap<string, readonly string[]>> | undefined {
    const { table, resolver } = this.#parts;
    const indexOf = (kind: string): KindIndex | undefined => {
      const number = table.kinds.find(kind);
      return number === 0 ? undefined : new KindIndex(table, resolver, number);
    };
    this.#transports ??= indexOf(TRANSPORT);
    this.#servers ??= indexOf(SERVER);
    if (this.#transports === undefined || this.#servers === undefined) return undefined;
    const source = new TransportsByServer(this.#transports, this.#servers, this.#bindings);
    const views = [...this.#transports.views, ...this.#servers.views, ...this.#bindings.views];
    return answerFrom(table.control, views, source);
  }

  #ownerOf(options: BindOptions): Owner {
    this.#parts.life.checkOpen();
    checkKnown(options, ['owner']);
    const { owner = this.#parts.self } = options;
    checkOwner(this.#parts.table, owner);
    return owner;
  }

  #registered(kind: string, id: string): Place {
    const { table, resolver } = this.#parts;
    const entry = resolver.resolve(kind, id)?.found;
    const shard = table.shardOf(table.key.hash); // of the name that was just resolved
    if (entry !== undefined) return { shard, record: entry.record, born: entry.born };
    throw new RegistryError('NOT_FOUND', `bind: ${kind} ${quote(id)} is not registered`);
  }

  /** In place of the binding before, whoever made it. */
  #write(transportId: string, owner: Owner, serverId: string | null, between: readonly Place[]): void {
    const config = encodeConfig([serverId, ...between.flatMap(({ record, born }) => [record, born])]);
    this.#made.freeSome();
    this.#parts.table.key.encode(InternalKind.binding, transportId);
    const registration = registerOwn(this.#parts, owner, 'binding', transportId, config, IfHeld.takeOver);
    assert(registration !== undefined, 'a binding is whose who says so last');
    this.#made.add(registration, between);
  }
}

/** A binding as it is stored: the server's id, or null for none, then record and first version of the transport's registration
 *  and of the server's. */
type Binding = readonly [serverId: string | null, ...registrations: number[]];

const isOf = (entry: SharedEntry, record: number | undefined, born: number | undefined): boolean =>
  entry.record === record && entry.born === born;

/** The server that a transport is bound to, by its binding if that is about these registrations, else by its config. */
function serverOf(
  transport: SharedEntry,
  binding: SharedEntry | undefined,
  serverNamed: (id: string) => SharedEntry | undefined,
): string | undefined {
  const [serverId, ...registrations] = binding === undefined ? [] : storedBinding(binding);
  if (serverId !== undefined && isOf(transport, registrations[0], registrations[1])) {
    if (serverId === null) return undefined;
    const server = serverNamed(serverId);
    if (server !== undefined && isOf(server, registrations[2], registrations[3])) return serverId;
  }
  const implied = impliedServer(transport);
  return implied !== undefined && serverNamed(implied) !== undefined ? implied : undefined;
}

function storedBinding({ config }: SharedEntry): Binding {
  if (!Array.isArray(config)) throw corrupt('a binding that is none');
  return config as unknown as Binding;
}

/** What a transport's config says. */
function impliedServer({ config }: SharedEntry): string | undefined {
  if (typeof config !== 'object' || config === null || Array.isArray(config)) return undefined;
  const { server_id: id } = config as { readonly [key: string]: JsonValue };
  if (typeof id !== 'string' || id === '') return undefined;
  return Buffer.byteLength(id, 'utf8') <= limits.nameBytesMax && id.isWellFormed() ? id : undefined;
}

/** Collects all bindings that stand, by server. */
class TransportsByServer implements Source<ReadonlyMap<string, readonly string[]>> {
  readonly #transports: KindIndex;
  readonly #servers: KindIndex;
  readonly #bindings: KindIndex;

  constructor(transports: KindIndex, servers: KindIndex, bindings: KindIndex) {
    this.#transports = transports;
    this.#servers = servers;
    this.#bindings = bindings;
  }

  collect(control: Int32Array, grounds: Grounds): ReadonlyMap<string, readonly string[]> {
    const byId = (index: KindIndex) => new Map(index.collect(control, grounds).map((entry) => [entry.id, entry]));
    const servers = byId(this.#servers);
    const bindings = byId(this.#bindings);
    const transports = new Map<string, string[]>();
    for (const transport of this.#transports.collect(control, grounds)) {
      const server = serverOf(transport, bindings.get(transport.id), (id) => servers.get(id));
      if (server === undefined) continue;
      const bound = transports.get(server);
      if (bound === undefined) transports.set(server, [transport.id]);
      else bound.push(transport.id);
    }
    for (const bound of transports.values()) Object.freeze(bound);
    return transports;
  }
}
