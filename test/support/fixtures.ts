import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** Files in a folder of their own outside the tree, gone at the end of the scope. */
export function temporaryFiles(files: Record<string, string>): { readonly dir: string; [Symbol.dispose](): void } {
  const dir = mkdtempSync(path.join(tmpdir(), 'rollcall-test-'));
  for (const [name, content] of Object.entries(files)) writeFileSync(path.join(dir, name), content);
  return { dir, [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }) };
}
