import type { Table } from '../shared/table.ts';
import type { Registration } from './registration.ts';

/** Where a registration lies, and its first version. */
export interface Place {
  readonly shard: number;
  readonly record: number;
  readonly born: number;
}

interface Dependent {
  readonly entry: Registration;
  readonly on: readonly Place[];
}

/** Entries looked at for each that is added: more than one, so that the looks catch up with the additions. */
const LOOKS = 2;

/**
 * Entries of this thread's owners that mean nothing any more once a name they are about is unregistered, though their owner lives on:
 * memberships of names, and bindings. Nobody who unregisters a name knows of them, so whoever makes the next frees what it finds
 * void, a few at a time. At worst there are about as many void ones as others.
 */
export class Dependents {
  readonly #table: Table;
  /** By record and first version: to make one anew in its place is to be about other names. */
  readonly #all = new Map<string, Dependent>();
  #walk: Iterator<[string, Dependent], undefined> = this.#all.entries();

  constructor(table: Table) {
    this.#table = table;
  }

  add(entry: Registration, on: readonly Place[]): void {
    this.#all.set(`${entry.shard} ${entry.record} ${entry.born}`, { entry, on });
  }

  /** Frees some of what is void. @throws {RegistryError} `BUSY` */
  freeSome(): void {
    for (let looks = 0; looks < LOOKS; looks++) {
      const next = this.#walk.next();
      if (next.done) {
        this.#walk = this.#all.entries();
        continue;
      }
      const [key, { entry, on }] = next.value;
      if (entry.active && on.every((place) => this.#stands(place))) continue;
      this.#table.shards[entry.shard].unregisterRecord(entry.record, entry.born);
      this.#all.delete(key);
    }
  }

  #stands({ shard, record, born }: Place): boolean {
    return this.#table.readers[shard].isRegistration(record, born);
  }
}
