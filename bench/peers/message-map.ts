import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { sampleText } from '../lib/fixtures.ts';
import { addToChecksum, type Contestant } from '../lib/sampler.ts';
import type { Peer } from './peer.ts';

/** How the asking thread asks. */
export type Manner = 'sequential' | 'pipelined' | 'batched';

/** From the asking thread: names to look up, or one name to set. */
export type Request = { readonly ids: readonly string[] } | { readonly id: string; readonly config: object };
/** To it: a round to work, or the answer to its oldest request. */
export type Message =
  | { readonly round: Manner | 'update'; readonly roundMs: number }
  | { readonly configs: readonly (object | undefined)[] };
/** From it at the end of a round. */
export interface RoundEnd {
  readonly nanoseconds: number;
  readonly checksum: number;
}

/** The naive registry: a Map in the main thread, which other threads ask by `postMessage`. */
export const messageMap: Peer = {
  name: 'a Map asked by messages',
  missing: async () => undefined,
  async setup({ names, hot }, resources) {
    const map = new Map<string, object>(names.map((id) => [id, JSON.parse(sampleText)]));
    const worker = new Worker(new URL('./message-map.worker.ts', import.meta.url), { workerData: hot });
    resources.defer(async () => void (await worker.terminate()));
    let ended: PromiseWithResolvers<RoundEnd> | undefined;
    worker.on('error', (error) => ended?.reject(error));
    worker.on('message', (message: Request | RoundEnd) => {
      if ('nanoseconds' in message) {
        ended!.resolve(message);
      } else if ('ids' in message) {
        worker.postMessage({ configs: message.ids.map((id) => map.get(id)) } satisfies Message);
      } else {
        map.set(message.id, message.config);
        worker.postMessage({ configs: [] } satisfies Message);
      }
    });
    await once(worker, 'online');
    const contestant = (name: string, round: Manner | 'update'): Contestant => ({
      name,
      async round(roundMs) {
        ended = Promise.withResolvers();
        worker.postMessage({ round, roundMs } satisfies Message);
        const { nanoseconds, checksum } = await ended.promise;
        addToChecksum(checksum);
        return nanoseconds;
      },
    });
    return {
      lookups: [
        contestant('Map asked by messages, one after the other', 'sequential'),
        contestant('Map asked by messages, 100 in flight', 'pipelined'),
        contestant('Map asked by messages, 100 names in each', 'batched'),
      ],
      updates: [contestant('Map changed by messages, one after the other', 'update')],
    };
  },
};
