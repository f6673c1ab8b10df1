import { type InspectOptions, inspect } from 'node:util';
import type { JsonValue } from '../shared/codec.ts';
import type { Entry } from './entry.ts';
import type { Resolution } from './resolution.ts';
import { show, valueOrCode } from './show.ts';

/** @internal Looks up, or says why it cannot. */
export type Resolve = (kind: string, id: string) => Resolution | undefined;

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
  readonly #life: { readonly closed: boolean };
  readonly #resolve: Resolve;
  #resolution: Resolution | undefined;

  /** @internal Made by `registry.ref`. */
  constructor(kind: string, id: string, life: { readonly closed: boolean }, resolve: Resolve) {
    this.kind = kind;
    this.id = id;
    this.#life = life;
    this.#resolve = resolve;
    this.#resolution = resolve(kind, id);
  }

  /** What the name stands for now; undefined when nobody living has registered it.
   *  @throws {RegistryError} `CLOSED` */
  current(): Entry<Config> | undefined {
    const resolution = this.#resolution;
    if (resolution?.holds() && !this.#life.closed) return resolution.entry as Entry<Config> | undefined;
    this.#resolution = this.#resolve(this.kind, this.id);
    return this.#resolution?.entry as Entry<Config> | undefined;
  }

  [inspect.custom](_depth: number, options: InspectOptions): string {
    const { kind, id } = this;
    return show('Ref', { kind, id, current: valueOrCode(() => this.current()) }, options);
  }
}
