import { inspect } from 'node:util';
import type { CounterTable } from '../shared/counter-table.ts';
import { NOBODY } from '../shared/counter-table.ts';
import { RegistryError } from '../shared/errors.ts';
import { CounterRow } from '../shared/layout.ts';
import { limits } from '../shared/limits.ts';
import { quote } from '../shared/name-key.ts';
import type { Table } from '../shared/table.ts';
import type { Life } from './life.ts';
import { checkKnown } from './options.ts';
import type { Owner } from './owner.ts';
import { checkOwner } from './parts.ts';

/** Which counter. */
export interface CounterOptions {
  /** Whose it is: then only this thread counts in it, until the owner ends. By default all threads share one. */
  readonly owner?: Owner | undefined;
  /** What becomes of an owner's count when the owner ends: `true` adds it to the shared counter's sum, by default it
   *  is gone. Once it was asked for with `true`, all that the owner counts is kept, also what it counted before. */
  readonly keep?: boolean | undefined;
}

/** A number in shared memory. Counting is one atomic addition: exact, whoever else counts, and whoever is killed. */
export class Counter {
  readonly name: string;
  readonly #values: BigInt64Array<SharedArrayBuffer>;
  readonly #at: number;
  readonly #life: Life;
  /** While this word is that, the counter is this one: its row's epoch, or its owner's. */
  readonly #proofAt: number;
  readonly #proof: number;

  /** @internal Made by `registry.counter`. */
  constructor(name: string, table: Table, life: Life, row: number, proofAt: number, proof: number) {
    this.name = name;
    this.#values = new BigInt64Array(table.control.buffer);
    this.#at = (row + CounterRow.value) >> 1;
    this.#life = life;
    this.#proofAt = proofAt;
    this.#proof = proof;
  }

  /** Adds `by`, a whole number of up to ±2^53 - 1. A counter holds 64 bits: beyond ±2^63 it wraps.
   *  @throws {RegistryError} `INVALID_OPTION`; `OWNER_DEAD` when its owner has ended; `CLOSED` */
  increment(by = 1): void {
    if (this.#life.words[this.#proofAt] !== this.#proof) throw this.#gone();
    if (by === 1) Atomics.add(this.#values, this.#at, 1n);
    else Atomics.add(this.#values, this.#at, wholeNumber(by));
  }

  /** The count now; beyond ±2^53 - 1 the nearest number there is. @throws {RegistryError} `OWNER_DEAD`, `CLOSED` */
  read(): number {
    return Number(this.readBigInt());
  }

  /** The count now. @throws {RegistryError} `OWNER_DEAD`, `CLOSED` */
  readBigInt(): bigint {
    if (this.#life.words[this.#proofAt] !== this.#proof) throw this.#gone();
    return Atomics.load(this.#values, this.#at);
  }

  #gone(): RegistryError {
    if (this.#life.closed) return new RegistryError('CLOSED', `counter ${quote(this.name)}: this registry is closed`);
    return new RegistryError('OWNER_DEAD', `counter ${quote(this.name)}: its owner has ended`);
  }
}

function wholeNumber(by: number): bigint {
  if (Number.isSafeInteger(by)) return BigInt(by);
  throw new RegistryError('INVALID_OPTION', `a counter is incremented by a whole number, not ${inspect(by)}`);
}

/** All counters of a registry. */
export class Counters {
  readonly #table: Table;
  readonly #life: Life;

  /** @internal Made by `registry.counters`. */
  constructor(table: Table, life: Life) {
    this.#table = table;
    this.#life = life;
  }

  /** @internal As `registry.counter`. */
  get(name: string, options: CounterOptions = {}): Counter {
    this.#life.checkOpen();
    checkKnown(options, ['owner', 'keep']);
    const { owner, keep = false } = options;
    if (owner !== undefined) checkOwner(this.#table, owner);
    if (typeof keep !== 'boolean') throw new RegistryError('INVALID_OPTION', `keep is ${inspect(keep)}: true or false`);
    if (keep && owner === undefined) {
      const why = 'a counter without an owner is never lost: leave keep out, or say whose it is with owner';
      throw new RegistryError('INVALID_OPTION', `counter ${quote(name)}: ${why}`);
    }
    const { owners, kinds } = this.#table;
    const kind = kindOf(name);
    if (owner !== undefined && !owner.alive) {
      throw new RegistryError('OWNER_DEAD', `counter ${quote(name)}: its owner has ended`);
    }
    const id = kinds.internReserved(kind); // for good: last
    const row = this.#rows.claim(id, owner?.slot ?? NOBODY, owner?.epoch ?? 0, keep);
    if (row === -1) {
      const max = limits.countersMax;
      throw new RegistryError(
        'COUNTERS_FULL',
        `counter ${quote(name)}: there are ${max}, of owners that live or for all`,
      );
    }
    if (owner !== undefined) {
      return new Counter(name, this.#table, this.#life, row, owners.epochAt(owner.slot), owner.epoch);
    }
    const epochAt = row + CounterRow.epoch;
    return new Counter(name, this.#table, this.#life, row, epochAt, this.#table.control[epochAt]);
  }

  /** What was counted under a name: in the shared counter, in those of owners that live, and by the dead whose counts are
   *  kept. 0 if nobody has such a counter. For people and reports: it takes a lock.
   *  @throws {RegistryError} `INVALID_NAME`, `CLOSED`, `BUSY` */
  sum(name: string): number {
    return Number(this.sumBigInt(name));
  }

  /** The same, exact also beyond 2^53 - 1. */
  sumBigInt(name: string): bigint {
    this.#life.checkOpen();
    const id = this.#table.kinds.findReserved(kindOf(name));
    return id === 0 ? 0n : this.#rows.sum(id);
  }

  /** Names of counters that anybody ever had. @throws {RegistryError} `CLOSED` */
  names(): string[] {
    this.#life.checkOpen();
    const kinds = this.#table.kinds.reserved();
    return kinds.filter((kind) => kind.startsWith(PREFIX)).map((kind) => kind.slice(PREFIX.length));
  }

  get #rows(): CounterTable {
    return this.#table.counters;
  }
}

const PREFIX = 'counter:';

/** Names of counters are few and for good, as kinds are, and are kept among them. @throws {RegistryError} `INVALID_NAME` */
function kindOf(name: string): string {
  if (typeof name !== 'string' || name === '' || !name.isWellFormed()) {
    throw new RegistryError('INVALID_NAME', `a counter's name is well-formed text, not ${inspect(name)}`);
  }
  const bytes = Buffer.byteLength(name);
  if (bytes <= limits.counterNameBytesMax) return `${PREFIX}${name}`;
  throw new RegistryError(
    'INVALID_NAME',
    `counter ${quote(name)} has ${bytes} UTF-8 bytes; a counter's name may have ${limits.counterNameBytesMax}`,
  );
}
