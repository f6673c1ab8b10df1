import { cp, mkdir, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { build } from './build.ts';
import { root, run } from './lib/run.ts';

/**
 * Builds and packs what would be published, and answers the tarball's path.
 * All of it happens under `workDir`: the dist/ of the repository may be in use by others.
 */
export async function pack(workDir: string): Promise<string> {
  const stage = path.join(workDir, 'stage');
  await mkdir(stage, { recursive: true });
  await build(path.join(stage, 'dist'));
  const wanted = /^(package\.json|LICENSE|docs|examples|.*\.md)$/; // of these npm takes what `files` says
  for (const name of (await readdir(root)).filter((name) => wanted.test(name))) {
    await cp(path.join(root, name), path.join(stage, name), { recursive: true });
  }
  await run('npm', ['pack', '--ignore-scripts', '--pack-destination', workDir], { cwd: stage });
  const { name, version } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8'));
  return path.join(workDir, `${name}-${version}.tgz`);
}
