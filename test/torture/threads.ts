import type { RegistryHandle } from '../../src/engine/index.ts';
import type { Durations } from './durations.ts';
import type { LockReport } from './lock-probe.ts';
import type { Words } from './words.ts';

/* What the threads of a torture run are told, and what they answer. */

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
export type ProblemKind = 'stuck' | 'torn' | 'lost' | 'leaked' | 'failed';

export class Problem extends Error {
  readonly kind: ProblemKind;

  constructor(kind: ProblemKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }

  static of(error: unknown): Problem {
    if (error instanceof Problem) return error;
    const { code, stack } = error as { code?: string; stack?: string };
    const kind = code === 'BUSY' || code === 'CORRUPT' ? 'stuck' : 'failed';
    return new Problem(kind, stack ?? String(error), { cause: error });
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
}
