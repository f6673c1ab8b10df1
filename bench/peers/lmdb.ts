import { existsSync } from 'node:fs';
import { sampleText } from '../lib/fixtures.ts';
import { loop } from '../lib/sampler.ts';
import { lengthOf, missingPackage, type Peer, temporaryFolder } from './peer.ts';

/** A memory-mapped B+tree. In memory where the system has a folder for that, and never flushed: as fast as it goes. */
export const lmdb: Peer = {
  name: 'lmdb',
  missing: () => missingPackage('lmdb'),
  async setup({ names, hot }, resources) {
    const folder = resources.use(await temporaryFolder(existsSync('/dev/shm') ? '/dev/shm' : undefined));
    const { open } = await import('lmdb');
    const store = resources.adopt(
      open<Buffer, string>({ path: folder.path, encoding: 'binary', noSync: true, mapSize: 2 ** 30 }),
      (opened) => opened.close(),
    );
    const value = Buffer.from(sampleText);
    await store.transaction(() => {
      for (const id of names) void store.put(id, value);
    });
    const get = loop('lmdb, get of bytes', hot.length, () => {
      let sum = 0;
      for (let n = 0; n < hot.length; n++) sum += lengthOf(store.get(hot[n]));
      return sum;
    });
    const put = loop('lmdb, put, 1,000 in a batch', hot.length, async () => {
      let last: Promise<boolean> | undefined;
      for (let n = 0; n < hot.length; n++) last = store.put(hot[n], value);
      return (await last) ? 1 : 0;
    });
    return { lookups: [get], updates: [put] };
  },
};
