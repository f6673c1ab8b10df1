import { workerData } from 'node:worker_threads';
import { type Owner, type Registration, Registry, type RegistryHandle } from '../../../src/engine/index.ts';
import { Random } from '../../support/random.ts';

/* A thread that does a few operations a round and writes down when each began and ended and what it answered. The
 * history lies in shared memory, so that it survives the thread. */

export const operations = [
  'register',
  'registerOwned',
  'registerOrUpdate',
  'update',
  'updateIf',
  'updateMine',
  'unregister',
  'unregisterMine',
  'look',
  'isMine',
  'find',
  'whereis',
  'ref',
  'closeOwner',
  'openOwner',
] as const;
export const answers = ['done', 'taken', 'changed', 'notFound', 'present', 'absent'] as const;
/** A config, which is a number, is written down as this plus the number. */
export const CONFIG = 100;

/** One event, in words. `end` is 0 while it is under way. */
export const At = { operation: 0, name: 1, config: 2, start: 3, end: 4, answer: 5, words: 8 } as const;
export const names = ['a', 'b'];
/** Random operations of one thread in one round. (Operations are written down from 1: 0 ends a history.) */
export const randomMax = 6;
/** And after them, once a thread that is killed in this round is buried, a look at each name. */
export const eventsMax: number = randomMax + names.length;

/** The words all threads share. `buried` is the last round of which the dead are. */
export const Word = { round: 0, done: 1, clock: 2, buried: 3, count: 4 } as const;

export interface HistoriesData {
  readonly handle: RegistryHandle;
  readonly thread: number;
  readonly words: Int32Array;
  /** This thread's events. */
  readonly history: Int32Array;
  readonly seed: number;
}

type Name = (typeof operations)[number];
type Answer = (typeof answers)[number] | number;

class Actor {
  readonly #registry: Registry;
  readonly #words: Int32Array;
  readonly #history: Int32Array;
  readonly #random: Random;
  readonly #made = new Map<string, Registration>();
  readonly #seen = new Map<string, number>();
  readonly #thread: number;
  #owner: Owner;
  #configs = 0;

  constructor({ handle, thread, words, history, seed }: HistoriesData) {
    this.#registry = Registry.attach(handle);
    this.#thread = thread;
    this.#words = words;
    this.#history = history;
    this.#random = new Random(seed);
    this.#owner = this.#registry.owner();
  }

  run(): never {
    for (let round = Atomics.load(this.#words, Word.round); ; round++) {
      Atomics.add(this.#words, Word.done, 1);
      Atomics.notify(this.#words, Word.done);
      Atomics.wait(this.#words, Word.round, round);
      let n = 0;
      while (n < randomMax) {
        const operation = operations[this.#random.below(operations.length - 1)];
        if (operation === 'closeOwner' && n === randomMax - 1) break; // there is no room for opening the next
        this.#note(n++, operation, this.#random.below(names.length));
        if (operation === 'closeOwner') this.#note(n++, 'openOwner', 0);
      }
      for (let buried = round; buried <= round; buried = Atomics.load(this.#words, Word.buried)) {
        Atomics.wait(this.#words, Word.buried, buried);
      }
      for (const name of names.keys()) this.#note(n++, 'whereis', name);
    }
  }

  #note(n: number, operation: Name, name: number): void {
    const at = n * At.words;
    const config = this.#thread * 1_000 + (this.#configs++ % 1_000);
    this.#history[at + At.name] = name;
    this.#history[at + At.config] = config;
    this.#history[at + At.start] = Atomics.add(this.#words, Word.clock, 1);
    Atomics.store(this.#history, at + At.operation, operations.indexOf(operation) + 1);
    const answer = this.#perform(operation, names[name], config);
    this.#history[at + At.answer] = typeof answer === 'number' ? CONFIG + answer : answers.indexOf(answer);
    Atomics.store(this.#history, at + At.end, Atomics.add(this.#words, Word.clock, 1));
  }

  #perform(operation: Name, id: string, config: number): Answer {
    const registry = this.#registry;
    switch (operation) {
      case 'register':
      case 'registerOwned': {
        const owner = operation === 'registerOwned' ? this.#owner : undefined;
        const result = registry.tryRegister('name', id, { config, owner });
        if (result.ok) this.#made.set(id, result.registration);
        return result.ok ? 'done' : 'taken';
      }
      case 'registerOrUpdate':
        return unless('ALREADY_REGISTERED', 'taken', () => {
          this.#made.set(id, registry.registerOrUpdate('name', id, { config }));
        });
      case 'update':
        return unless('NOT_FOUND', 'notFound', () => registry.update('name', id, config));
      case 'updateIf':
        return registry.compareAndUpdate('name', id, this.#seen.get(id) ?? 1, config) ? 'done' : 'changed';
      case 'updateMine': {
        const made = this.#made.get(id);
        return made ? unless('NOT_FOUND', 'notFound', () => made.update(config)) : 'notFound';
      }
      case 'unregister':
        return registry.unregister('name', id) ? 'done' : 'notFound';
      case 'unregisterMine':
        return this.#made.get(id)?.unregister() ? 'done' : 'notFound';
      case 'look': {
        const entry = registry.whereis('name', id);
        if (entry) this.#seen.set(id, entry.version);
        else this.#seen.delete(id);
        return entry ? 'present' : 'absent';
      }
      case 'isMine':
        return this.#made.get(id)?.active ? 'present' : 'absent';
      case 'find':
        return registry.has('name', id) ? 'present' : 'absent';
      case 'whereis':
        return (registry.whereis('name', id)?.config as number | undefined) ?? 'absent';
      case 'ref':
        return (registry.ref('name', id).current()?.config as number | undefined) ?? 'absent';
      case 'closeOwner':
        this.#owner.close();
        return 'done';
      case 'openOwner':
        this.#owner = registry.owner();
        return 'done';
    }
  }
}

function unless(code: string, answer: Answer, act: () => unknown): Answer {
  try {
    act();
    return 'done';
  } catch (error) {
    if ((error as { code?: string }).code !== code) throw error;
    return answer;
  }
}

if (workerData !== null && 'history' in workerData) new Actor(workerData).run();
