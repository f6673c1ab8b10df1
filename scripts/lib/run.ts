import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import path from 'node:path';

/** The repository. */
export const root = path.resolve(import.meta.dirname, '../..');

/** How many processes are worth starting at once. */
export const lanes = Math.min(2, availableParallelism());

/** Runs one command from the repository, its installed tools first on the path; rejects with all it printed. */
export function run(command: string, args: readonly string[], options: { cwd?: string } = {}): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const bin = path.join(root, 'node_modules/.bin');
  const child = spawn(command, args, {
    cwd: options.cwd ?? root,
    env: { ...process.env, PATH: `${bin}${path.delimiter}${process.env.PATH}`, NO_COLOR: '1', FORCE_COLOR: undefined },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const keep = (chunk: string): void => {
    output += chunk;
  };
  child.stdout.setEncoding('utf8').on('data', keep);
  child.stderr.setEncoding('utf8').on('data', keep);
  child.on('error', reject);
  child.on('close', (code, signal) => {
    if (code === 0) resolve(output);
    else reject(new Error(`${command} ${args.join(' ')} ended with ${signal ?? code}\n${output}`));
  });
  return promise;
}
