import { encodeConfig, type JsonValue } from '../../src/engine/index.ts';
import { ControlMap, Header } from '../../src/shared/layout.ts';
import { defaults } from '../../src/shared/limits.ts';
import { NameKey } from '../../src/shared/name-key.ts';
import { OwnerTable } from '../../src/shared/owner-table.ts';
import { Owners } from '../../src/shared/owners.ts';
import { IfHeld, Shard } from '../../src/shared/shard.ts';
import { ShardMemory } from '../../src/shared/shard-memory.ts';
import { ShardReader } from '../../src/shared/shard-reader.ts';
import { allocateTable, type TableBuffers, type TableOptions } from '../../src/shared/table.ts';
import { collectTables } from './collect.ts';
import { type Watch, watchWords } from './watched-words.ts';

/** A small table with one shard, whose names hash the same each time. */
export function bareTable(options: Partial<TableOptions> = {}): TableBuffers {
  collectTables(1);
  const buffers = allocateTable({
    ...defaults,
    shards: 1,
    threadsMax: 4,
    ownersMax: 4,
    entriesPerShardMax: 255,
    valueBytesPerShardMax: 1 << 20,
    ...options,
  });
  new Int32Array(buffers.control).set([0x01020304, 0x05060708], Header.hashKey);
  return buffers;
}

/** One thread's view of a bare table, as `Table` makes it, with words that may be watched. */
export class BareThread {
  readonly owners: Owners;
  readonly ownerTable: OwnerTable;
  readonly memory: ShardMemory;
  readonly shard: Shard;
  readonly reader: ShardReader;
  readonly slot: number;
  readonly epoch: number;
  readonly #key: NameKey;

  constructor({ control, shards: [shard] }: TableBuffers, watch?: Watch) {
    const plain = new Int32Array(control);
    const words = watch ? watchWords(plain, watch) : plain;
    const [threadsMax, ownersMax] = [words[Header.threadsMax], words[Header.ownersMax]];
    const map = new ControlMap(1, threadsMax, ownersMax);
    this.owners = new Owners(words, map, threadsMax, ownersMax);
    this.ownerTable = new OwnerTable(words, map, this.owners);
    this.slot = new OwnerTable(plain, map, this.owners).claimThread();
    this.epoch = this.owners.epoch(this.slot);
    this.memory = new ShardMemory(words, map.shard(0), shard);
    if (watch) watchViews(this.memory, watch);
    this.shard = new Shard(this.memory, this.owners);
    this.reader = new ShardReader(this.memory, this.owners);
    for (const { lock } of [this.shard, this.ownerTable]) lock.hold(this.slot, this.epoch);
    this.#key = new NameKey(words[Header.hashKey], words[Header.hashKey + 1]);
  }

  key(name: string): NameKey {
    this.#key.encode(1, name);
    return this.#key;
  }

  /** Registers for this thread, or for an owner of it. */
  register(
    name: string,
    config?: JsonValue,
    owner: number = this.slot,
    epoch: number = this.epoch,
    ifHeld: IfHeld = IfHeld.refuse,
  ) {
    const encoded = config === undefined ? undefined : encodeConfig(config);
    return this.shard.register(this.key(name), owner, epoch, encoded, ifHeld);
  }

  update(name: string, config?: JsonValue) {
    return this.shard.update(this.key(name), 0, config === undefined ? undefined : encodeConfig(config));
  }

  unregister(name: string) {
    return this.shard.unregister(this.key(name));
  }

  /** All live names with what they stand for. Reads by name agree with the snapshot, or this throws. */
  content(): Record<string, string> {
    const content: Record<string, string> = {};
    for (const { name, text, owner, ownerEpoch } of this.reader.snapshot(0) ?? []) {
      content[name] = `${owner}.${ownerEpoch} ${text}`;
      const found = this.reader.read(this.key(name)) !== 0;
      if (!found || this.reader.text !== text)
        throw new Error(`${name} is ${text}, but is read as ${this.reader.text}`);
    }
    return content;
  }
}

/** Watches each view of the memory, now and whenever it is made anew. */
function watchViews(memory: ShardMemory, watch: Watch): void {
  for (const name of ['records', 'index', 'arena'] as const) {
    let view = watchWords(memory[name], watch);
    Object.defineProperty(memory, name, {
      get: () => view,
      set: (words: Int32Array<SharedArrayBuffer>) => {
        view = watchWords(words, watch);
      },
    });
  }
}
