import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const test = suite('features');
const root = path.resolve(import.meta.dirname, '../..');

/** What a row names: test files, each with the titles that follow it. */
function proofsIn(row: string): { file: string; titles: string[] }[] {
  const parts = row.split(/`?(test\/[\w/-]+\.test\.ts)`?/).slice(1);
  return parts.flatMap((file, n) =>
    n % 2 === 1 ? [] : [{ file, titles: [...parts[n + 1].matchAll(/"([^"]+)"/g)].map(([, title]) => title) }],
  );
}

test('every test that docs/FEATURES.md names exists', () => {
  const rows = readFileSync(path.join(root, 'docs/FEATURES.md'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('|'));
  const proofs = rows.flatMap(proofsIn);
  assert.ok(proofs.length > 30, `${proofs.length} are named`);
  for (const { file, titles } of proofs) {
    assert.ok(existsSync(path.join(root, file)), file);
    // Titles may be templates, and span what the code has between quotes.
    const code = readFileSync(path.join(root, file), 'utf8').replaceAll("\\'", "'");
    for (const title of titles)
      for (const part of title.split('…')) assert.ok(code.includes(part.trim()), `${file}: ${title}`);
  }
});

test.run();
