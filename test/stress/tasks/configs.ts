/** A config that says whether it is whole: `n` tells what the body must be. */
export type Checked = { readonly id: string; readonly n: number; readonly body: string };

/** Sizes from 10 bytes to 40 KB, over all size classes and into chains of pages; every third is of wide characters. */
export function checkedConfig(id: string, n: number): Checked {
  const bytes = [10, 40, 200, 1_000, 5_000, 9_000, 17_000, 40_000][(n * 7 + id.length) % 8];
  // None of these characters does JSON escape.
  const [first, width] = n % 3 === 0 ? [0x4e00, 2] : [0x30, 1];
  return { id, n, body: String.fromCharCode(first + (n % 40)).repeat(bytes / width) };
}

/** @throws when a config is not one that was made for that name, in one piece. */
export function expectWhole(id: string, config: unknown): Checked {
  const { id: written, n, body } = config as Checked;
  if (written !== id) throw new Error(`"${id}" has the config of "${written}"`);
  if (body !== checkedConfig(id, n).body) throw new Error(`the config of "${id}" is torn: ${n}, ${body.slice(0, 20)}`);
  return config as Checked;
}
