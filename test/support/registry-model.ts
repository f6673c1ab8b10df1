import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import {
  AlreadyRegisteredError,
  type Entry,
  encodeConfig,
  type JsonValue,
  type Owner,
  type Ref,
  type Registration,
  Registry,
  type RegistryErrorCode,
  type RegistryOptions,
} from '../../src/engine/index.ts';
import { resolveOptions } from '../../src/engine/options.ts';
import { allocateTable, Table } from '../../src/shared/table.ts';
import { audit, auditEmpty } from './bookkeeping.ts';
import { collectTables } from './collect.ts';

/*
 * What a registry is, said with a `Map`; and the commands that do the same to a registry and to the map, and compare.
 */

export type Config = JsonValue | undefined;

/** A name that is registered: one registration of it, as a later one is another object. */
interface Held {
  /** The config as JSON text. */
  text: string | undefined;
  readonly owner: number;
  version: number;
}

/** An owner; 0 is the thread's own. */
interface Tenant {
  alive: boolean;
}

export class Model {
  readonly names = new Map<string, Held>();
  readonly owners: Tenant[] = [{ alive: true }];
  /** The name and state each registration was made for. */
  readonly registrations: { name: Name; held: Held }[] = [];
  /** Versions that names had at some time. */
  readonly oldVersions: number[] = [];
  readonly kinds = new Set<string>();
  visitors = 0;

  get(name: Name): Held | undefined {
    return this.names.get(keyOf(name));
  }

  /** Ends an owner: the whole of what death is. */
  bury(owner: number): void {
    this.owners[owner].alive = false;
    for (const [key, held] of this.names) if (held.owner === owner) this.names.delete(key);
  }
}

export class Real {
  readonly registry: Registry;
  /** Another attachment, which caches for itself: it has to see the same. */
  readonly reader: Registry;
  readonly owners: (Owner | undefined)[] = [undefined];
  readonly registrations: Registration[] = [];
  readonly refs = new Map<string, Ref>();

  /** Nothing sweeps beside the test, as no coordinator is started: so a run does the same each time. */
  constructor(options: RegistryOptions) {
    const resolved = resolveOptions(options);
    collectTables(resolved.shards);
    const handle = allocateTable(resolved);
    this.registry = Registry.attach(handle);
    this.reader = Registry.attach(handle);
  }
}

export interface Name {
  readonly kind: string;
  readonly id: string;
}

const keyOf = ({ kind, id }: Name): string => JSON.stringify([kind, id]);
const textOf = (config: Config): string | undefined => (config === undefined ? undefined : JSON.stringify(config));

/** What a setting lets a registry refuse that a map would take. */
export interface Allowance {
  /** Names the only shard holds: one more is TABLE_FULL, and none less is. */
  readonly entriesMax?: number;
  /** Memory is so short that any config may be TABLE_FULL. */
  readonly memoryIsShort?: boolean;
}

type Command = fc.Command<Model, Real>;

/** Runs a call that may be TABLE_FULL, as far as the setting allows. @returns undefined when it was. */
function unlessFull<T>(allowance: Allowance, mustBeFull: boolean, call: () => T): { result: T } | undefined {
  let result: T;
  try {
    result = call();
  } catch (error) {
    if ((error as { code?: string }).code !== 'TABLE_FULL') throw error;
    assert.ok(mustBeFull || allowance.memoryIsShort, `not full: ${(error as Error).message}`);
    return undefined;
  }
  assert.not.ok(mustBeFull, 'a full table refuses');
  return { result };
}

function codeThrown(call: () => unknown): RegistryErrorCode | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    return (error as { code: RegistryErrorCode }).code;
  }
}

function expectEntry(entry: Entry | undefined, name: Name, held: Held | undefined, real: Real): void {
  if (held === undefined) {
    assert.is(entry, undefined, keyOf(name));
    return;
  }
  assert.ok(entry, `${keyOf(name)} is registered`);
  assert.is(entry.kind, name.kind);
  assert.is(entry.id, name.id);
  assert.is(textOf(entry.config), held.text);
  assert.is(entry.version, held.version);
  const owner = real.owners[held.owner];
  if (owner) assert.equal([entry.owner.slot, entry.owner.epoch], [owner.slot, owner.epoch]);
}

class RegisterCommand implements Command {
  readonly how: 'register' | 'tryRegister' | 'registerOrUpdate';
  readonly name: Name;
  readonly config: Config;
  readonly encoded: boolean;
  readonly owner: number;
  readonly allowance: Allowance;

  constructor(
    how: RegisterCommand['how'],
    name: Name,
    config: Config,
    encoded: boolean,
    owner: number,
    allowance: Allowance,
  ) {
    this.how = how;
    this.name = name;
    this.config = config;
    this.encoded = encoded;
    this.owner = owner;
    this.allowance = allowance;
  }

  check(): boolean {
    return true;
  }

  run(model: Model, real: Real): void {
    const ownerNumber = this.owner % model.owners.length;
    const owner = real.owners[ownerNumber];
    const { kind, id } = this.name;
    const config = this.encoded && this.config !== undefined ? encodeConfig(this.config) : this.config;
    const call = () => real.registry[this.how](kind, id, { config, owner });
    const holder = model.get(this.name);
    if (!model.owners[ownerNumber].alive) {
      assert.is(codeThrown(call), 'OWNER_DEAD');
      return;
    }
    const taken = holder !== undefined && !(this.how === 'registerOrUpdate' && holder.owner === ownerNumber);
    if (taken) {
      this.#expectTaken(call, real, holder);
      return;
    }
    const mustBeFull = holder === undefined && model.names.size === this.allowance.entriesMax;
    const outcome = unlessFull(this.allowance, mustBeFull, call);
    if (outcome === undefined) return;
    const made = 'ok' in outcome.result ? outcome.result.ok && outcome.result.registration : outcome.result;
    assert.ok(made, 'a free name is registered');
    const version = real.registry.whereis(kind, id)?.version ?? 0;
    const held = holder ?? { text: undefined, owner: ownerNumber, version };
    model.oldVersions.push(held.version);
    held.text = textOf(this.config);
    held.version = version;
    model.names.set(keyOf(this.name), held);
    model.kinds.add(kind);
    model.registrations.push({ name: this.name, held });
    real.registrations.push(made);
  }

  #expectTaken(call: () => ReturnType<Registry['tryRegister']> | Registration, real: Real, holder: Held): void {
    let error: unknown;
    try {
      const result = call();
      error = 'error' in result ? result.error : undefined;
      assert.is(this.how, 'tryRegister');
    } catch (thrown) {
      error = thrown;
      assert.is.not(this.how, 'tryRegister');
    }
    assert.instance(error, AlreadyRegisteredError);
    const owner = real.owners[holder.owner];
    if (owner) assert.is((error as AlreadyRegisteredError).owner.slot, owner.slot);
  }

  toString(): string {
    return `${this.how}(${keyOf(this.name)}, ${textOf(this.config)?.slice(0, 40)}, owner ${this.owner})`;
  }
}

class UpdateCommand implements Command {
  readonly name: Name;
  readonly config: Config;
  readonly allowance: Allowance;

  constructor(name: Name, config: Config, allowance: Allowance) {
    this.name = name;
    this.config = config;
    this.allowance = allowance;
  }

  check(): boolean {
    return true;
  }

  run(model: Model, real: Real): void {
    const held = model.get(this.name);
    const call = () => real.registry.update(this.name.kind, this.name.id, this.config);
    if (held === undefined) {
      assert.is(codeThrown(call), 'NOT_FOUND');
      return;
    }
    const outcome = unlessFull(this.allowance, false, call);
    if (outcome === undefined) return;
    assert.is.not(outcome.result, held.version);
    model.oldVersions.push(held.version);
    held.text = textOf(this.config);
    held.version = outcome.result;
  }

  toString(): string {
    return `update(${keyOf(this.name)}, ${textOf(this.config)?.slice(0, 40)})`;
  }
}

/** By the registry or by a registration; with the version that the name has or with one that some name had. */
class CompareAndUpdateCommand implements Command {
  readonly name: Name;
  readonly config: Config;
  readonly stale: number | undefined;
  readonly allowance: Allowance;

  constructor(name: Name, config: Config, stale: number | undefined, allowance: Allowance) {
    this.name = name;
    this.config = config;
    this.stale = stale;
    this.allowance = allowance;
  }

  check({ oldVersions }: Readonly<Model>): boolean {
    return this.stale === undefined || oldVersions.length > 0;
  }

  run(model: Model, real: Real): void {
    const held = model.get(this.name);
    const old = this.stale === undefined ? undefined : model.oldVersions[this.stale % model.oldVersions.length];
    const version = old ?? held?.version ?? 1;
    const call = () => real.registry.compareAndUpdate(this.name.kind, this.name.id, version, this.config);
    if (held?.version !== version) {
      assert.is(call(), false);
      return;
    }
    const outcome = unlessFull(this.allowance, false, call);
    if (outcome === undefined) return;
    assert.is(outcome.result, true);
    model.oldVersions.push(held.version);
    held.text = textOf(this.config);
    held.version = real.registry.whereis(this.name.kind, this.name.id)?.version ?? 0;
    assert.is.not(held.version, version);
  }

  toString(): string {
    return `compareAndUpdate(${keyOf(this.name)}, ${this.stale === undefined ? 'right' : `old ${this.stale}`})`;
  }
}

class UnregisterCommand implements Command {
  readonly name: Name;

  constructor(name: Name) {
    this.name = name;
  }

  check(): boolean {
    return true;
  }

  run(model: Model, real: Real): void {
    assert.is(real.registry.unregister(this.name.kind, this.name.id), model.names.delete(keyOf(this.name)));
  }

  toString(): string {
    return `unregister(${keyOf(this.name)})`;
  }
}

/** What a registration that was once made still can do. */
class RegistrationCommand implements Command {
  readonly which: number;
  readonly what: 'active' | 'update' | 'compareAndUpdate' | 'unregister';
  readonly config: Config;
  readonly allowance: Allowance;

  constructor(which: number, what: RegistrationCommand['what'], config: Config, allowance: Allowance) {
    this.which = which;
    this.what = what;
    this.config = config;
    this.allowance = allowance;
  }

  check({ registrations }: Readonly<Model>): boolean {
    return registrations.length > 0;
  }

  run(model: Model, real: Real): void {
    const n = this.which % model.registrations.length;
    const { name, held } = model.registrations[n];
    const registration = real.registrations[n];
    const active = model.get(name) === held;
    assert.is(registration.active, active);
    if (this.what === 'unregister') {
      assert.is(registration.unregister(), active);
      if (active) model.names.delete(keyOf(name));
    } else if (this.what === 'compareAndUpdate') {
      const outcome = unlessFull(this.allowance, false, () => registration.compareAndUpdate(held.version, this.config));
      if (outcome === undefined) return;
      assert.is(outcome.result, active);
      if (active) this.#updated(model, held, real.registry.whereis(name.kind, name.id)?.version ?? 0);
    } else if (this.what === 'update' && !active) {
      assert.is(
        codeThrown(() => registration.update(this.config)),
        'NOT_FOUND',
      );
    } else if (this.what === 'update') {
      const outcome = unlessFull(this.allowance, false, () => registration.update(this.config));
      if (outcome) this.#updated(model, held, outcome.result);
    }
  }

  #updated(model: Model, held: Held, version: number): void {
    model.oldVersions.push(held.version);
    held.text = textOf(this.config);
    held.version = version;
  }

  toString(): string {
    return `registration ${this.which}.${this.what}(${textOf(this.config)?.slice(0, 40)})`;
  }
}

class OpenOwnerCommand implements Command {
  check({ owners }: Readonly<Model>): boolean {
    return owners.length < 50;
  }

  run(model: Model, real: Real): void {
    model.owners.push({ alive: true });
    real.owners.push(real.registry.owner());
  }

  toString(): string {
    return 'owner()';
  }
}

class CloseOwnerCommand implements Command {
  readonly which: number;

  constructor(which: number) {
    this.which = which;
  }

  check({ owners }: Readonly<Model>): boolean {
    return owners.length > 1;
  }

  run(model: Model, real: Real): void {
    const n = 1 + (this.which % (model.owners.length - 1));
    assert.is(real.owners[n]?.alive, model.owners[n].alive);
    real.owners[n]?.close();
    model.bury(n);
  }

  toString(): string {
    return `owner ${this.which}.close()`;
  }
}

/** A thread that comes, registers what is free, and is gone. Its rows stay, as nobody sweeps: the next writer meets them. */
class VisitorCommand implements Command {
  readonly names: readonly Name[];

  constructor(names: readonly Name[]) {
    this.names = names;
  }

  check({ visitors }: Readonly<Model>): boolean {
    return visitors < 20;
  }

  run(model: Model, real: Real): void {
    model.visitors++;
    const visitor = Registry.attach(real.registry.handle);
    for (const { kind, id } of this.names) {
      const before = codeThrown(() => visitor.register(kind, id, { config: 'visiting' }));
      if (before !== undefined) assert.ok(before === 'ALREADY_REGISTERED' || before === 'TABLE_FULL', before);
      model.kinds.add(kind);
    }
    void visitor.close();
  }

  toString(): string {
    return `visitor(${this.names.map(keyOf)})`;
  }
}

class LookupCommand implements Command {
  readonly name: Name;

  constructor(name: Name) {
    this.name = name;
  }

  check(): boolean {
    return true;
  }

  run(model: Model, real: Real): void {
    const held = model.get(this.name);
    const { kind, id } = this.name;
    for (const each of [real.registry, real.reader]) {
      assert.is(each.has(kind, id), held !== undefined);
      expectEntry(each.whereis(kind, id), this.name, held, real);
      assert.is(each.whereis(kind, id), each.whereis(kind, id));
      expectEntry(each.ref(kind, id).current(), this.name, held, real);
      assert.is(each.has(kind, id), held !== undefined);
    }
    const ref = real.refs.get(keyOf(this.name)) ?? real.reader.ref(kind, id);
    real.refs.set(keyOf(this.name), ref);
    expectEntry(ref.current(), this.name, held, real);
  }

  toString(): string {
    return `lookup(${keyOf(this.name)})`;
  }
}

class ListCommand implements Command {
  check(): boolean {
    return true;
  }

  run(model: Model, real: Real): void {
    assert.is(real.registry.count(), model.names.size);
    for (const kind of model.kinds) {
      const listed = [...real.reader.list(kind)];
      for (const entry of listed) expectEntry(entry, entry, model.get(entry), real);
      const expected = [...model.names.keys()].filter((key) => JSON.parse(key)[0] === kind);
      assert.equal(listed.map(keyOf).sort(), expected.sort());
      assert.is(real.reader.count(kind), expected.length);
    }
  }

  toString(): string {
    return 'list()';
  }
}

/** Many names at once, so that index, records and pages grow; some go again and leave tombstones. */
class BulkCommand implements Command {
  readonly from: number;
  readonly count: number;
  readonly keepEvery: number;

  constructor(from: number, count: number, keepEvery: number) {
    this.from = from;
    this.count = count;
    this.keepEvery = keepEvery;
  }

  check(): boolean {
    return true;
  }

  run(model: Model, real: Real): void {
    for (let n = this.from; n < this.from + this.count; n++) {
      const name = { kind: 'bulk', id: `bulk ${n}` };
      if (model.get(name)) continue;
      const registration = real.registry.register(name.kind, name.id, { config: n });
      if (n % this.keepEvery !== 0) {
        assert.ok(registration.unregister());
        continue;
      }
      const version = real.registry.whereis(name.kind, name.id)?.version ?? 0;
      model.names.set(keyOf(name), { text: `${n}`, owner: 0, version });
    }
    model.kinds.add('bulk');
  }

  toString(): string {
    return `bulk(${this.count} from ${this.from}, every ${this.keepEvery}th stays)`;
  }
}

/** The commands of one setting. */
export function commandsOf(
  names: fc.Arbitrary<Name>,
  configs: fc.Arbitrary<Config>,
  { allowance = {}, bulk = false }: { allowance?: Allowance; bulk?: boolean } = {},
): fc.Arbitrary<Command>[] {
  const how = fc.constantFrom('register' as const, 'tryRegister' as const, 'registerOrUpdate' as const);
  const what = fc.constantFrom(
    'active' as const,
    'update' as const,
    'compareAndUpdate' as const,
    'unregister' as const,
  );
  const number = fc.nat(1_000);
  const register = fc
    .tuple(how, names, configs, fc.boolean(), number)
    .map(([how, name, config, encoded, owner]) => new RegisterCommand(how, name, config, encoded, owner, allowance));
  const commands: fc.Arbitrary<Command>[] = [
    register,
    register,
    fc.tuple(names, configs).map(([name, config]) => new UpdateCommand(name, config, allowance)),
    fc
      .tuple(names, configs, fc.option(number, { nil: undefined }))
      .map(([name, config, stale]) => new CompareAndUpdateCommand(name, config, stale, allowance)),
    names.map((name) => new UnregisterCommand(name)),
    fc
      .tuple(number, what, configs)
      .map(([which, what, config]) => new RegistrationCommand(which, what, config, allowance)),
    fc.constant(new OpenOwnerCommand()),
    number.map((which) => new CloseOwnerCommand(which)),
    fc.array(names, { minLength: 1, maxLength: 5 }).map((names) => new VisitorCommand(names)),
    names.map((name) => new LookupCommand(name)),
    fc.constant(new ListCommand()),
  ];
  if (bulk) {
    const counts = fc.tuple(fc.nat(500), fc.integer({ min: 50, max: 400 }), fc.integer({ min: 1, max: 4 }));
    commands.push(counts.map(([from, count, keepEvery]) => new BulkCommand(from, count, keepEvery)));
  }
  return commands;
}

/** Runs commands on a fresh registry, then looks at every name, and takes everything back: nothing may be left. */
export async function runModel(options: RegistryOptions, commands: Iterable<Command>): Promise<void> {
  const model = new Model();
  const real = new Real(options);
  try {
    fc.modelRun(() => ({ model, real }), commands);
    new ListCommand().run(model, real);
    for (const key of model.names.keys()) {
      const [kind, id] = JSON.parse(key);
      new LookupCommand({ kind, id }).run(model, real);
    }
    audit(real.registry.handle);
    for (const owner of real.owners) owner?.close();
    sweepVisitors(real);
    auditEmpty(real.registry, model.kinds);
  } finally {
    await real.reader.close();
    await real.registry.close();
    await turn(); // for their sockets, which find no coordinator
  }
}

/** Frees what visitors left, as the coordinator would. */
function sweepVisitors({ registry }: Real): void {
  const table = new Table(registry.handle);
  for (const shard of table.shards) shard.sweepAll();
  table.detach();
}
