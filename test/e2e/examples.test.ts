// Every example runs to its end from source, as `npm run example` runs it; what it shows it checks itself.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const test = suite('examples');
const root = path.resolve(import.meta.dirname, '../..');
const deadlineMs = 100_000;

/** What the last line of each says: the end was reached. */
const lastLines: Readonly<Record<string, RegExp>> = {
  'http-server': /^thread \d+ was killed: its sessions are not found, all others go on$/,
  'message-routing': /^the one by the window is down: thread exit$/,
  'piscina-pool': /^302 conversions in 3 threads, the last 300 at the new rate$/,
};

function example(...args: string[]) {
  return spawnSync(process.execPath, [path.join(root, 'scripts/example.ts'), ...args], {
    encoding: 'utf8',
    timeout: deadlineMs,
  });
}

test('all examples are tested, and told of', () => {
  const folders = readdirSync(path.join(root, 'examples'), { withFileTypes: true }).filter((at) => at.isDirectory());
  assert.equal(folders.map(({ name }) => name).sort(), Object.keys(lastLines));
  const readme = readFileSync(path.join(root, 'examples/README.md'), 'utf8');
  for (const { name } of folders) assert.match(readme, `| [${name}](${name})`);
});

for (const [name, lastLine] of Object.entries(lastLines)) {
  test(name, () => {
    const { status, stdout, stderr } = example(name);
    assert.is(stderr, '');
    assert.match(stdout.trimEnd().split('\n').at(-1) ?? '', lastLine);
    assert.is(status, 0);
  });

  test(`${name} imports what its reader can`, () => {
    const dir = path.join(root, 'examples', name);
    for (const file of readdirSync(dir)) {
      for (const [, from] of readFileSync(path.join(dir, file), 'utf8').matchAll(/from '([^']+)'/g)) {
        const isOwn = from.startsWith('./') && existsSync(path.join(dir, from));
        assert.ok(isOwn || /^(node:.*|rollcall(\/piscina)?)$/.test(from), `${file}: ${from}`);
      }
    }
  });
}

test.run();
