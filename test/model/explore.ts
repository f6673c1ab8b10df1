import { tablePages } from '../../src/shared/arena.ts';
import { Guard, Header, Page, pageBytes, Shard } from '../../src/shared/layout.ts';
import { type Event, isLinearizable, type State, stateAfter } from './linearizability.ts';
import type { SteppedSource } from './load.ts';
import { $kill, $reviveAll, $run, type Access, describePlace, type Place } from './runtime.ts';
import { type Actor, type Operation, World } from './world.ts';

/** What virtual threads do at the same time, after a set-up that runs alone. */
export interface Program {
  readonly name: string;
  readonly setup?: readonly { readonly thread: number; readonly operation: Operation }[];
  readonly threads: readonly (readonly Operation[])[];
  /** The thread that may be killed, once, after any of its writes. */
  readonly kill?: number;
  /** Names looked up at the end, by a thread that took no part. */
  readonly names: readonly string[];
  /** All names have the same hash: only the comparison of the names themselves tells them apart. */
  readonly sameHash?: boolean;
}

export interface Exploration {
  /** Runs, to the end or to a state that was met before, in the last pass. */
  readonly interleavings: number;
  /** Different states of memory, threads and history at which the scheduler had a choice. */
  readonly states: number;
  /** Places two threads touch, one of them writing. */
  readonly places: number;
  /** Passes until no new such place was found: the last one is exhaustive within the bound. */
  readonly passes: number;
}

/** Who ran for how many steps, one after the other; a thread that was killed then ran for none. */
export type Schedule = readonly (readonly [thread: number, steps: number])[];

/** What an exploration found; `schedule` replays it. */
export class Counterexample extends Error {
  readonly schedule: Schedule;

  constructor(program: Program, what: string, schedule: Schedule, history: readonly Event[]) {
    const lines = history.map(({ thread, operation, start, end, result }) => {
      return `  ${start}–${end ?? '†'} thread ${thread}: ${JSON.stringify(operation)} → ${result ?? 'killed'}`;
    });
    super(`${program.name}: ${what}\n${lines.join('\n')}\n  schedule ${JSON.stringify(schedule)}`);
    this.schedule = schedule;
  }
}

const STEPS_MAX = 50_000;
const TIMEOUTS_MAX = 100;
/** Sleepers that wake before the holder is done, in one interleaving. */
const EARLY_TIMEOUTS = 1;

interface Undo {
  readonly words: Int32Array;
  readonly index: number;
  readonly value: number;
  readonly bytes: Buffer | undefined;
  readonly from: number;
  readonly content: Buffer | undefined;
}

/** A choice the scheduler made: which of how many options. */
interface Choice {
  taken: number;
  readonly options: number;
}

/**
 * Runs a program in every interleaving of its threads' memory accesses that has at most `preemptions` switches away
 * from a thread that could go on (Musuvathi and Qadeer, "Iterative context bounding", 2007), and checks each.
 *
 * A thread is only interrupted before it touches a place that another thread touches too, one of them writing: other
 * accesses commute with everything the others do. Which places these are is learnt: passes are repeated until a
 * pass meets no new one. A run that comes to a state from which all was explored before, with as many switches left,
 * ends there: a thread's own state is what it has read so far, so the values read, the memory, and the history of
 * operations name the state (by a 53-bit hash). Words that only the holder of the lock may touch are none of them; instead each access to
 * them is checked to be the holder's. A kill can come after every single write, also of a place that is not shared.
 */
export class Explorer {
  readonly #program: Program;
  readonly #world: World;
  readonly #preemptions: number;
  readonly #undo: Undo[] = [];
  readonly #touched = new Map<Place, number>();
  readonly #shared = new Set<Place>();
  /** States met in this pass, and with how many switches left. */
  readonly #states = new Map<number, number>();
  readonly #sound = new Set<string>();
  readonly #lockAt: number;
  readonly #controlRegion: number;
  readonly #arenaRegion: number;
  readonly #tableWords: number;
  #learnt = false;
  #memory = 0;
  #memory2 = 0;
  #events = 0;
  /** Per thread, two hashes of all it has read: with its program, its whole state. */
  readonly #read: number[] = [];
  readonly #read2: number[] = [];
  #clock = 0;
  #history: Event[] = [];
  #dead = new Set<number>();

  constructor(source: SteppedSource, program: Program, preemptions: number) {
    this.#program = program;
    this.#preemptions = preemptions;
    this.#world = new World(source, program.threads.length + 1, program.sameHash ?? false);
    const { memory } = this.#world.actors[0];
    this.#lockAt = memory.at + Guard.lock;
    this.#controlRegion = memory.control.$region;
    this.#arenaRegion = memory.arena.$region;
    this.#tableWords = (tablePages(memory.control[Header.pagesPerShardMax]) * pageBytes) / 4;
    for (const { thread, operation } of program.setup ?? []) {
      this.#alone(thread, operation);
    }
    this.#initial = stateAfter(this.#history);
    this.#undo.length = 0;
    this.#touched.clear();
  }
  readonly #initial: State;

  /** Every interleaving within the bound. @throws {Counterexample} */
  explore(): Exploration {
    for (let passes = 1; ; passes++) {
      this.#learnt = false;
      this.#states.clear();
      let interleavings = 0;
      const path: Choice[] = [];
      do {
        this.#run(path);
        interleavings++;
      } while (advance(path));
      if (!this.#learnt) {
        return { interleavings, states: this.#states.size, places: this.#shared.size, passes };
      }
    }
  }

  /** Interleavings chosen at random. @throws {Counterexample} */
  walk(count: number, random: (bound: number) => number): Exploration {
    for (let n = 0; n < count; n++) this.#run([], random);
    return { interleavings: count, states: this.#states.size, places: this.#shared.size, passes: 1 };
  }

  /** One interleaving again. @throws {Counterexample} */
  replay(schedule: Schedule): void {
    this.#run([], undefined, schedule);
  }

  #run(path: Choice[], random?: (bound: number) => number, script?: Schedule): void {
    const { threads, kill } = this.#program;
    this.#history = [];
    this.#clock = 0;
    this.#memory = 0;
    this.#memory2 = 0;
    this.#events = 0;
    this.#read.fill(0);
    this.#read2.fill(0);
    const met = path.length;
    const steps = threads.map((operations, thread) => this.#main(this.#world.actors[thread], operations));
    const pending: (Access | undefined)[] = threads.map(() => undefined);
    const state: ('ready' | 'done' | 'killed')[] = threads.map((operations) =>
      operations.length > 0 ? 'ready' : 'done',
    );
    let current = -1;
    let wrote = false;
    let left = this.#preemptions;
    let taken = 0;
    let timeouts = 0;
    let early = EARLY_TIMEOUTS;
    const ran: [thread: number, steps: number][] = [];
    const lines = script?.map(([thread, steps]) => ({ thread, steps }));

    const choose = (options: number): number => {
      if (options === 1) return 0;
      if (taken >= met && !random) {
        const key = this.#stateOf(current, wrote, early);
        if ((this.#states.get(key) ?? -1) >= left) throw metBefore;
        this.#states.set(key, left);
      }
      const choice = path[taken] ?? { taken: random ? random(options) : 0, options };
      path[taken++] = choice;
      return choice.taken;
    };

    try {
      for (let count = 0; ; count++) {
        if (count > STEPS_MAX) throw new Error('runs without end');
        const ready = [...threads.keys()].filter((n) => state[n] === 'ready' && !this.#blocked(pending[n]));
        const here = ready.includes(current) ? current : -1;
        let next = here;
        let die = false;
        const line = lines?.find(({ steps }) => steps >= 0);
        if (line !== undefined) {
          next = line.thread;
          die = line.steps === 0;
          line.steps = line.steps > 1 ? line.steps - 1 : -1;
        } else if (here === -1) {
          if (ready.length > 0) next = ready[choose(ready.length)];
          else {
            next = state.indexOf('ready');
            if (next === -1) break;
            if (++timeouts > TIMEOUTS_MAX) throw new Error('a thread waits without end');
          }
        } else if (!this.#world.actors[here].atomic) {
          const killable = kill === here && wrote && this.#dead.size === 0;
          const others = left > 0 && this.#isShared(pending[here]) ? ready.filter((n) => n !== here) : [];
          // A sleeper may also wake while the holder lives and is slow.
          if (left > 0 && early > 0 && this.#isShared(pending[here])) {
            for (const n of threads.keys()) if (state[n] === 'ready' && this.#blocked(pending[n])) others.push(n);
          }
          const choice = choose(1 + others.length + (killable ? 1 : 0));
          if (choice > others.length) die = true;
          else if (choice > 0) {
            next = others[choice - 1];
            left--;
            if (this.#blocked(pending[next])) early--;
          }
        }
        if (die) {
          state[next] = 'killed';
          this.#dead.add(next);
          $kill(next);
          ran.push([next, 0]);
          current = -1;
          continue;
        }
        if (next === current && ran.length > 0) ran[ran.length - 1][1]++;
        else ran.push([next, 1]);
        current = next;
        const access = pending[next];
        const { done, value } = this.#step(next, steps[next], access);
        wrote = access !== undefined && access.mode !== 'r' && access.mode !== 's';
        if (done) {
          state[next] = 'done';
          pending[next] = undefined;
        } else pending[next] = value;
      }
      this.#finish();
    } catch (error) {
      if (error === metBefore) return;
      throw new Counterexample(this.#program, (error as Error).message, ran, this.#history);
    } finally {
      this.#reset();
    }
  }

  /** A thread that took no part buries the killed one, looks every name up, and checks history and memory. */
  #finish(): void {
    const observer = this.#program.threads.length;
    for (const thread of this.#dead) this.#alone(observer, { op: 'bury', thread });
    for (const name of this.#program.names) this.#alone(observer, { op: 'whereis', name });
    this.#world.audit();
    const signature = this.#history.map(({ start, end, result }) => `${start} ${end} ${result}`).join();
    if (this.#sound.has(signature)) return;
    if (!isLinearizable(this.#history, this.#initial))
      throw new Error('no order of these operations gives these answers');
    this.#sound.add(signature);
  }

  *#main(actor: Actor, operations: readonly Operation[]): Generator<Access, void, string | undefined> {
    for (const operation of operations) {
      const event: Event = { thread: actor.thread, operation, start: this.#clock++, end: undefined, result: undefined };
      this.#history.push(event);
      this.#events = mix(this.#events, actor.thread);
      event.result = yield* actor.perform(operation);
      event.end = this.#clock++;
      this.#events = mix(this.#events, -1 - actor.thread);
    }
  }

  #alone(thread: number, operation: Operation): void {
    const actor = this.#world.actors[thread];
    const steps = this.#main(actor, [operation]);
    let access: Access | undefined;
    for (let count = 0; ; count++) {
      if (count > STEPS_MAX) throw new Error('the observer runs without end');
      const { done, value } = this.#step(thread, steps, access);
      if (done) return;
      access = value;
    }
  }

  /** Lets a thread perform its pending access and go on to the next. */
  #step(
    thread: number,
    steps: Generator<Access, void, string | undefined>,
    access: Access | undefined,
  ): { done: boolean; value: Access } {
    let answer: string | undefined;
    if (access !== undefined) {
      if (access.mode === 's') answer = access.words[access.index] === access.expected ? 'timed-out' : 'not-equal';
      this.#note(thread, access);
    }
    const before = access ? valueAt(access) : 0;
    this.#read[thread] = mix(mix(this.#read[thread] | 0, before), access?.place ?? -1);
    this.#read2[thread] = mix(mix(~this.#read2[thread], access?.place ?? -1), before);
    $run(thread);
    const { done, value } = steps.next(answer);
    if (access !== undefined && access.mode !== 'r' && access.mode !== 's') {
      const after = valueAt(access);
      this.#memory = (this.#memory + mix(access.place, after) - mix(access.place, before)) | 0;
      this.#memory2 = (this.#memory2 + mix(~access.place, after) - mix(~access.place, before)) | 0;
    }
    return { done: done === true, value: value as Access };
  }

  /** Remembers who touches what, keeps what a write replaces, and checks the words that are the lock holder's. */
  #note(thread: number, { place, mode, words, index, bytes, byteFrom, byteTo }: Access): void {
    if (mode !== 'r' && mode !== 's') {
      const content = bytes && Buffer.from(bytes.subarray(byteFrom, byteTo));
      this.#undo.push({ words, index, value: bytes ? 0 : words[index], bytes, from: byteFrom, content });
    }
    if (this.#isGuarded(words, index)) {
      const holder = ((this.#world.control[this.#lockAt] >>> 1) & 0xfff) - 1;
      if (holder !== this.#world.actors[thread].slot) {
        throw new Error(`thread ${thread} touches ${describePlace(place)} without the lock`);
      }
      return;
    }
    if (thread >= this.#program.threads.length) return;
    const seen = this.#touched.get(place) ?? 0;
    const now = seen | (1 << thread) | (mode === 'r' || mode === 's' ? 0 : 1 << (thread + 8));
    if (now === seen) return;
    this.#touched.set(place, now);
    const readers = now & 0xff;
    if (now > 0xff && (readers & (readers - 1)) !== 0 && !this.#shared.has(place)) {
      this.#shared.add(place);
      this.#learnt = true;
    }
  }

  #isGuarded(words: Int32Array, index: number): boolean {
    const region = (words as { $region?: number }).$region;
    if (region === this.#arenaRegion) return index < this.#tableWords && index % Page.words !== Page.next;
    if (region !== this.#controlRegion) return false;
    const offset = index - (this.#lockAt - Guard.lock);
    const journal = offset >= Guard.op && offset < Shard.descriptor;
    return journal || (offset >= Shard.entries && offset < Shard.words && offset !== Shard.recordsUsed);
  }

  #isShared(access: Access | undefined): boolean {
    return access === undefined || this.#shared.has(access.place);
  }

  /** A sleeper stays asleep while the lock is as it was, unless its holder is dead, which it would find out in time. */
  #blocked(access: Access | undefined): boolean {
    if (access?.mode !== 's' || access.words[access.index] !== access.expected) return false;
    const holder = ((access.expected >>> 1) & 0xfff) - 1;
    return ![...this.#dead].some((thread) => this.#world.actors[thread].slot === holder);
  }

  #stateOf(current: number, wrote: boolean, early: number): number {
    let one = mix(this.#memory, this.#events);
    let two = mix(this.#memory2, ~this.#events);
    for (const read of this.#read) one = mix(one, read);
    for (const read of this.#read2) two = mix(~two, read);
    for (const scheduling of [current, wrote ? 1 : 0, early, ...this.#dead]) {
      one = mix(one, scheduling);
      two = mix(~two, scheduling);
    }
    return (one >>> 0) * 0x200000 + (two & 0x1fffff);
  }

  #reset(): void {
    for (let n = this.#undo.length - 1; n >= 0; n--) {
      const { words, index, value, bytes, from, content } = this.#undo[n];
      if (!bytes) words[index] = value;
      else if (content?.length) bytes.set(content, from);
    }
    this.#undo.length = 0;
    this.#dead.clear();
    $reviveAll();
    for (const actor of this.#world.actors) {
      actor.cache.clear();
      actor.atomic = false;
    }
  }
}

const metBefore = Symbol('met before');

/** What an access finds in its place, as a number: for a copy, of all its bytes. */
function valueAt({ words, index, bytes, byteFrom, byteTo }: Access): number {
  if (bytes === undefined) return words[index];
  let sum = 0;
  for (let n = byteFrom; n < byteTo; n++) sum = mix(sum, bytes[n]);
  return sum;
}

/** The next path in depth-first order. @returns false after the last. */
function advance(path: Choice[]): boolean {
  while (path.length > 0) {
    const last = path[path.length - 1];
    if (last.taken + 1 < last.options) {
      last.taken++;
      return true;
    }
    path.pop();
  }
  return false;
}

function mix(place: number, value: number): number {
  let mixed = Math.imul(place ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(value, 0xc2b2ae35);
  mixed ^= mixed >>> 15;
  return Math.imul(mixed, 0x27d4eb2f) ^ (mixed >>> 13);
}
