import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { root, run } from './run.ts';

/**
 * A folder under `node_modules/.cache` into which npm has installed packages of exact versions, unless it is there: for
 * tools that must not be in `node_modules` itself.
 * @param file is in the folder when it is whole
 * @throws {Error} when npm cannot bring them
 */
export async function cachedInstall(name: string, packages: readonly string[], file: string): Promise<string> {
  const cache = path.join(root, 'node_modules/.cache/rollcall');
  const home = path.join(cache, name);
  if (existsSync(path.join(home, file))) return home;

  // Installed beside its place and then moved there: an install that is broken off leaves nothing that looks whole.
  await mkdir(cache, { recursive: true });
  const temporary = await mkdtemp(`${home}-`);
  try {
    const options = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund'];
    await run('npm', ['install', '--prefix', temporary, ...options, ...packages]);
    await rename(temporary, home).catch((error: unknown) => {
      if (!existsSync(path.join(home, file))) throw error; // another run was faster
    });
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  return home;
}
