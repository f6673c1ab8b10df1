// npm run example: one of examples/, with `rollcall` from source. See `usage`.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseCommandLine, refuse } from './lib/command-line.ts';
import { root } from './lib/run.ts';

const mainOf = (name: string): string => path.join(root, 'examples', name, 'main.ts');
const names = readdirSync(path.join(root, 'examples')).filter((name) => existsSync(mainOf(name)));
const usage = `npm run example NAME   runs examples/NAME/main.ts, of ${names.join(', ')}

It says what it does, checks it, and ends by itself. Exit code 1: something was not as it should be.`;

const { values, positionals } = parseCommandLine({
  allowPositionals: true,
  options: { help: { type: 'boolean', short: 'h' } },
});

async function main([name, ...others]: readonly string[]): Promise<number> {
  if (name === undefined || others.length > 0) refuse('one example at a time');
  if (!names.includes(name)) refuse(`no example ${name}: there are ${names.join(', ')}`);
  const fromSource = pathToFileURL(path.join(root, 'scripts/lib/from-source.ts')).href;
  // In a process of its own: what it imports first reaches its worker threads, too.
  const child = spawn(process.execPath, ['--import', fromSource, mainOf(name)], { stdio: 'inherit' });
  const [code] = await once(child, 'exit');
  return code ?? 1;
}

if (values.help) console.log(usage);
else process.exitCode = await main(positionals);
