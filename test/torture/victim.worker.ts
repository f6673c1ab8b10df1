import { parentPort, workerData } from 'node:worker_threads';
import { Registry } from '../../src/engine/index.ts';
import { checkedConfig } from '../stress/tasks/configs.ts';
import { Random } from '../support/random.ts';
import { attachmentOf } from './attachment.ts';
import { Problem, type ThreadData, type ThreadMessage } from './threads.ts';
import { Row, rowAt } from './words.ts';
import { kinds, nameOf, Writer } from './writer.ts';

/*
 * A thread that writes without end, until it is killed. What it was told is done stays done, so it says so in shared words
 * after each such write: a later state of its ledger, or a gift that it unregistered. Both are owned by threads that live.
 */

const { handle, seed, words, row, listEvery } = workerData as ThreadData;
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

try {
  const attachment = attachmentOf(registry, row);
  const writer = new Writer(registry, random, row, listEvery);
  say({ type: 'ready', ...attachment });
  for (;;) {
    const choice = random.below(8);
    if (choice === 0) keepLedger();
    else if (choice === 1) takeGift();
    else writer.operate();
    Atomics.add(words, rowAt(row, Row.operations), 1);
  }
} catch (error) {
  const { kind, message } = Problem.of(error);
  say({ type: 'problem', kind, message });
}
