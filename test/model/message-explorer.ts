import type { SteppedSource } from './load.ts';
import { type MessageActor, type MessageOperation, MessageWorld } from './message-world.ts';
import { $kill, $reviveAll, $run, type Access, $isKernel as isKernel, type Place } from './runtime.ts';
import { metBefore, Search } from './search.ts';

/** Threads that send and receive at the same time, after a set-up that runs alone. */
export interface MessageProgram {
  readonly name: string;
  readonly setup: readonly { readonly thread: number; readonly operation: MessageOperation }[];
  readonly threads: readonly (readonly MessageOperation[])[];
  /** The thread that may be killed, once, after any of its writes. */
  readonly kill?: number;
  /** The thread that may be cut off in one of its operations, once, after any write: it goes on with the next. */
  readonly cut?: number;
  /** Preemptions to explore it to: 2 unless said. */
  readonly bound?: number;
}

const STEPS_MAX = 20_000;
type State = 'ready' | 'waiting' | 'done' | 'killed';
type Pending = Access | undefined;

/**
 * Runs a program in every interleaving with at most so many preemptions, as `Explorer` does it, but here to sleep and to be
 * woken are steps of their own: who waits for its bell goes on when somebody notifies after it began to wait, and at
 * no other time. In the end
 * - nobody sleeps while there is something for it;
 * - every message whose sending returned has arrived, if its receiver lived; each that arrived did so whole, once, in the order in
 *   which its sender sent it, and at the tenancy that it was for.
 */
export class MessageExplorer {
  readonly #program: MessageProgram;
  readonly #world: MessageWorld;
  readonly #undo: {
    words: Int32Array;
    index: number;
    value: number;
    bytes?: Buffer;
    from: number;
    content?: Buffer;
  }[] = [];
  readonly #touched = new Map<Place, number>();
  readonly #shared = new Set<Place>();
  #learnt = false;
  #memory = 0;
  #reads: number[] = [];

  constructor(source: SteppedSource, program: MessageProgram) {
    this.#program = program;
    this.#world = new MessageWorld(source);
  }

  /** @returns how many interleavings there are. @throws what one of them ends in */
  explore(): number {
    for (;;) {
      this.#learnt = false;
      const search = new Search();
      do {
        if (this.#run(search)) search.ended();
      } while (!this.#learnt && search.next());
      if (!this.#learnt) return search.interleavings;
    }
  }

  #run(search: Search): boolean {
    const { threads, kill, cut, setup, name } = this.#program;
    search.begin();
    this.#memory = 0;
    this.#reads = threads.map(() => 0);
    this.#world.begin(threads.length + 1);
    const { actors } = this.#world;
    const observer = actors[threads.length];
    const ran: [thread: number, steps: number][] = [];
    const state: State[] = threads.map(() => 'ready');
    const pending: Pending[] = threads.map(() => undefined);
    const places: (Place | undefined)[] = threads.map(() => undefined);
    const steps = threads.map((operations, n) => this.#main(actors[n], operations));
    let current = -1;
    let wrote = false;
    let left = this.#program.bound ?? 2;
    let ended = false;
    try {
      for (const actor of actors) this.#alone(actor, { op: 'attach' });
      for (const { thread, operation } of setup) this.#alone(actors[thread], operation);
      for (let count = 0; ; count++) {
        if (count > STEPS_MAX) throw new Error('runs without end');
        const ready = [...state.keys()].filter((n) => state[n] === 'ready');
        if (ready.length === 0) {
          // A lock's sleeper wakes by itself in time, and so does everybody when the killed one is buried.
          const late = state.findIndex((s, n) => s === 'waiting' && !this.#isBell(places[n] as Place));
          if (late !== -1) {
            state[late] = 'ready';
            continue;
          }
          const dead = state.indexOf('killed');
          if (dead === -1 || actors[dead].buried) break;
          this.#notifies(this.#alone(observer, { op: 'bury', thread: dead }), state, places);
          continue;
        }
        const goes = current !== -1 && state[current] === 'ready';
        const options = goes ? [current] : ready;
        const access = goes ? pending[current] : undefined;
        const mayDie = goes && wrote && !ended && (current === kill || current === cut);
        if (goes && left > 0 && this.#isChoice(access)) options.push(...ready.filter((n) => n !== current));
        const total = options.length + (mayDie ? 1 : 0);
        const choice =
          total === 1 ? 0 : search.choose(total, goes, left, () => this.#stateOf(current, wrote, ended, state, places));
        if (choice === options.length) {
          ended = true;
          ran.push([current, 0]);
          if (current === kill) {
            state[current] = 'killed';
            $kill(current);
          } else {
            const rest = threads[current].slice(actors[current].performed + 1);
            steps[current] = this.#main(actors[current], [{ op: 'ringAgain' }, ...rest]);
            pending[current] = undefined;
          }
          current = -1;
          continue;
        }
        if (goes && choice > 0) {
          search.preempted();
          left--;
        }
        current = options[choice];
        if (ran.at(-1)?.[0] === current) ran[ran.length - 1][1]++;
        else ran.push([current, 1]);
        const due = pending[current];
        if (due?.mode === 's' && places[current] === undefined && due.words[due.index] === due.expected) {
          state[current] = 'waiting'; // from now on a notification finds it
          places[current] = due.place;
          current = -1;
          continue;
        }
        places[current] = undefined;
        const next = this.#step(current, steps[current], due);
        if (due?.mode === 'n') this.#notifies([due.place], state, places);
        wrote = due !== undefined && due.mode !== 'r' && due.mode !== 's';
        if (next === undefined) state[current] = 'done';
        pending[current] = next;
      }
      this.#judge(actors, state);
      return true;
    } catch (error) {
      if (error === metBefore) return false;
      throw new Error(`${name}: ${(error as Error).message}\n  schedule ${JSON.stringify(ran)}`);
    } finally {
      this.#reset();
    }
  }

  #notifies(places: readonly Place[], state: State[], waiting: readonly (Place | undefined)[]): void {
    for (const [n, place] of waiting.entries()) {
      if (state[n] === 'waiting' && place !== undefined && places.includes(place)) state[n] = 'ready';
    }
  }

  *#main(actor: MessageActor, operations: readonly MessageOperation[]): Generator<Access, void, string | undefined> {
    for (const [n, operation] of operations.entries()) {
      actor.performed = n;
      const steps = actor.perform(operation);
      let step = steps.next();
      if (!step.done) step.value.begins = true;
      while (!step.done) step = steps.next(yield step.value);
    }
  }

  /** @returns the places it notified */
  #alone(actor: MessageActor, operation: MessageOperation): Place[] {
    const steps = actor.perform(operation);
    const notified: Place[] = [];
    let access: Pending;
    for (let count = 0; count < STEPS_MAX; count++) {
      if (access?.mode === 'n') notified.push(access.place);
      access = this.#step(actor.thread, steps, access);
      if (access === undefined) return notified;
    }
    throw new Error('it runs alone without end');
  }

  #step(thread: number, steps: Generator<Access, void, string | undefined>, access: Pending): Pending {
    if (access !== undefined) this.#note(thread, access);
    const before = access === undefined ? 0 : valueAt(access);
    if (thread < this.#reads.length) this.#reads[thread] = mix(mix(this.#reads[thread], before), access?.place ?? -1);
    $run(thread);
    const { done, value } = steps.next(access?.mode === 's' ? 'timed-out' : undefined);
    if (access !== undefined) {
      this.#memory = (this.#memory + mix(access.place, valueAt(access)) - mix(access.place, before)) | 0;
    }
    return done === true ? undefined : (value as Access);
  }

  #note(thread: number, { place, mode, words, index, bytes, byteFrom, byteTo }: Access): void {
    const writes = mode !== 'r' && mode !== 's' && mode !== 'n';
    if (writes) {
      const undo = { words, index, value: bytes === undefined ? words[index] : 0, from: byteFrom };
      this.#undo.push(
        bytes === undefined ? undo : { ...undo, bytes, content: Buffer.from(bytes.subarray(byteFrom, byteTo)) },
      );
    }
    if (thread >= this.#program.threads.length) return;
    const seen = this.#touched.get(place) ?? 0;
    const now = seen | (1 << thread) | (writes ? 1 << (thread + 8) : 0);
    if (now === seen) return;
    this.#touched.set(place, now);
    const touching = now & 0xff;
    if (now > 0xff && (touching & (touching - 1)) !== 0 && !this.#shared.has(place)) {
      this.#shared.add(place);
      this.#learnt = true;
    }
  }

  #isChoice(access: Pending): boolean {
    if (access === undefined || access.begins || isKernel(access)) return true;
    return access.mode === 's' || access.mode === 'n' || this.#shared.has(access.place);
  }

  #isBell(place: Place): boolean {
    return this.#world.actors.some((actor) => place % 2 ** 28 === actor.mailbox?.bellAt);
  }

  #stateOf(
    current: number,
    wrote: boolean,
    ended: boolean,
    state: readonly State[],
    places: readonly (Place | undefined)[],
  ): number {
    let one = this.#memory;
    for (const part of [
      ...this.#reads,
      current,
      wrote ? 1 : 0,
      ended ? 1 : 0,
      ...state.map((s) => s.length),
      ...places.map((p) => p ?? -1),
    ]) {
      one = mix(one, part);
    }
    let two = ~this.#memory;
    for (const part of [
      ...places.map((p) => p ?? -1),
      ...state.map((s) => s.length),
      ...this.#reads,
      current,
      wrote ? 1 : 0,
    ]) {
      two = mix(part, two);
    }
    return (one >>> 0) * 0x200000 + (two & 0x1fffff);
  }

  #judge(actors: readonly MessageActor[], state: readonly State[]): void {
    const { threads, setup, cut } = this.#program;
    const all = [
      ...setup,
      ...threads.flatMap((operations, thread) => operations.map((operation) => ({ thread, operation }))),
    ];
    for (const [to, receiver] of actors.entries()) {
      const lives = this.#world.control[receiver.owners.epochAt(receiver.slot)] === receiver.epoch;
      const asleep = state[to] === 'waiting';
      if (asleep && lives) this.#alone(receiver, { op: 'look' });
      if (receiver.hasMail) throw new Error(`thread ${to} sleeps over its mail`);
      if (asleep && !state.includes('killed') && cut === undefined) throw new Error(`thread ${to} sleeps for ever`);
      for (const [from, sender] of actors.entries()) {
        for (const urgent of [false, true]) {
          const order = all.flatMap(({ thread, operation: o }) =>
            thread === from && o.op === 'send' && o.to === to && (o.urgent === true) === urgent ? [o.text] : [],
          );
          const got = receiver.received.filter((m) => m.from === from && m.urgent === urgent).map(({ text }) => text);
          const sent = sender.sent.filter((m) => m.to === to && m.epoch === receiver.epoch && m.urgent === urgent);
          const told = `thread ${to} got [${got}] of [${order}] from ${from}`;
          const positions = got.map((text) => order.indexOf(text));
          // What is not in the program is torn; what does not go up came twice, or out of order.
          if (positions.some((at, n) => at <= (positions[n - 1] ?? -1))) throw new Error(told);
          const missing = sent.filter(({ text }) => !got.includes(text));
          const between = missing.some(({ text }) => order.indexOf(text) < (positions.at(-1) ?? -1));
          if (between || (lives && asleep && missing.length > 0)) throw new Error(`${told}, and sleeps: ${asleep}`);
        }
        const order = all.flatMap(({ thread, operation: o }) =>
          thread === from && o.op === 'send' && o.to === to ? [o.text] : [],
        );
        const got = receiver.received.filter((m) => m.from === from);
        for (const soon of sender.sent.filter((m) => m.to === to && m.epoch === receiver.epoch && m.urgent)) {
          const at = got.findIndex(({ text }) => text === soon.text);
          const isLater = ({ text }: { text: string }) => order.indexOf(text) > order.indexOf(soon.text);
          const later = got.findIndex((m) => !m.urgent && isLater(m));
          if (later === -1 || (at !== -1 && at < later)) continue;
          throw new Error(`thread ${to} got ${got[later].text} from ${from} before the urgent ${soon.text}`);
        }
      }
    }
  }

  #reset(): void {
    for (let n = this.#undo.length - 1; n >= 0; n--) {
      const { words, index, value, bytes, from, content } = this.#undo[n];
      if (bytes === undefined) words[index] = value;
      else if (content?.length) bytes.set(content, from);
    }
    this.#undo.length = 0;
    $reviveAll();
  }
}

function valueAt({ words, index, bytes, byteFrom, byteTo }: Access): number {
  if (bytes === undefined) return words[index];
  let sum = 0;
  for (let n = byteFrom; n < byteTo; n++) sum = mix(sum, bytes[n]);
  return sum;
}

function mix(place: number, value: number): number {
  let mixed = Math.imul(place ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(value, 0xc2b2ae35);
  mixed ^= mixed >>> 15;
  return Math.imul(mixed, 0x27d4eb2f) ^ (mixed >>> 13);
}
