import { performance } from 'node:perf_hooks';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { getHeapStatistics } from 'node:v8';
import { createContext, Script } from 'node:vm';
import { parentPort, workerData } from 'node:worker_threads';
import { Registry } from '../../src/engine/index.ts';
import { checkedConfig } from '../stress/tasks/configs.ts';
import { Random } from '../support/random.ts';
import { until } from '../support/waiting.ts';
import { attachmentOf } from './attachment.ts';
import { Counting } from './counting.ts';
import { Durations } from './durations.ts';
import { LockProbe } from './lock-probe.ts';
import { LockWords } from './lock-words.ts';
import { OwnNames } from './own-names.ts';
import { OwnTies } from './own-ties.ts';
import { Post } from './post.ts';
import { type Attachment, Problem, stuckMs, type ThreadData, type ThreadMessage } from './threads.ts';
import { Follower, Vigil } from './vigil.ts';
import { Phase, Row, rowAt, Stop, Word } from './words.ts';
import { kinds, nameOf, Writer } from './writer.ts';

/*
 * A thread that lives on while others are killed: each of its operations has to end, all it reads has to be whole, and
 * what it or a killed thread was told is written has to stay. Some of them are cut short by a time-out again and again,
 * which may leave a lock held and its critical section half-done, and go on living.
 */

const data = workerData as ThreadData;
const { handle, seed, words, row, survivors, victims, listEvery, abandons } = data;
/** Milliseconds a callback may take, at most this; time-outs are whole milliseconds. */
const timeoutMsMax = 3;
/** Operations between two looks at the heap's size. */
const heapEvery = 1 << 14;

const connectTurns = 5;
/** Operations in a turn of the event loop, at most. */
const turnMax = 64;

const probe = new LockProbe(words, survivors);
const registry = Registry.attach(handle);
probe.attached(handle);
const random = new Random(seed);
const writer = new Writer(registry, random, row, listEvery);
const mine = new OwnNames(registry, random, writer, row);
const ties = new OwnTies(registry, random, row);
const counting = new Counting(registry, words, row);
const post = new Post(registry, random, data, fail);
const vigil = new Vigil(registry, fail);
const follower = new Follower(registry, fail);
const operations = Array.from({ length: Phase.phases }, () => new Durations());
const ledgers = Array.from({ length: victims }, (_, n) => registry.ref(kinds.ledger, nameOf('ledger', survivors + n)));
const say = (message: ThreadMessage) => parentPort?.postMessage(message);
let acknowledged = 0;

/** The ledger of a victim's place says what its victims were told is written, or one state more. */
function checkLedger(): void {
  const n = random.below(victims);
  const at = rowAt(survivors + n, Row.acknowledged);
  const told = Atomics.load(words, at);
  const entry = random.below(2) === 0 ? ledgers[n].current() : registry.whereis(kinds.ledger, ledgers[n].id);
  if (!entry) throw new Problem('lost', `"${ledgers[n].id}" is gone, its owner lives`);
  const state = writer.expectWhole(entry);
  const last = Atomics.load(words, at) + 1;
  if (state < told || state > last) {
    throw new Problem('lost', `"${entry.id}" is in state ${state}, told was ${told}, later at most ${last}`);
  }
  acknowledged++;
}

/** What a victim was told is unregistered stays so, and its name is free for the next gift. */
function give(): void {
  const place = survivors + random.below(victims);
  const given = Atomics.load(words, rowAt(place, Row.given));
  if (given !== Atomics.load(words, rowAt(place, Row.gone))) return;
  const id = nameOf('gift', place);
  if (registry.has(kinds.gift, id)) throw new Problem('lost', `"${id}" is back, though unregistered`);
  registry.register(kinds.gift, id, { config: checkedConfig(id, given + 1) });
  Atomics.store(words, rowAt(place, Row.given), given + 1);
  acknowledged++;
}

function operate(): void {
  const choice = random.below(16);
  if (choice < 3) mine.operate();
  else if (choice < 5) ties.operate();
  else if (choice < 6) counting.operate();
  else if (choice < 8) post.operate();
  else if (choice < 10 && victims > 0) checkLedger();
  else if (choice < 11 && victims > 0 && row === 0) give();
  else writer.operate();
}

/** Works until `goOn` says no. */
function work(goOn: () => boolean): void {
  const count = rowAt(row, Row.operations);
  while (goOn()) {
    const started = performance.now();
    operate();
    operations[Atomics.load(words, Word.phase)].add(performance.now() - started);
    if (Atomics.add(words, count, 1) % heapEvery === 0) {
      Atomics.store(words, rowAt(row, Row.heapKilobytes), getHeapStatistics().used_heap_size >>> 10);
    }
  }
}

const stopped = () => Atomics.load(words, Word.stop) !== Stop.no;

/** What is not to be cut short. */
function beginSomething(): void {
  post.begin();
  if (victims > 0) vigil.watch(survivors + random.below(victims));
}

async function workInTurns(): Promise<void> {
  while (!stopped()) {
    let left = 1 + random.below(turnMax);
    work(() => left-- > 0);
    beginSomething();
    await nextTurn();
  }
}

/** The same in callbacks that are cut short, with a turn of the event loop after each. */
async function workInTimeouts(attachment: Attachment): Promise<void> {
  const locks = new LockWords(handle);
  Atomics.store(words, rowAt(row, Row.abandoner), attachment.slot + 1);
  const context = createContext({ callback: () => work(() => true) });
  const script = new Script('callback()');
  while (!stopped()) {
    try {
      script.runInContext(context, { timeout: 1 + random.below(timeoutMsMax) });
    } catch (error) {
      if ((error as { code?: string }).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
    }
    Atomics.add(words, rowAt(row, Row.cuts), 1);
    Atomics.add(words, rowAt(row, Row.abandoned), locks.heldBy(attachment));
    // Mostly it goes on at once. Now and then it has nothing to do, until those who wait have asked for the lock.
    const idle = random.below(16) === 0;
    while (idle && locks.heldBy(attachment) > 0 && !stopped()) await sleep(1);
    if (random.below(2) === 0) await nextTurn();
    mine.settle();
    ties.settle();
    beginSomething();
  }
  // At the end it has no lock: what follows is an audit.
  while (locks.heldBy(attachment) > 0) writer.operate();
}

/** Waits for something that has to come. */
async function expect(what: string, condition: () => boolean): Promise<void> {
  try {
    await until(what, condition, stuckMs);
  } catch (error) {
    throw new Problem('lost', `survivor ${row}: ${(error as Error).message}`);
  }
}

/** Nobody is killed any more. Once nobody sends any more, all has arrived that was sent, and all is told that has happened. */
async function comeToRest(): Promise<void> {
  await post.finish();
  Atomics.add(words, Word.quiet, 1);
  await expect('all are quiet', () => Atomics.load(words, Word.quiet) === survivors);
  await expect('the ends of the killed are told', () => vigil.awaited === 0);
  await expect('a watch tells what there is', () => follower.isRight);
  await expect('the run ends', () => Atomics.load(words, Word.stop) === Stop.watching);
}

function fail(error: unknown): void {
  const { kind, message } = Problem.of(error);
  say({ type: 'problem', kind, message });
}

try {
  const attachment = attachmentOf(registry, row);
  post.inbox.self = attachment;
  // Its socket is connected after a turn or two of the event loop: without it, it could not ask for an abandoned lock.
  for (let turn = 0; turn < connectTurns; turn++) await nextTurn();
  say({ type: 'ready', ...attachment });
  if (abandons) await workInTimeouts(attachment);
  else await workInTurns();
  await comeToRest();
  const { sent, refused, settled, inbox } = post;
  say({
    type: 'report',
    report: {
      operations,
      locks: probe.report,
      reads: writer.reads,
      acknowledged: acknowledged + mine.found + ties.found,
      mine: [...mine.states],
      ties: ties.report,
      letters: inbox.last,
      mail: { sent, refused, settled, received: inbox.received },
      ends: vigil.told,
      changes: follower.changes,
    },
  });
  // What it owns is looked at before it may end.
  parentPort?.once('message', () => process.exit());
} catch (error) {
  fail(error);
}
