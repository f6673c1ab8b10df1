import type { RegistryHandle } from '../../src/engine/index.ts';
import type { Durations } from './durations.ts';
import type { LockReport } from './lock-probe.ts';
import type { TiesReport } from './own-ties.ts';
import type { Words } from './words.ts';

/* What the threads of a torture run are told, and what they answer. */

/** Milliseconds in which a thread gets something done, or is stuck: its wait for a lock ends long before. */
export const stuckMs = 60_000;

export interface ThreadData {
  readonly handle: RegistryHandle;
  readonly seed: number;
  readonly words: Words;
  /** The thread's row of `words`. Survivors have rows from 0 on, victims those behind them. */
  readonly row: number;
  readonly survivors: number;
  readonly victims: number;
  /** Of so many operations one looks at a whole kind. */
  readonly listEvery: number;
  /** Whether a survivor has its operations cut short by time-outs, and goes on. */
  readonly abandons: boolean;
}

/** What must not happen. */
export type ProblemKind = 'stuck' | 'torn' | 'lost' | 'repeated' | 'leaked' | 'failed';

export class Problem extends Error {
  readonly kind: ProblemKind;

  constructor(kind: ProblemKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }

  /** @param kind of what is no problem of ours, where that is known */
  static of(error: unknown, kind: ProblemKind = 'failed'): Problem {
    if (error instanceof Problem) return error;
    const { code, stack } = error as { code?: string; stack?: string };
    const isStuck = ['BUSY', 'CORRUPT', 'TIMEOUT'].includes(code ?? '');
    return new Problem(isStuck ? 'stuck' : kind, stack ?? String(error), { cause: error });
  }
}

/** What a thread's locks name it by, and what the kernel does: its thread id, 0 where there is no /proc. */
export interface Attachment {
  readonly slot: number;
  readonly epoch: number;
  readonly tid: number;
}

/** Messages of the threads, in their order: ready, then (survivors only) the report; or a problem instead. */
export type ThreadMessage =
  | ({ readonly type: 'ready' } & Attachment)
  | { readonly type: 'report'; readonly report: SurvivorReport }
  | { readonly type: 'problem'; readonly kind: ProblemKind; readonly message: string };

export interface SurvivorReport {
  /** Durations of operations, by phase. */
  readonly operations: readonly Durations[];
  readonly locks: LockReport;
  /** Configs that were read and found whole; acknowledged writes that were looked for and found. */
  readonly reads: number;
  readonly acknowledged: number;
  /** Names of its own that stand, with their states. */
  readonly mine: readonly (readonly [id: string, state: number])[];
  readonly ties: TiesReport;
  /** The last letter of each stream that it got. */
  readonly letters: ReadonlyMap<string, number>;
  readonly mail: MailFigures;
  /** Ends of threads that it was told of. */
  readonly ends: number;
  /** Changes of a kind that it was told of. */
  readonly changes: number;
}

/** What a thread sent and got. */
export interface MailFigures {
  readonly sent: number;
  readonly refused: number;
  readonly received: number;
  /** Calls, and letters that waited for room, that had their end. */
  readonly settled: number;
}
