// The threads of the death benchmark: an owner of many names, and readers who look some of them up without rest.
import { hrtime } from 'node:process';
import { parentPort, workerData } from 'node:worker_threads';
import { encodeConfig, Registry, type RegistryHandle } from '../../src/engine/index.ts';
import { Table } from '../../src/shared/table.ts';
import { hotNames, kind, nameOf, randomNumbers, sampleConfig } from './fixtures.ts';

export interface DeathData {
  readonly handle: RegistryHandle;
  readonly role: 'owner' | 'reader';
  readonly names: number;
}

/** What a reader saw last, in nanoseconds of the system's monotonic clock. */
export interface LastSeen {
  /** Began a look that found the owner's epoch alive: it was not detected before. */
  readonly ownerAliveNs: number;
  /** Ended a lookup that found a name. */
  readonly answerNs: number;
}

const { handle, role, names } = workerData as DeathData;
const registry = Registry.attach(handle);
const nowNs = (): number => Number(hrtime.bigint());

function own(): void {
  const encoded = encodeConfig(sampleConfig);
  for (let n = 0; n < names; n++) registry.register(kind, nameOf(n), { config: encoded });
  parentPort!.on('message', () => {}); // so that it stays
  parentPort!.postMessage('registered');
}

async function read(): Promise<void> {
  const random = randomNumbers(1);
  const ids = Array.from({ length: hotNames }, () => nameOf(random(names)));
  const { slot, epoch } = registry.whereis(kind, ids[0])!.owner;
  const table = new Table(handle);
  let ownerAliveNs = 0;
  let answerNs = 0;
  let absent = 0;
  let warm = false;
  // Until every name was found absent in one pass; the clock is read around each look at the epoch and each lookup.
  for (let n = 0; absent < ids.length; n = (n + 1) % ids.length) {
    const beganNs = nowNs();
    if (table.owners.epoch(slot) === epoch) ownerAliveNs = beganNs;
    const found = registry.whereis(kind, ids[n]) !== undefined;
    if (found) answerNs = nowNs();
    absent = found ? 0 : absent + 1;
    if (!warm && n === ids.length - 1) {
      warm = true;
      parentPort!.postMessage('reading');
    }
  }
  parentPort!.postMessage({ ownerAliveNs, answerNs } satisfies LastSeen);
  table.detach();
  await registry.close();
}

if (role === 'owner') own();
else await read();
