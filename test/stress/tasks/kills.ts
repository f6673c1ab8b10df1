import { workerData } from 'node:worker_threads';
import { AlreadyRegisteredError, type Owner, Registry, type RegistryHandle } from '../../../src/engine/index.ts';
import { Random } from '../../support/random.ts';
import { checkedConfig, expectWhole } from './configs.ts';

/* A thread that writes without end and may be killed at any moment; or survives, and looks after its own. */

export interface KillsData {
  readonly handle: RegistryHandle;
  readonly seed: number;
  /** Names are shared with all threads; a survivor has some more of its own. */
  readonly names: number;
  readonly survivor: number | undefined;
  /** [0]: set to end the survivors. [1]: operations of the victims. */
  readonly words: Int32Array;
}

export interface SurvivorReport {
  readonly operations: number;
  readonly stallMs: number;
  readonly stalledIn: string;
  readonly reads: number;
}

const { handle, seed, names, survivor, words } = workerData as KillsData;
const registry = Registry.attach(handle);
const random = new Random(seed);
let session: Owner = registry.owner();
let n = 0;
let reads = 0;

/** One operation on a name that everybody writes to. @returns what it was. */
function operate(): string {
  const id = `name ${random.below(names)}`;
  const config = checkedConfig(id, ++n);
  const choice = random.below(20);
  if (choice < 6) {
    const owner = choice < 2 ? session : undefined;
    registry.tryRegister('name', id, { config, owner });
    return 'register';
  }
  if (choice < 11) {
    try {
      registry.update('name', id, config);
    } catch (error) {
      if ((error as { code?: string }).code !== 'NOT_FOUND') throw error;
    }
    return 'update';
  }
  if (choice < 16) {
    registry.unregister('name', id);
    return 'unregister';
  }
  if (choice === 16) {
    session.close();
    session = registry.owner();
    return 'owner';
  }
  if (choice === 17) {
    for (const entry of registry.list('name')) {
      expectWhole(entry.id, entry.config);
      reads++;
    }
    return 'list';
  }
  const entry = choice === 18 ? registry.whereis('name', id) : registry.ref('name', id).current();
  if (entry) expectWhole(id, entry.config);
  reads++;
  return 'whereis';
}

/** Its own names: nobody else touches them, so they have to be there and be what they were last told to be. */
function lookAfterMine(): string {
  const kind = `survivor ${survivor}`;
  const id = `mine ${random.below(20)}`;
  const before = mine.get(id);
  const found = registry.whereis(kind, id);
  if ((found === undefined) !== (before === undefined)) throw new Error(`${kind} ${id} is ${found}, not ${before}`);
  if (found && expectWhole(id, found.config).n !== before) throw new Error(`${kind} ${id} lost its state ${before}`);
  if (before !== undefined && random.below(3) === 0) {
    if (!registry.unregister(kind, id)) throw new Error(`${kind} ${id} is lost`);
    mine.delete(id);
    return 'unregister mine';
  }
  try {
    registry.registerOrUpdate(kind, id, { config: checkedConfig(id, ++n) });
  } catch (error) {
    if (error instanceof AlreadyRegisteredError) throw new Error(`${kind} ${id} was taken by another`);
    throw error;
  }
  mine.set(id, n);
  return 'register mine';
}
const mine = new Map<string, number>();

function survive(): SurvivorReport {
  let operations = 0;
  let stallMs = 0;
  let stalledIn = '';
  for (; Atomics.load(words, 0) === 0; operations++) {
    const started = performance.now();
    const what = operations % 2 ? operate() : lookAfterMine();
    const tookMs = performance.now() - started;
    if (tookMs > stallMs) [stallMs, stalledIn] = [tookMs, what];
  }
  session.close();
  return { operations, stallMs, stalledIn, reads };
}

const { parentPort } = await import('node:worker_threads');
parentPort?.postMessage('ready');
if (survivor !== undefined) {
  const report = survive();
  parentPort?.postMessage({ report, mine: [...mine] });
  parentPort?.once('message', () => process.exit());
} else {
  for (;;) {
    operate();
    Atomics.add(words, 1, 1);
  }
}
