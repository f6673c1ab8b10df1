import type { Accounts } from './accounts.ts';
import { Durations } from './durations.ts';
import type { Dying } from './dying.ts';
import { LockProbe, LockReport } from './lock-probe.ts';
import type { MemorySample } from './memory.ts';
import type { Problem, ProblemKind, SurvivorReport } from './threads.ts';
import { Phase } from './words.ts';

/** What a run has counted so far, over all its registries. */
export class Tally {
  kills = 0;
  /** Kills after which a lock was found held when the thread had exited: nobody had waited for it meanwhile. */
  killsHolding = 0;
  /** Locks of shards that were taken from whoever had them, by all threads. */
  steals = 0;
  operations = 0;
  victimOperations = 0;
  /** Configs that survivors read and found whole; acknowledged writes that they looked for and found. */
  reads = 0;
  acknowledged = 0;
  /** Callbacks cut short, and locks left held by them. */
  cuts = 0;
  abandoned = 0;
  /** Names of the living that were found when a thread had been killed. */
  listed = 0;
  /** Letters that were told to be sent, that were refused, and that arrived at survivors, together with what was said of them; of those, what
   *  killed or cut-off senders were not told. Calls and waits for room that had their end. */
  sent = 0;
  refused = 0;
  received = 0;
  receivedUntold = 0;
  settled = 0;
  /** What was counted in counters, and of that what those who counted were not told. */
  counted = 0;
  countedUntold = 0;
  /** Ends of threads that monitors were told of, and changes that watches were. */
  ends = 0;
  changes = 0;
  /** From `terminate()` to the thread's exit. */
  readonly terminations: Durations = new Durations();
  /** Of that, on a processor; and ready for one that others had. */
  readonly dyingRan: Durations = new Durations();
  readonly dyingQueued: Durations = new Durations();
  /** Operations of survivors, by phase. */
  readonly phases: readonly Durations[] = Array.from({ length: Phase.phases }, () => new Durations());
  /** What survivors saw of their locks. */
  readonly locks: LockReport = new LockReport();
  /** What the main thread sees of its own. */
  readonly probe: LockProbe = new LockProbe();
  readonly problems: Problem[] = [];
  /** Of each registry: at rest, with what survivors own, and after all was unregistered. */
  readonly accounts: { readonly living: Accounts; readonly empty: Accounts }[] = [];
  readonly memory: MemorySample[] = [];

  add({ operations, locks, reads, acknowledged, mail, ends, changes }: SurvivorReport): void {
    for (const [phase, durations] of operations.entries()) this.phases[phase].merge(durations);
    this.locks.merge(locks);
    this.reads += reads;
    this.acknowledged += acknowledged;
    this.sent += mail.sent;
    this.refused += mail.refused;
    this.received += mail.received;
    this.settled += mail.settled;
    this.ends += ends;
    this.changes += changes;
  }

  addDeath(ms: number, dying: Dying | undefined): void {
    this.kills++;
    this.terminations.add(ms);
    if (dying === undefined) return;
    this.dyingRan.add(dying.ranMs);
    this.dyingQueued.add(dying.queuedMs);
  }

  note(problem: Problem): void {
    this.problems.push(problem);
  }

  count(kind: ProblemKind): number {
    return this.problems.filter((problem) => problem.kind === kind).length;
  }
}
