import { Control, Counters, Guard, OwnerRow, Page, pageBytes, pagesPerGroup, Shard } from '../../src/shared/layout.ts';
import { type Event, isLinearizable, type State, stateAfter } from './linearizability.ts';
import type { SteppedSource } from './load.ts';
import { $kill, $reviveAll, $run, type Access, describePlace, $isKernel as isKernel, type Place } from './runtime.ts';
import { type Guide, metBefore, Search, Walk } from './search.ts';
import { type Actor, type Operation, World } from './world.ts';

/** What virtual threads do at the same time, after a set-up that runs alone. */
export interface Program {
  readonly name: string;
  readonly setup?: readonly { readonly thread: number; readonly operation: Operation }[];
  readonly threads: readonly (readonly Operation[])[];
  /** The thread that may be killed, once, after any of its writes. */
  readonly kill?: number;
  /** Preemptions to explore it to, in the tests: 3, or fewer where three threads have too many interleavings. */
  readonly bound?: number;
  /** Names looked up at the end, by a thread that took no part. */
  readonly names: readonly string[];
  /** What was counted is asked for at the end, too. */
  readonly counts?: boolean;
  /** All names have the same hash: only the comparison of the names themselves tells them apart. */
  readonly sameHash?: boolean;
}

export interface Exploration {
  /** Complete interleavings within the bound, those that go on from a state met before included. */
  readonly interleavings: number;
  /** What was really run for them: each to its end, or to a state from which all was explored before. */
  readonly runs: number;
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

/** A schedule is not one of the program as it stands: nothing is known about what it would find. */
export class MisfitError extends Error {}

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
  /** States in which all threads had come to their ends and nothing was wrong. */
  readonly #sound = new Set<number>();
  readonly #lockAt: number;
  readonly #controlRegion: number;
  readonly #arenaRegion: number;
  #learnt = false;
  #memory = 0;
  #memory2 = 0;
  #events = 0;
  /** Per thread, two hashes of all it has read: with its program, its whole state. */
  readonly #read: number[] = [];
  readonly #read2: number[] = [];
  /** Per thread, what the memory was when it slept last. */
  readonly #sleptAt: number[] = [];
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
    for (const { thread, operation } of program.setup ?? []) {
      this.#alone(thread, operation);
    }
    this.#initial = stateAfter(this.#history);
    this.#undo.length = 0;
    this.#touched.clear();
    this.#world.keep();
    for (const actor of this.#world.actors) actor.keep();
  }
  readonly #initial: State;

  /** Every interleaving within the bound. @throws {Counterexample} */
  explore(): Exploration {
    for (let passes = 1; ; passes++) {
      this.#learnt = false;
      const search = new Search();
      do {
        if (this.#run(search)) search.ended();
      } while (!this.#learnt && search.next());
      if (this.#learnt) continue; // there are choices now that this pass did not have
      const { interleavings, runs, states } = search;
      return { interleavings, runs, states, places: this.#shared.size, passes };
    }
  }

  /** Interleavings chosen at random: `random` gives a whole number below its argument. @throws {Counterexample} */
  walk(count: number, random: (bound: number) => number): Exploration {
    const guide = new Walk(random);
    for (let n = 0; n < count; n++) this.#run(guide);
    return { interleavings: count, runs: count, states: 0, places: this.#shared.size, passes: 1 };
  }

  /** One interleaving again, from its start to its end. @throws {Counterexample} @throws {MisfitError} */
  replay(schedule: Schedule): void {
    this.#run(new Walk(() => 0), schedule);
  }

  /** @returns whether it came to its end, and not to a state that was met before. */
  #run(guide: Guide, script?: Schedule): boolean {
    const { threads, kill } = this.#program;
    this.#begin();
    guide.begin();
    const steps = threads.map((operations, thread) => this.#main(this.#world.actors[thread], operations));
    const pending: (Access | undefined)[] = threads.map(() => undefined);
    const state: ('ready' | 'done' | 'killed')[] = threads.map(({ length }) => (length > 0 ? 'ready' : 'done'));
    const sleeps = (n: number) => this.#blocked(n, pending[n]);
    const runs = (n: number) => !sleeps(n);
    const others = (current: number, which: (n: number) => boolean) => {
      const found: number[] = [];
      for (let n = 0; n < threads.length; n++) if (n !== current && state[n] === 'ready' && which(n)) found.push(n);
      return found;
    };
    let current = -1;
    let wrote = false;
    let left = this.#preemptions;
    let timeouts = 0;
    let early = EARLY_TIMEOUTS;
    const ran: [thread: number, steps: number][] = [];
    const lines = script?.map(([thread, steps]) => ({ thread, steps }));
    let beyond = false;
    const choose = (options: number, going: boolean): number =>
      options === 1 ? 0 : guide.choose(options, going, left, () => this.#stateOf(state, current, wrote, early));

    try {
      for (let count = 0; ; count++) {
        if (count > STEPS_MAX) throw new Error('runs without end');
        const goes = current !== -1 && state[current] === 'ready' && runs(current);
        let next = current;
        let die = false;
        const line = lines?.find(({ steps }) => steps >= 0);
        beyond ||= lines !== undefined && line === undefined && state.includes('ready');
        if (line !== undefined) {
          next = line.thread;
          die = line.steps === 0;
          if (state[next] !== 'ready') throw new MisfitError(`thread ${next} is ${state[next] ?? 'not there'}`);
          if (die && kill !== next) throw new MisfitError(`thread ${next} is not killed in this program`);
          line.steps = line.steps > 1 ? line.steps - 1 : -1;
        } else if (!goes) {
          const ready = others(-1, runs);
          if (ready.length > 0) next = ready[choose(ready.length, false)];
          else {
            next = state.indexOf('ready');
            if (next === -1) break;
            if (++timeouts > TIMEOUTS_MAX) throw new Error('a thread waits without end');
          }
        } else if (!this.#world.actors[current].atomic) {
          // It may die after a write; or stopped, when the kernel is asked for it: elsewhere the moment matters to nobody.
          const dies =
            kill === current ? wrote : state[kill ?? -1] === 'ready' && this.#asksAbout(kill, pending[current]);
          const killable = kill !== undefined && dies && this.#dead.size === 0;
          const interrupted = left > 0 && this.#isShared(pending[current]);
          if (killable || interrupted) {
            const instead = interrupted ? others(current, runs) : [];
            // A sleeper may also wake while the holder lives and is slow.
            if (interrupted && early > 0) instead.push(...others(current, sleeps));
            const choice = choose(1 + instead.length + (killable ? 1 : 0), true);
            if (killable && choice > instead.length) [next, die] = [kill, true];
            else if (choice > 0) {
              guide.preempted();
              next = instead[choice - 1];
              left--;
              if (sleeps(next)) early--;
            }
          }
        }
        if (die) {
          state[next] = 'killed';
          this.#dead.add(next);
          $kill(next);
          ran.push([next, 0]);
          if (next === current) current = -1;
          continue;
        }
        // Not by `current`: it goes on behind the line of a thread that was killed meanwhile.
        if (ran.at(-1)?.[0] === next) ran[ran.length - 1][1]++;
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
      const end = this.#stateOf(state, -1, false, 0);
      if (!this.#sound.has(end)) this.#finish();
      this.#sound.add(end);
      if (beyond) throw new MisfitError('it ends before the threads do, and nothing has failed');
      return true;
    } catch (error) {
      if (error === metBefore) return false;
      if (error instanceof MisfitError) throw error;
      throw new Counterexample(this.#program, (error as Error).message, ran, this.#history);
    } finally {
      this.#reset();
    }
  }

  #begin(): void {
    this.#history = [];
    this.#clock = 0;
    this.#memory = 0;
    this.#memory2 = 0;
    this.#events = 0;
    this.#read.fill(0);
    this.#read2.fill(0);
    this.#sleptAt.length = 0;
  }

  /** A thread that took no part buries the killed one, looks every name up, and checks history and memory. */
  #finish(): void {
    const observer = this.#program.threads.length;
    for (const thread of this.#dead) this.#alone(observer, { op: 'bury', thread });
    this.#alone(observer, { op: 'settle' });
    for (const name of this.#program.names) this.#alone(observer, { op: 'whereis', name });
    if (this.#program.counts) this.#alone(observer, { op: 'sum' });
    // Whatever happened, a view that catches up knows what there is.
    for (const { thread, own } of this.#world.actors) {
      if (own.viewed && !this.#dead.has(thread)) this.#alone(thread, { op: 'view' });
    }
    this.#world.audit();
    if (!isLinearizable(this.#history, this.#initial))
      throw new Error('no order of these operations gives these answers');
  }

  /** One operation after the other. Each starts at its first access and not before: a thread may be interrupted between
   *  the end of one and the start of the next. */
  *#main(actor: Actor, operations: readonly Operation[]): Generator<Access, void, string | undefined> {
    for (const operation of operations) {
      const steps = actor.perform(operation);
      let step = steps.next();
      if (!step.done) step.value.begins = true;
      let event: Event | undefined;
      while (!step.done) {
        const answer = yield step.value;
        event ??= this.#start(actor, operation);
        step = steps.next(answer);
      }
      event ??= this.#start(actor, operation);
      event.result = step.value;
      event.end = this.#clock++;
      this.#events = mix(mix(this.#events, -1 - actor.thread), textHash(step.value));
    }
  }

  #start({ thread }: Actor, operation: Operation): Event {
    const event: Event = { thread, operation, start: this.#clock++, end: undefined, result: undefined };
    this.#history.push(event);
    this.#events = mix(this.#events, thread);
    return event;
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
      if (access.mode === 's') {
        answer = access.words[access.index] === access.expected ? 'timed-out' : 'not-equal';
        this.#sleptAt[thread] = this.#sleepState();
      }
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
    const lockAt = this.#lockOf(words, index);
    if (lockAt !== undefined) {
      const holder = ((this.#world.control[lockAt] >>> 1) & 0xfff) - 1;
      if (holder !== this.#world.actors[thread].own.slot) {
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

  /** The lock without which nobody may touch a word. */
  #lockOf(words: Int32Array, index: number): number | undefined {
    const region = (words as { $region?: number }).$region;
    if (region === this.#arenaRegion) {
      const inRows = index % ((pagesPerGroup * pageBytes) / 4) < pageBytes / 4;
      return inRows && index % Page.words !== Page.next ? this.#lockAt : undefined;
    }
    if (region !== this.#controlRegion) return undefined;
    const { map } = this.#world;
    const inShard = index - map.shard(0);
    if (inShard >= 0 && inShard < Shard.log) {
      const journal = inShard >= Shard.guard + Guard.op && inShard < Shard.descriptor;
      const book = inShard >= Shard.entries && inShard !== Shard.recordsUsed;
      return journal || book ? this.#lockAt : undefined;
    }
    const inControl = index - map.control;
    if (inControl >= 0 && inControl < Control.words) {
      const journal = inControl >= Control.guard + Guard.op && inControl < Control.ownersUsed;
      return journal || inControl === Control.ownerFree ? map.control + Control.guard + Guard.lock : undefined;
    }
    const inCounters = index - map.counters;
    if (inCounters >= Counters.guard + Guard.op && inCounters < Counters.used) {
      return map.counters + Counters.guard + Guard.lock;
    }
    const inRow = index - map.owners;
    const link = inRow >= 0 && index < map.kinds && inRow % OwnerRow.words === OwnerRow.nextFree;
    return link ? map.control + Control.guard + Guard.lock : undefined;
  }

  #asksAbout(thread: number | undefined, access: Access | undefined): boolean {
    return thread !== undefined && access !== undefined && isKernel(access) && access.index === thread + 1;
  }

  #isShared(access: Access | undefined): boolean {
    return access === undefined || access.begins || this.#shared.has(access.place) || isKernel(access);
  }

  /** A sleeper stays asleep while the lock is as it was, unless its holder is dead, which it would find out in time. One
   *  that slept through already, and finds all as it was, stays asleep too. */
  #blocked(thread: number, access: Access | undefined): boolean {
    if (access?.mode !== 's' || access.words[access.index] !== access.expected) return false;
    const holder = ((access.expected >>> 1) & 0xfff) - 1;
    if (![...this.#dead].some((thread) => this.#world.actors[thread].own.slot === holder)) return true;
    return this.#sleptAt[thread] === this.#sleepState();
  }

  #sleepState(): number {
    return mix(mix(this.#memory, this.#memory2), this.#dead.size);
  }

  #stateOf(states: readonly string[], current: number, wrote: boolean, early: number): number {
    let one = mix(this.#memory, this.#events);
    let two = mix(this.#memory2, ~this.#events);
    for (const [thread, state] of states.entries()) {
      const { own } = this.#world.actors[thread];
      if (state === 'ready' || (own.viewed && state !== 'killed')) {
        one = mix(one, this.#read[thread]);
        two = mix(~two, this.#read2[thread]);
      } else {
        // It reads no more: what is left of it is its answers, which are in the history, and its rows.
        for (const word of [own.slot, own.epoch, own.owner, own.ownerEpoch]) {
          one = mix(one, word);
          two = mix(~two, word);
        }
      }
    }
    const slept = this.#sleptAt.reduce((mask, at, n) => (at === this.#sleepState() ? mask | (1 << n) : mask), 0);
    for (const scheduling of [current, wrote ? 1 : 0, early, slept, ...this.#dead]) {
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
    for (const actor of this.#world.actors) actor.reset();
    this.#world.reset();
  }
}

/** What an access finds in its place, as a number: for a copy, of all its bytes. */
function valueAt({ words, index, bytes, byteFrom, byteTo }: Access): number {
  if (bytes === undefined) return words[index];
  let sum = 0;
  for (let n = byteFrom; n < byteTo; n++) sum = mix(sum, bytes[n]);
  return sum;
}

function textHash(text: string): number {
  let hash = 0;
  for (let n = 0; n < text.length; n++) hash = mix(hash, text.charCodeAt(n));
  return hash;
}

function mix(place: number, value: number): number {
  let mixed = Math.imul(place ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(value, 0xc2b2ae35);
  mixed ^= mixed >>> 15;
  return Math.imul(mixed, 0x27d4eb2f) ^ (mixed >>> 13);
}
