import { type InspectOptions, inspect } from 'node:util';
import type { JsonValue } from '../shared/codec.ts';
import type { Entry, SharedEntry } from './entry.ts';
import type { Life } from './life.ts';
import { show, valueOrCode } from './show.ts';

/** @internal Looks up, or says why it cannot. */
export type Resolve = (kind: string, id: string) => SharedEntry | undefined;

/**
 * A held reference to a name: the fastest lookup there is. It stays right for as long as it is held, whatever
 * happens to the name: updates, another owner, nobody, registered again.
 * @example
 * const billing = registry.ref('server', 'billing');
 * billing.current()?.config; // a few loads when nothing has changed
 */
export class Ref<Config = JsonValue> {
  readonly kind: string;
  readonly id: string;
  readonly #life: Life;
  readonly #resolve: Resolve;
  #answer: SharedEntry | undefined;

  /** @internal Made by `registry.ref`. */
  constructor(kind: string, id: string, life: Life, resolve: Resolve) {
    this.kind = kind;
    this.id = id;
    this.#life = life;
    this.#resolve = resolve;
    this.#answer = resolve(kind, id);
  }

  /** What the name stands for now; undefined when nobody living has registered it.
   *  @throws {RegistryError} `CLOSED` */
  current(): Entry<Config> | undefined {
    const answer = this.#answer;
    if (answer?.holds(this.#life.words)) return answer.found as Entry<Config> | undefined;
    this.#answer = answer?.renewed(this.#life.words) ?? this.#resolve(this.kind, this.id);
    return this.#answer?.found as Entry<Config> | undefined;
  }

  /** @internal For `console.log`. */
  [inspect.custom](_depth: number, options: InspectOptions): string {
    const { kind, id } = this;
    return show('Ref', { kind, id, current: valueOrCode(() => this.current()) }, options);
  }
}
