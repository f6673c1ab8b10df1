import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { Registry } from '../../src/engine/index.ts';
import { auditEmptyOnceSwept, auditOnceSwept } from '../support/bookkeeping.ts';
import type { Random } from '../support/random.ts';
import { until } from '../support/waiting.ts';
import { accountsOf, openLanes } from './accounts.ts';
import { Correspondence } from './correspondence.ts';
import { CrewMember } from './crew.ts';
import { watchDying } from './dying.ts';
import { LockWords } from './lock-words.ts';
import { sampleMemory } from './memory.ts';
import { survivorsOf, type TortureOptions, victimsOf } from './options.ts';
import { expectTies } from './own-ties.ts';
import { messageBytesMax } from './post.ts';
import type { Tally } from './tally.ts';
import { Problem, type ProblemKind, stuckMs } from './threads.ts';
import { Vigil } from './vigil.ts';
import { Witness } from './witness.ts';
import { Phase, Row, rowAt, Stop, tortureWords, Word, type Words } from './words.ts';

const lookEveryMs = 1_000;
/** Operations of a victim before it is killed, at most. */
const victimOperationsMax = 600;
/** Of so many operations one lists a kind, which reads every record: seldom, when there are very many. */
const listEvery = 24;
const listEveryOfMany = 50_000;

/** Rows that are in use or not yet free, for each thread that lives: a guess that leaves room. */
const rowsPerThread = 4;
/** Those of all threads: the one that counts for all, and the one that keeps what owners counted. */
const sharedCounters = 2;

/** What one registry goes through, and who hears of it. */
export interface RoundPlan {
  readonly options: TortureOptions;
  /** Of this registry. */
  readonly kills: number;
  readonly controlSeconds: number;
  readonly random: Random;
  readonly tally: Tally;
  /** Ends the round early. */
  readonly signal: AbortSignal;
}

/** One registry, from its opening to its audit, and the threads that fight over it. */
export class Round {
  readonly #plan: RoundPlan;
  readonly #tally: Tally;
  readonly #registry: Registry;
  readonly #witness: Witness;
  readonly #correspondence: Correspondence;
  readonly #vigil: Vigil;
  readonly #locks: LockWords;
  readonly #words: Words;
  readonly #survivors: number;
  readonly #victims: number;
  readonly #crew = new Set<CrewMember>();
  readonly #before: Readonly<Pick<Tally, 'steals'>>;
  /** By row: operations at the last look, and when there were new ones. */
  readonly #seen: { operations: number; atMs: number }[];
  #killsLeft: number;
  #reported = false;

  /** Kills so many threads; fewer when something is wrong or the signal says so. What it finds is in the tally. */
  static async run(plan: RoundPlan): Promise<void> {
    const { tally, options } = plan;
    await using registry = await Registry.open({ shards: options.shards, alarmedPercentMax: 100, messageBytesMax });
    tally.probe.attached(registry.handle);
    const round = new Round(plan, registry);
    const watch = setInterval(() => round.#look(), lookEveryMs);
    try {
      await round.#run();
      round.#look();
    } catch (error) {
      tally.note(Problem.of(error));
    } finally {
      clearInterval(watch);
      await Promise.all([...round.#crew].map((member) => member.kill()));
      tally.probe.detached();
    }
  }

  private constructor(plan: RoundPlan, registry: Registry) {
    this.#plan = plan;
    this.#tally = plan.tally;
    this.#registry = registry;
    this.#locks = new LockWords(registry.handle);
    this.#survivors = survivorsOf(plan.options);
    this.#victims = victimsOf(plan.options);
    const size = { survivors: this.#survivors, victims: this.#victims };
    const rows = Array.from({ length: size.survivors + size.victims }, (_, row) => row);
    const fail = (error: unknown) => plan.tally.note(Problem.of(error));
    this.#words = tortureWords(size);
    this.#witness = new Witness(registry, this.#words, plan.options.entries, rows);
    this.#correspondence = new Correspondence(this.#words, size);
    this.#vigil = new Vigil(registry, fail);
    this.#before = { steals: plan.tally.steals };
    this.#killsLeft = plan.kills;
    this.#seen = rows.map(() => ({ operations: 0, atMs: 0 }));
  }

  async #run(): Promise<void> {
    const { options, controlSeconds } = this.#plan;
    const victimRows = Array.from({ length: this.#victims }, (_, n) => this.#survivors + n);
    this.#witness.prepare(victimRows);
    // One by one: the first never abandons a lock, and is connected when others do, so that it can ask for them.
    const survivors: CrewMember[] = [];
    for (let row = 0; row < this.#survivors; row++) survivors.push(await this.#start(row));
    const victims = await Promise.all(victimRows.map((row) => this.#start(row)));
    await this.#rest(performance.now() + controlSeconds * 1000);
    Atomics.store(this.#words, Word.phase, Phase.kills);
    const started = performance.now();
    await Promise.all(victims.map((victim) => this.#killOneByOne(victim, started)));
    await this.#rest(started + options.minutes * 60_000);
    if (this.#tally.problems.length === 0) await this.#finish(survivors);
  }

  get #isOver(): boolean {
    return this.#plan.signal.aborted || this.#tally.problems.length > 0;
  }

  /** Lets the threads work until then. */
  async #rest(untilMs: number): Promise<void> {
    while (performance.now() < untilMs && !this.#isOver) await sleep(20);
  }

  async #start(row: number): Promise<CrewMember> {
    const { options, random, tally } = this.#plan;
    const member = new CrewMember(
      row < this.#survivors ? 'survivor' : 'victim',
      {
        handle: this.#registry.handle,
        seed: random.below(2 ** 31),
        words: this.#words,
        row,
        survivors: this.#survivors,
        victims: this.#victims,
        listEvery: options.entries > 0 ? listEveryOfMany : listEvery,
        abandons: options.abandon && row % 2 === 1,
      },
      (problem) => tally.note(problem),
    );
    this.#crew.add(member);
    // First of all who hear of its end: the registry frees its locks next.
    member.worker.once('exit', () => {
      this.#crew.delete(member);
      if (row >= this.#survivors && this.#locks.heldBy(member.attachment) > 0) tally.killsHolding++;
    });
    await member.ready;
    if (row >= this.#survivors) this.#vigil.watch(row);
    this.#seen[row].atMs = performance.now();
    return member;
  }

  /** Kills the victim of one place, and each that comes after it; the last lives on. */
  async #killOneByOne(first: CrewMember, startedMs: number): Promise<void> {
    const { kills, options, random, tally } = this.#plan;
    for (let victim = first; this.#killsLeft > 0 && !this.#isOver; victim = await this.#start(victim.row)) {
      const n = kills - this.#killsLeft--;
      await this.#rest(startedMs + (n / kills) * options.minutes * 60_000);
      const goal = this.#operationsOf(victim.row) + random.below(victimOperationsMax);
      await until('a victim works', () => this.#operationsOf(victim.row) >= goal || this.#isOver, stuckMs);
      if (this.#isOver) return;
      const terminated = performance.now();
      const dying = watchDying(victim.attachment.tid);
      await victim.kill();
      tally.addDeath(performance.now() - terminated, await dying);
      tally.listed += this.#expectGone(victim);
    }
  }

  /** @returns names of the living that were listed. */
  #expectGone(victim: CrewMember): number {
    this.#correspondence.close(victim);
    this.#witness.expectMembers(victim, this.#crew);
    return this.#witness.expectGone(victim);
  }

  async #finish(survivors: readonly CrewMember[]): Promise<void> {
    const tally = this.#tally;
    const victims = [...this.#crew].filter(({ row }) => row >= this.#survivors);
    void this.#witness.followCrew().catch((error) => tally.note(Problem.of(error)));
    await Promise.all(victims.map((victim) => victim.kill()));
    for (const victim of victims) this.#expectGone(victim);
    Atomics.store(this.#words, Word.stop, Stop.work);
    await this.#expect('lost', 'the ends of the killed are told', () => this.#vigil.awaited === 0);
    await this.#expect('lost', 'a watch tells who lives', () => this.#witness.isToldOf(survivors));
    await this.#expect(
      'stuck',
      'survivors are quiet',
      () => Atomics.load(this.#words, Word.quiet) === survivors.length,
    );
    await this.#visit(survivors);
    await this.#expect('leaked', 'lanes of the dead are given back, and all others read', () =>
      this.#lanesRest(survivors),
    );
    Atomics.store(this.#words, Word.stop, Stop.watching);
    const reports = await Promise.all(survivors.map(({ report }) => report));
    this.#reported = true;
    for (const report of reports) tally.add(report);
    for (const survivor of survivors) this.#correspondence.close(survivor);
    this.#correspondence.settle(reports.map(({ letters }) => letters));
    tally.receivedUntold += this.#correspondence.untold;
    tally.ends += this.#vigil.told;
    for (const [row, { mine, ties }] of reports.entries()) {
      this.#witness.expectStates(`survivor ${row}`, mine);
      expectTies(this.#registry, row, ties);
    }
    this.#witness.expectEntries();
    const kept = this.#witness.expectCounts();
    tally.counted += this.#witness.counted;
    tally.countedUntold += this.#witness.countedUntold;
    await this.#audit(survivors);
    this.#witness.expectKept(kept);
  }

  async #audit(survivors: readonly CrewMember[]): Promise<void> {
    const { accounts } = this.#tally;
    try {
      await auditOnceSwept(this.#registry.handle);
      const living = accountsOf(this.#registry);
      for (const survivor of survivors) await survivor.dismiss();
      await auditEmptyOnceSwept(this.#registry, this.#witness.kinds(survivors.length));
      await until('the rows of counters are free', () => accountsOf(this.#registry).counters.used === sharedCounters);
      const empty = accountsOf(this.#registry);
      if (empty.lanes.used !== 0) throw new Error(`${empty.lanes.used} lanes of the dead are in use`);
      accounts.push({ living, empty });
    } catch (error) {
      throw new Problem('leaked', (error as Error).stack ?? String(error), { cause: error });
    }
  }

  /** Opens a lane to each survivor: now it also finds one that a sender had opened who was killed before it could say so. */
  async #visit(survivors: readonly CrewMember[]): Promise<void> {
    await using visitor = Registry.attach(this.#registry.handle);
    for (const { attachment } of survivors) await visitor.messages.callTo(attachment, 0, { timeoutMs: stuckMs });
  }

  /** Whether the lanes of dead senders were given back, all between the living are read, and there are no more than there can be. */
  #lanesRest(survivors: readonly CrewMember[]): boolean {
    const { used, total } = openLanes(this.#registry);
    // A sender has one for each row at most; and of rows there are some more than threads, as a dead one's is free a moment later.
    const threads = survivors.length + this.#victims;
    const lanesMax = threads * rowsPerThread * threads * rowsPerThread;
    if (total > lanesMax)
      throw new Problem('leaked', `${total} lanes were made, of which at most ${lanesMax} had to be`);
    return used.every(({ senderLives, receiverLives, waitingBytes }) => {
      return senderLives && (!receiverLives || waitingBytes === 0);
    });
  }

  /** Waits for something that has to come. */
  async #expect(kind: ProblemKind, what: string, condition: () => boolean): Promise<void> {
    try {
      await until(what, () => condition() || this.#isOver, stuckMs);
    } catch (error) {
      throw Problem.of(error, kind);
    }
  }

  /** Whoever waits for that survivor gets a rejection. */
  #stuck(row: number): void {
    this.#tally.note(new Problem('stuck', `survivor ${row} has done nothing for ${stuckMs} ms`));
    for (const member of this.#crew) if (member.row === row) void member.worker.terminate();
  }

  #operationsOf(row: number): number {
    return Atomics.load(this.#words, rowAt(row, Row.operations)) >>> 0;
  }

  /** Counts what was done since the last look, takes a sample of memory, and notices who does nothing any more. */
  #look(): void {
    const tally = this.#tally;
    const now = performance.now();
    for (const [row, seen] of this.#seen.entries()) {
      const operations = this.#operationsOf(row);
      const done = (operations - seen.operations) >>> 0;
      if (row < this.#survivors) tally.operations += done;
      else tally.victimOperations += done;
      if (done > 0 || seen.atMs === 0) seen.atMs = now;
      seen.operations = operations;
      if (row < this.#survivors && !this.#reported && now - seen.atMs > stuckMs) this.#stuck(row);
    }
    tally.steals =
      this.#before.steals + this.#registry.partitionStats().reduce((sum, shard) => sum + shard.lockSteals, 0);
    const sum = (field: number) =>
      this.#seen.reduce((sum, _, row) => sum + Atomics.exchange(this.#words, rowAt(row, field), 0), 0);
    tally.cuts += sum(Row.cuts);
    tally.abandoned += sum(Row.abandoned);
    // Only a long run on one registry tells a trend; else the latest sample will do.
    if (this.#plan.options.minutes === 0) tally.memory.pop();
    tally.memory.push(sampleMemory(this.#registry, this.#words, this.#survivors));
  }
}
