import { sampleText } from '../lib/fixtures.ts';
import { loop } from '../lib/sampler.ts';
import { lengthOf, missingPackage, type Peer } from './peer.ts';

/** What we use of it. (Its own declarations do not compile.) */
interface SharedMap {
  get(key: string): string | undefined;
  set(key: string, value: string): void;
}
type SharedMapClass = new (entriesMax: number, keyCharacters: number, valueCharacters: number) => SharedMap;

/** A Map in a SharedArrayBuffer of a fixed size, guarded by locks. */
export const sharedmap: Peer = {
  name: 'sharedmap',
  missing: () => missingPackage('sharedmap'),
  async setup({ names, hot }) {
    const packageName = 'sharedmap';
    const { default: SharedMap } = (await import(packageName)) as { default: SharedMapClass };
    // Room for one more character than the longest: it writes a zero behind what it stores, into the next entry if need be.
    const map = new SharedMap(Math.ceil(names.length / 0.75), 21, sampleText.length + 1);
    for (const id of names) map.set(id, sampleText);
    const get = loop('sharedmap, get of text', hot.length, () => {
      let sum = 0;
      for (let n = 0; n < hot.length; n++) sum += lengthOf(map.get(hot[n]));
      return sum;
    });
    const set = loop('sharedmap, set of text', hot.length, () => {
      for (let n = 0; n < hot.length; n++) map.set(hot[n], sampleText);
      return hot.length;
    });
    return { lookups: [get], updates: [set] };
  },
};
