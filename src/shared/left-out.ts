import { serialize } from 'node:v8';

/** How `v8.serialize` writes `{}`. */
const emptyObject = Buffer.from('o{\0');
const emptyClone = serialize({});

/** Objects looked at where the bytes give no cause for more: then it costs some 2 % of the clone's making. */
const LOOKED_AT = 64;

/**
 * What `v8.serialize` has silently left out of a clone, if anything: it throws for none of these.
 * - Objects of the platform that live outside JavaScript's heap (`URL`, `Headers`, `Blob`): `{}` stands for them, so in the
 *   clone there is an empty object.
 * - A `WebAssembly.Module` leaves no trace; who reads the clone fails. So it is looked for among a few objects only;
 *   one among many others is found by its reader.
 */
export function leftOut(value: unknown, clone: Buffer): object | undefined {
  const suspicious = clone.includes(emptyObject);
  const found: unknown[] = [value];
  const seen = new Set<object>();
  // Each object takes a byte at least: getters that go on making others do not keep it here.
  const max = suspicious ? clone.length : LOOKED_AT;
  while (found.length > 0 && seen.size < max) {
    const one = found.pop();
    if (typeof one !== 'object' || one === null || seen.has(one)) continue;
    seen.add(one);
    if (isLeftOut(one, suspicious)) return one;
    addContents(one, clone.length, found);
  }
  return undefined;
}

function isLeftOut(one: object, suspicious: boolean): boolean {
  if (Array.isArray(one)) return false;
  const prototype = Object.getPrototypeOf(one);
  if (prototype === Object.prototype || prototype === null) return false;
  if (Object.prototype.toString.call(one) === '[object WebAssembly.Module]') return true;
  if (!suspicious || Object.keys(one).length > 0 || !emptyClone.equals(serialize(one))) return false;
  try {
    // An instance of a class without fields is `{}` there, too.
    return Object.getPrototypeOf(structuredClone(one)) !== Object.prototype;
  } catch {
    return true;
  }
}

/** Adds what an object is made of, as far as that can be objects. */
function addContents(one: object, bytes: number, to: unknown[]): void {
  const add = (part: unknown): void => {
    if (typeof part === 'object' && part !== null) to.push(part);
  };
  if (ArrayBuffer.isView(one)) return;
  if (Array.isArray(one) && one.length <= bytes) {
    // Not a sparse one, in which each element would take a byte.
    for (let n = 0; n < one.length; n++) add(one[n]);
    return;
  }
  if (one instanceof Map) for (const [key, value] of one) [key, value].forEach(add);
  else if (one instanceof Set) one.forEach(add);
  else if (one instanceof Error) add(one.cause);
  for (const key in one) add((one as Record<string, unknown>)[key]);
}
