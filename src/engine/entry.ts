import { inspect } from 'node:util';
import { decodeConfig, type JsonValue } from '../shared/codec.ts';

/** Who owns a name. */
export interface OwnerInfo {
  /** `worker_threads.threadId` of the thread the owner lives in. */
  readonly threadId: number;
  /** The owner's slot and epoch: together they name it for as long as the registry lives. */
  readonly slot: number;
  readonly epoch: number;
}

/** What a name stood for at the moment of the lookup. Immutable; a thread's lookups share one until it changes.
 *  `Config` is what its reader knows of its kind's configs: nothing checks it. */
export interface Entry<Config = JsonValue> {
  readonly kind: string;
  readonly id: string;
  /** The registered config, frozen to its depth; undefined when there is none. Parsed at first use. */
  readonly config: Config | undefined;
  /** Names this state of the entry, for `compareAndUpdate`. Compare for equality only. */
  readonly version: number;
  readonly owner: OwnerInfo;
}

const undecoded = Symbol('undecoded');

/** @internal */
export class SharedEntry implements Entry {
  readonly kind: string;
  readonly id: string;
  readonly version: number;
  readonly owner: OwnerInfo;
  readonly #textLength: number;
  #text: string | undefined;
  #config: JsonValue | undefined | typeof undecoded = undecoded;

  constructor(kind: string, id: string, version: number, owner: OwnerInfo, text: string | undefined) {
    this.kind = kind;
    this.id = id;
    this.version = version;
    this.owner = owner;
    this.#text = text;
    this.#textLength = text?.length ?? 0;
    Object.freeze(this);
  }

  /** Characters of the config's JSON. */
  get textLength(): number {
    return this.#textLength;
  }

  get config(): JsonValue | undefined {
    if (this.#config === undecoded) {
      this.#config = this.#text === undefined ? undefined : decodeConfig(this.#text);
      this.#text = undefined;
    }
    return this.#config;
  }

  toJSON(): object {
    return { kind: this.kind, id: this.id, config: this.config, version: this.version, owner: this.owner };
  }

  [inspect.custom](): object {
    return this.toJSON();
  }
}
