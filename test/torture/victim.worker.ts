import { setImmediate as nextTurn } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { Registry } from '../../src/engine/index.ts';
import { checkedConfig } from '../stress/tasks/configs.ts';
import { Random } from '../support/random.ts';
import { attachmentOf } from './attachment.ts';
import { Counting } from './counting.ts';
import { Post } from './post.ts';
import { Problem, type ThreadData, type ThreadMessage } from './threads.ts';
import { Row, rowAt } from './words.ts';
import { kinds, nameOf, Writer } from './writer.ts';

/*
 * A thread that writes, counts, sends and receives without end, until it is killed. What it was told is done stays done, so it says so in shared words
 * after each such write: a later state of its ledger, or a gift that it unregistered. Both are owned by threads that live.
 */

const data = workerData as ThreadData;
const { handle, seed, words, row, listEvery } = data;
/** Operations in a turn of the event loop, at most. */
const turnMax = 32;
const registry = Registry.attach(handle);
const random = new Random(seed);
const say = (message: ThreadMessage) => parentPort?.postMessage(message);

function keepLedger(): void {
  const id = nameOf('ledger', row);
  const at = rowAt(row, Row.acknowledged);
  const state = Atomics.load(words, at) + 1;
  const config = checkedConfig(id, state);
  if (random.below(2) === 0) registry.update(kinds.ledger, id, config);
  else if (!registry.compareAndUpdate(kinds.ledger, id, registry.whereis(kinds.ledger, id)?.version ?? 0, config)) {
    throw new Problem('lost', `"${id}", which only this thread updates, has changed between two calls`);
  }
  Atomics.store(words, at, state);
}

function takeGift(): void {
  const given = Atomics.load(words, rowAt(row, Row.given));
  if (given === Atomics.load(words, rowAt(row, Row.gone))) return;
  // A victim before this one may have done it and died before it could say so.
  registry.unregister(kinds.gift, nameOf('gift', row));
  Atomics.store(words, rowAt(row, Row.gone), given);
}

function fail(error: unknown): void {
  const { kind, message } = Problem.of(error);
  say({ type: 'problem', kind, message });
}

try {
  const post = new Post(registry, random, data, fail);
  const attachment = attachmentOf(registry, row);
  post.inbox.self = attachment;
  const writer = new Writer(registry, random, row, listEvery);
  const counting = new Counting(registry, words, row);
  say({ type: 'ready', ...attachment });
  for (;;) {
    for (let left = 1 + random.below(turnMax); left > 0; left--) {
      const choice = random.below(16);
      if (choice < 2) keepLedger();
      else if (choice < 4) takeGift();
      else if (choice < 6) post.operate();
      else if (choice < 7) counting.operate();
      else writer.operate();
      Atomics.add(words, rowAt(row, Row.operations), 1);
    }
    post.begin();
    await nextTurn();
  }
} catch (error) {
  fail(error);
}
