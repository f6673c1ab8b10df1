import type { CrewMember } from './crew.ts';
import { streamOf } from './letters.ts';
import { Problem } from './threads.ts';
import { type CrewSize, Sent, sentAt, type Words } from './words.ts';

/** What a sender said of its letters to one survivor. */
interface Said {
  readonly receiver: number;
  readonly stream: string;
  readonly tried: number;
  readonly told: number;
}

/** Compares what senders, dead or alive, said that they sent to survivors with what these got. */
export class Correspondence {
  /** Letters that arrived whose senders, killed or cut off, were not told that they are sent. */
  untold = 0;
  readonly #words: Words;
  readonly #size: CrewSize;
  readonly #said: Said[] = [];

  constructor(words: Words, size: CrewSize) {
    this.#words = words;
    this.#size = size;
  }

  /** A thread sends nothing any more: what it said is noted, and its place is free for the next. */
  close({ row, attachment }: CrewMember): void {
    for (let receiver = 0; receiver < this.#size.survivors; receiver++) {
      for (const urgent of [false, true]) {
        const at = sentAt({ ...this.#size, row }, receiver, urgent);
        const stream = streamOf(attachment, urgent);
        const tried = Atomics.exchange(this.#words, at + Sent.tried, 0);
        const told = Atomics.exchange(this.#words, at + Sent.told, 0);
        this.#said.push({ receiver, stream, tried, told });
      }
    }
  }

  /** @param received by survivor, the last letter of each stream */
  settle(received: readonly ReadonlyMap<string, number>[]): void {
    for (const { receiver, stream, tried, told } of this.#said) {
      const last = received[receiver].get(stream) ?? 0;
      const what = `survivor ${receiver} got letters from ${stream} up to ${last}`;
      if (last < told) throw new Problem('lost', `${what}, its sender was told that ${told} is sent`);
      if (last > tried) throw new Problem('repeated', `${what}, its sender began no more than ${tried}`);
      this.untold += last - told;
    }
  }
}
