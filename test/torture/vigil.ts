import { setTimeout as sleep } from 'node:timers/promises';
import type { Down, Registry } from '../../src/engine/index.ts';
import { threadKind } from './attachment.ts';
import { Problem } from './threads.ts';
import { kinds } from './writer.ts';

/** Waits for the ends of threads, by their owner and by their name: each end is told, not before it, and why. */
export class Vigil {
  told = 0;
  readonly #registry: Registry;
  readonly #fail: (error: unknown) => void;
  readonly #monitored = new Set<string>();
  #made = 0;

  constructor(registry: Registry, fail: (error: unknown) => void) {
    this.#registry = registry;
    this.#fail = fail;
  }

  /** From now on also for whoever has that place. */
  watch(row: number): void {
    const entry = this.#registry.whereis(threadKind, `${row}`);
    if (entry === undefined) return;
    const tag = tagOf(row, entry.owner);
    if (this.#monitored.has(tag)) return;
    this.#monitored.add(tag);
    for (const target of [entry.owner, { kind: threadKind, id: `${row}` }]) {
      this.#made++;
      const { down } = this.#registry.monitor(target, { tag });
      void down.then((news) => this.#hear(news, row));
    }
  }

  /** Ends that were not told yet. */
  get awaited(): number {
    return this.#made - this.told;
  }

  #hear({ tag, reason }: Down<string>, row: number): void {
    if (reason === 'registry closed') return; // something else was wrong before
    this.told++;
    const entry = this.#registry.whereis(threadKind, `${row}`);
    if (entry !== undefined && tagOf(row, entry.owner) === tag) {
      this.#fail(new Problem('lost', `thread ${tag} was told to have ended, and lives`));
    }
    if (reason !== 'thread exit' && reason !== 'already gone') {
      this.#fail(new Problem('failed', `thread ${tag} was told to have ended by "${reason}"`));
    }
  }
}

const tagOf = (row: number, { slot, epoch }: { slot: number; epoch: number }): string => `${row}, ${slot}.${epoch}`;

/** Changes after which it looks away for so many milliseconds: who always watches is woken by every change, and gets nothing else
 *  done. */
const changesAtOnce = 64;
const lookAwayMs = 20;

/** Follows a kind by what a watch tells: at rest that is what there is. */
export class Follower {
  changes = 0;
  readonly #registry: Registry;
  readonly #versions = new Map<string, number>();

  constructor(registry: Registry, fail: (error: unknown) => void) {
    this.#registry = registry;
    void this.#follow().catch(fail);
  }

  async #follow(): Promise<void> {
    for await (const { id, entry } of this.#registry.watchAll(kinds.shared)) {
      this.changes++;
      if (entry === undefined) this.#versions.delete(id);
      else this.#versions.set(id, entry.version);
      if (this.changes % changesAtOnce === 0) await sleep(lookAwayMs);
    }
  }

  /** Whether it was told what there is now. */
  get isRight(): boolean {
    const entries = [...this.#registry.list(kinds.shared)];
    return (
      entries.length === this.#versions.size && entries.every(({ id, version }) => this.#versions.get(id) === version)
    );
  }
}
