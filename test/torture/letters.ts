import type { MessageContext } from '../../src/engine/index.ts';
import { Problem } from './threads.ts';

/** A tenancy of a thread. */
export interface Address {
  readonly slot: number;
  readonly epoch: number;
}

/** What a letter says to one of those it is for. Letters of a sender to a receiver are numbered, urgent ones apart. */
export interface Link extends Address {
  readonly number: number;
  /** The last of the numbers before that its sender was told is sent. Those in between are in doubt: their sending was cut off. */
  readonly after: number;
  /** For one that is not urgent: the last urgent one that its sender was told is sent. It does not overtake that. */
  readonly afterUrgent: number;
}

/** A message of a torture run. */
export interface Letter {
  readonly links: readonly Link[];
  readonly size: number;
  readonly padding: string;
}

export const paddingOf = (size: number): string => String.fromCharCode(0x30 + (size % 70)).repeat(size);

/** Names what one thread sends another on one ring of their lane. */
export const streamOf = ({ slot, epoch }: Address, urgent: boolean): string =>
  `${slot}.${epoch} ${urgent ? 'urgent' : 'normal'}`;

/** One ring's letters, as their sender knows them. */
export interface Stream {
  /** The last number that it began to send, and the last that it was told is sent. */
  tried: number;
  told: number;
}

/** Reads letters: each has to be whole, for this thread, once, in its order, and after all that was sent before it. */
export class Inbox {
  /** The last number of each stream. */
  readonly last: Map<string, number> = new Map();
  received = 0;
  /** Whose it is. Letters come in a turn of the event loop, which is time enough to find that out. */
  self: Address = { slot: -1, epoch: 0 };

  readonly accept = (message: unknown, { from, urgent }: MessageContext): void => {
    const { links, size, padding } = message as Letter;
    const stream = streamOf(from, urgent);
    const link = links.find(({ slot, epoch }) => slot === this.self.slot && epoch === this.self.epoch);
    if (link === undefined) throw new Problem('lost', `a letter from ${stream} came to another than it was for`);
    if (padding !== paddingOf(size)) throw new Problem('torn', `a letter of ${size} characters from ${stream}`);
    const { number, after, afterUrgent } = link;
    const last = this.last.get(stream) ?? 0;
    this.last.set(stream, Math.max(number, last)); // whatever is wrong with it is told once
    this.received++;
    if (number <= last) throw new Problem('repeated', `letter ${number} from ${stream} came after letter ${last}`);
    if (last < after) throw new Problem('lost', `letter ${after} from ${stream}: ${number} came after ${last}`);
    if ((this.last.get(streamOf(from, true)) ?? 0) < afterUrgent) {
      throw new Problem('lost', `letter ${number} from ${stream} has overtaken urgent letter ${afterUrgent}`);
    }
  };
}
