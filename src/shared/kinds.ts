import { corrupt, RegistryError } from './errors.ts';
import type { Guarded } from './guard.ts';
import { kindRows } from './internal-kinds.ts';
import { type ControlMap, Header, KindRow } from './layout.ts';
import { limits } from './limits.ts';
import { quote } from './name-key.ts';

/**
 * The kinds of names a registry has seen, numbered from 1. Rows are only ever appended, under the control lock, and
 * counted when complete: reading takes no lock, and each thread keeps what it has read. The count is the commit and
 * nothing is prepared that a survivor would have to undo.
 */
export class Kinds {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #rowsAt: number;
  readonly #guard: Guarded;
  readonly #ids = new Map<string, number>();
  /** Kinds of the registry's own, by name without the prefix: `find` does not know them. */
  readonly #reserved = new Map<string, number>();
  readonly #names: string[] = [''];

  constructor(words: Int32Array<SharedArrayBuffer>, map: ControlMap, guard: Guarded) {
    this.#words = words;
    this.#rowsAt = map.kinds;
    this.#guard = guard;
  }

  /** The number of a kind, or 0 when no thread has registered anything of it.
   *  @throws {RegistryError} `INVALID_NAME`, `CORRUPT` */
  find(kind: string): number {
    const known = this.#ids.get(kind);
    if (known !== undefined) return known;
    checkKind(kind);
    this.#readNew();
    return this.#ids.get(kind) ?? 0;
  }

  /** The number of a kind, given on first use.
   *  @throws {RegistryError} `INVALID_NAME`; `KINDS_FULL` after `limits.kindsMax` kinds. */
  intern(kind: string): number {
    const known = this.find(kind);
    if (known !== 0) return known;
    this.#append(kind);
    return this.find(kind);
  }

  /** The number of a kind of the registry's own, or 0: names under which users see nothing. */
  findReserved(name: string): number {
    if (!this.#reserved.has(name)) this.#readNew();
    return this.#reserved.get(name) ?? 0;
  }

  /** The same, given on first use. @throws {RegistryError} `INVALID_NAME`, `COUNTERS_FULL` */
  internReserved(name: string): number {
    const known = this.findReserved(name);
    if (known !== 0) return known;
    const kind = `${RESERVED}${name}`;
    checkText(kind);
    this.#append(kind);
    return this.findReserved(name);
  }

  /** The numbers of the kinds there are, by name; the registry's own are left out. */
  named(): ReadonlyMap<string, number> {
    this.#readNew();
    return this.#ids;
  }

  /** The kinds of the registry's own that there are. */
  reserved(): string[] {
    this.#readNew();
    return [...this.#reserved.keys()];
  }

  #append(kind: string): void {
    this.#guard.enter();
    try {
      this.#readNew();
      if (this.#names.includes(kind)) return;
      const count = this.#names.length - 1; // all there are have just been read
      this.#checkRoom(kind);
      const row = this.#rowsAt + count * KindRow.words;
      const encoded = Buffer.alloc(limits.nameBytesMax + 1);
      const byteLength = encoded.write(kind, 'utf8');
      this.#words[row + KindRow.byteLength] = byteLength;
      for (let n = 0; n < byteLength; n += 4) this.#words[row + KindRow.bytes + n / 4] = encoded.readInt32LE(n);
      Atomics.store(this.#words, Header.kinds, count + 1);
    } finally {
      this.#guard.leave();
    }
  }

  #checkRoom(kind: string): void {
    if (kind.startsWith(RESERVED)) {
      const { counterNamesMax } = limits; // of all reserved ones: there are no others
      if (this.#reserved.size < counterNamesMax) return;
      throw new RegistryError('COUNTERS_FULL', `${quote(kind)}: there are ${counterNamesMax} names of counters`);
    }
    const count = this.#ids.size;
    if (count < limits.kindsMax) return;
    throw new RegistryError(
      'KINDS_FULL',
      `kind ${quote(kind)} would be the ${count + 1}th: kinds are types of names, put what varies into the id`,
    );
  }

  name(id: number): string {
    if (id >= this.#names.length) this.#readNew();
    const name = this.#names.at(id);
    if (name === undefined) throw corrupt(`kind ${id}`);
    return name;
  }

  #readNew(): void {
    const count = Atomics.load(this.#words, Header.kinds);
    if (count < this.#names.length - 1 || count > kindRows) throw corrupt(`${count} kinds`);
    for (let id = this.#names.length; id <= count; id++) {
      const row = this.#rowsAt + (id - 1) * KindRow.words;
      const byteLength = this.#words[row + KindRow.byteLength];
      if (byteLength < 1 || byteLength > limits.nameBytesMax) throw corrupt(`kind ${id} of ${byteLength} bytes`);
      const bytes = Buffer.alloc(limits.nameBytesMax + 1);
      for (let n = 0; n < byteLength; n += 4) bytes.writeInt32LE(this.#words[row + KindRow.bytes + n / 4], n);
      const name = bytes.toString('utf8', 0, byteLength);
      if (name.startsWith(RESERVED)) this.#reserved.set(name.slice(RESERVED.length), id);
      else this.#ids.set(name, id);
      this.#names.push(name); // last: a `vm` time-out may cut this off, and then it is read again
    }
  }
}

/** How the registry's own kinds begin: no user's does. */
const RESERVED = 'rollcall:';

function checkKind(kind: string): void {
  if (typeof kind !== 'string' || kind.length === 0) {
    throw new RegistryError('INVALID_NAME', 'a kind is a string with at least one character');
  }
  if (kind.startsWith(RESERVED)) {
    throw new RegistryError(
      'INVALID_NAME',
      `kind ${quote(kind)}: those that begin with "${RESERVED}" are the registry's own`,
    );
  }
  checkText(kind);
}

function checkText(kind: string): void {
  const bytes = Buffer.byteLength(kind, 'utf8');
  if (bytes > limits.nameBytesMax || !kind.isWellFormed()) {
    throw new RegistryError(
      'INVALID_NAME',
      `kind ${quote(kind)} has ${bytes} UTF-8 bytes; it is Unicode text of at most ${limits.nameBytesMax}`,
    );
  }
}
