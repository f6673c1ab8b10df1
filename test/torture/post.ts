import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Registry } from '../../src/engine/index.ts';
import type { Random } from '../support/random.ts';
import { crewGroup, threadKind } from './attachment.ts';
import { type Address, Inbox, type Letter, type Link, paddingOf, type Stream, streamOf } from './letters.ts';
import { Problem, stuckMs, type ThreadData } from './threads.ts';
import { Sent, sentAt } from './words.ts';

/** Bytes of a message in a torture run: small, so that rings are full and start over again and again. */
export const messageBytesMax = 4_096;
/** Characters that fill a letter, at most: with its links it stays below `messageBytesMax`. */
const paddingMax = 1_500;
const linksMax = 16;
const pendingMax = 32;

/** What a letter says to one receiver, and the stream it goes with. */
interface Draft extends Link {
  readonly stream: Stream;
  /** Where the stream is told in shared words; -1: nowhere, as its receiver may be killed. */
  readonly at: number;
}

/** Codes with which a message to a thread that may be killed is refused, and one to a thread that lives on. */
const refusals = ['NOT_FOUND', 'OWNER_DEAD', 'MAILBOX_FULL'];
const refusalsOfTheLiving = ['MAILBOX_FULL'];

const answerTo = (question: number): number => question + 1;

/**
 * A thread's letters and calls to all the others, and what it gets of them. What it sends to a survivor it says in shared words before and
 * after, as it may be killed in between.
 */
export class Post {
  readonly inbox: Inbox = new Inbox();
  /** Letters that it was told are sent; those that were refused; calls and waits that were settled. */
  sent = 0;
  refused = 0;
  settled = 0;
  readonly #registry: Registry;
  readonly #random: Random;
  readonly #data: ThreadData;
  readonly #fail: (error: unknown) => void;
  readonly #streams = new Map<string, Stream>();
  readonly #pending = new Set<Promise<void>>();
  /** Rows whose thread was there once: at first not all are. */
  readonly #met = new Set<number>();

  /** It receives from now on. `fail` is told what must not happen. */
  constructor(registry: Registry, random: Random, data: ThreadData, fail: (error: unknown) => void) {
    this.#registry = registry;
    this.#random = random;
    this.#data = data;
    this.#fail = fail;
    registry.messages.receive(this.inbox.accept, { onError: fail });
    registry.messages.serve(async (question: number) => {
      if (question % 4 === 0) await nextTurn();
      return answerTo(question);
    });
  }

  /** Sends a letter, or one to many. May be cut off anywhere. */
  operate(): void {
    if (this.#random.below(4) === 0) this.#broadcast();
    else this.#route();
  }

  /** Begins a call, or a sending that waits for room. Not to be cut off: its end would find nobody. */
  begin(): void {
    if (this.#pending.size >= pendingMax) return;
    const begun = this.#random.below(2) === 0 ? this.#call() : this.#routePatiently();
    const pending = begun.then(() => this.settled++, this.#fail).then(() => void this.#pending.delete(pending));
    this.#pending.add(pending);
  }

  /** Resolves when all is settled that was begun, and has arrived that was sent to survivors. */
  async finish(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending);
    // A call goes the way of letters, behind them.
    for (let row = 0; row < this.#data.survivors; row++) await this.#ask(row, 0);
  }

  #route(): void {
    const { messages } = this.#registry;
    const row = this.#random.below(this.#data.survivors + this.#data.victims);
    const to = this.#addressOf(row);
    if (to === undefined) return;
    const urgent = this.#random.below(4) === 0;
    const draft = this.#draft(to, row, urgent);
    const letter = this.#letter([draft]);
    try {
      // A name may pass on to the next victim meanwhile, which is not whom the letter is for.
      if (row < this.#data.survivors) messages.route(threadKind, `${row}`, letter, { urgent });
      else messages.routeTo(to, letter, { urgent });
    } catch (error) {
      this.#takeBack(draft);
      this.#expectRefusal(error, row);
      return;
    }
    this.#acknowledge(draft);
  }

  #broadcast(): void {
    const all = this.#registry.groups.members(crewGroup);
    const from = this.#random.below(Math.max(1, all.length - linksMax + 1));
    const members = all.slice(from, from + linksMax);
    const drafts = members.map(({ owner, id }) => this.#draft(owner, Number(id), false));
    const count = this.#registry.messages.broadcast(members, this.#letter(drafts));
    if (count > drafts.length) throw new Problem('failed', `a letter to ${drafts.length} was sent to ${count}`);
    // Where it reached some, who they are is not told: then it is in doubt for each.
    if (count === 0) for (const draft of drafts) this.#takeBack(draft);
    if (count === drafts.length) for (const draft of drafts) this.#acknowledge(draft);
  }

  async #routePatiently(): Promise<void> {
    const row = this.#random.below(this.#data.survivors + this.#data.victims);
    const to = this.#addressOf(row);
    if (to === undefined) return;
    const draft = this.#draft(to, row, false);
    try {
      await this.#registry.messages.routeToAsync(to, this.#letter([draft]));
    } catch (error) {
      // It stays in doubt: letters after it may have been sent.
      this.#expectRefusal(error, row);
      return;
    }
    this.#acknowledge(draft);
  }

  async #call(): Promise<void> {
    await this.#ask(this.#random.below(this.#data.survivors + this.#data.victims), this.#random.below(1 << 20));
  }

  async #ask(row: number, question: number): Promise<void> {
    const to = this.#addressOf(row);
    if (to === undefined) return;
    let answer: number;
    try {
      answer = await this.#registry.messages.callTo<number>(to, question, { timeoutMs: stuckMs });
    } catch (error) {
      this.#expectRefusal(error, row);
      return;
    }
    if (answer !== answerTo(question)) throw new Problem('lost', `${question} was answered by ${answer}`);
  }

  #addressOf(row: number): Address | undefined {
    const owner = this.#registry.whereis(threadKind, `${row}`)?.owner;
    if (owner !== undefined) this.#met.add(row);
    else if (row < this.#data.survivors && this.#met.has(row))
      throw new Problem('lost', `survivor ${row} is not found`);
    return owner;
  }

  /** The next letter to somebody, which is begun from now on. */
  #draft({ slot, epoch }: Address, row: number, urgent: boolean): Draft {
    const stream = this.#streamTo({ slot, epoch }, urgent);
    const at = row < this.#data.survivors ? sentAt(this.#data, row, urgent) : -1;
    const afterUrgent = urgent ? 0 : this.#streamTo({ slot, epoch }, true).told;
    const draft = { slot, epoch, number: stream.tried + 1, after: stream.told, afterUrgent, stream, at };
    stream.tried = draft.number;
    if (at !== -1) Atomics.store(this.#data.words, at + Sent.tried, draft.number);
    return draft;
  }

  #streamTo(to: Address, urgent: boolean): Stream {
    const name = streamOf(to, urgent);
    const stream = this.#streams.get(name) ?? { tried: 0, told: 0 };
    this.#streams.set(name, stream);
    return stream;
  }

  #letter(drafts: readonly Draft[]): Letter {
    const links = drafts.map(({ slot, epoch, number, after, afterUrgent }) => {
      return { slot, epoch, number, after, afterUrgent };
    });
    const size = this.#random.below(links.length > 1 ? 100 : paddingMax);
    return { links, size, padding: paddingOf(size) };
  }

  #acknowledge({ stream, at, number }: Draft): void {
    stream.told = Math.max(stream.told, number);
    if (at !== -1) Atomics.store(this.#data.words, at + Sent.told, stream.told);
    this.sent++;
  }

  /** It was not sent, so the next letter has its number. */
  #takeBack({ stream, at, number }: Draft): void {
    stream.tried = number - 1;
    if (at !== -1) Atomics.store(this.#data.words, at + Sent.tried, number - 1);
  }

  #expectRefusal(error: unknown, row: number): void {
    const { code = '' } = error as { code?: string };
    if (!(row < this.#data.survivors ? refusalsOfTheLiving : refusals).includes(code)) throw error;
    this.refused++;
  }
}
