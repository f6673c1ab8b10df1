// The thread that asks the Map of the main thread.
import { parentPort, workerData } from 'node:worker_threads';
import { sampleConfig } from '../lib/fixtures.ts';
import type { Manner, Message, Request, RoundEnd } from './message-map.ts';

const IN_FLIGHT = 100;
const hot = workerData as readonly string[];
const port = parentPort!;
let answered: ((configs: readonly (object | undefined)[]) => void) | undefined;

/** How many names a request has, and how many requests are on their way at once. */
const manners: Record<Manner | 'update', { readonly names: number; readonly inFlight: number }> = {
  sequential: { names: 1, inFlight: 1 },
  pipelined: { names: 1, inFlight: IN_FLIGHT },
  batched: { names: IN_FLIGHT, inFlight: 1 },
  update: { names: 1, inFlight: 1 },
};

/** Passes over the hot names, at least one, until the time is over. */
async function work(round: Manner | 'update', roundMs: number): Promise<RoundEnd> {
  const startedMs = performance.now();
  let checksum = 0;
  let passes = 0;
  do {
    checksum += await pass(round);
    passes++;
  } while (performance.now() - startedMs < roundMs);
  return { nanoseconds: ((performance.now() - startedMs) * 1e6) / (passes * hot.length), checksum };
}

/** Asks for every hot name once; an answer sends the next request. */
function pass(round: Manner | 'update'): Promise<number> {
  const { names, inFlight } = manners[round];
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  let sent = 0;
  let received = 0;
  let checksum = 0;
  const send = () => {
    if (sent >= hot.length) return;
    const request: Request =
      round === 'update' ? { id: hot[sent], config: sampleConfig } : { ids: hot.slice(sent, sent + names) };
    sent += names;
    port.postMessage(request);
  };
  answered = (configs) => {
    for (const config of configs) {
      if (config === undefined) return reject(new Error('the peer lost a name'));
      checksum += (config as typeof sampleConfig).port & 1;
    }
    received += names;
    if (received >= hot.length) resolve(checksum + received);
    else send();
  };
  for (let n = 0; n < inFlight; n++) send();
  return promise;
}

port.on('message', (message: Message) => {
  if ('configs' in message) return answered!(message.configs);
  void work(message.round, message.roundMs).then((end) => port.postMessage(end));
});
