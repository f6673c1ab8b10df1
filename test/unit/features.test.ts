import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const test = suite('features');
const root = path.resolve(import.meta.dirname, '../..');

/** What a cell of the table names: test files, each with the titles that follow it. */
function proofsIn(cell: string): { file: string; titles: string[] }[] {
  return [...cell.matchAll(/`?(test\/[\w/-]+\.test\.ts)`?([^`]*)/g)].map(([, file, rest]) => ({
    file,
    titles: [...rest.matchAll(/"([^"]+)"/g)].map(([, title]) => title),
  }));
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
    for (const title of titles) assert.ok(code.includes(title.replace(/\s?…$/, '')), `${file}: ${title}`);
  }
});

test.run();
