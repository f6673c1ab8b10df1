import { spawnSync } from 'node:child_process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Registry } from '../../src/engine/index.ts';
import { Thread } from '../support/threads.ts';

const test = suite('opening');

const engine = new URL('../../src/engine/index.ts', import.meta.url).href;

function runScript(source: string, ...flags: string[]): string {
  const script = `import { Registry } from ${JSON.stringify(engine)};\n${source}`;
  const { stdout, stderr } = spawnSync(process.execPath, [...flags, '--input-type=module', '-e', script], {
    encoding: 'utf8',
  });
  return stdout || stderr;
}

test('COORDINATOR_FAILED: where no thread can be started, open says so', () => {
  const source = `await Registry.open().then(() => console.log('open'), (error) => console.log(error.code));`;
  assert.is(runScript(source, '--permission', '--allow-fs-read=*'), 'COORDINATOR_FAILED\n');
});

test('what the application preloads runs in no thread of ours', () => {
  const source = `const registry = await Registry.open(); await registry.close(); console.log('closed');`;
  const preload = 'data:text/javascript,console.log("preloaded")';
  assert.is(runScript(source, '--import', preload), 'preloaded\nclosed\n');
});

test('many open at once', async () => {
  const registries = await Promise.all(Array.from({ length: 10 }, () => Registry.open({ shards: 1 })));
  for (const [n, registry] of registries.entries()) registry.register('kind', 'x', { config: n });
  for (const [n, registry] of registries.entries()) assert.is(registry.whereis('kind', 'x')?.config, n);
  await Promise.all(registries.map((registry) => registry.close()));
});

test('a worker opens one as the main thread does, and its close ends it for the main thread', async () => {
  await using thread = await Thread.start();
  const handle = await thread.run(async (remote) => {
    remote.registry = await remote.Registry.open();
    remote.registry.register('kind', 'x', { config: 'of the worker' });
    return remote.registry.handle;
  });
  const registry = Registry.attach(handle);
  assert.is(registry.whereis('kind', 'x')?.config, 'of the worker');
  assert.is(registry.whereis('kind', 'x')?.owner.threadId, thread.worker.threadId);
  await thread.run(({ registry }) => registry.close());
  assert.ok(registry.closed);
  await registry.close();
});

test('a list that is read slowly tells the owners of the moment it was taken', async () => {
  await using registry = await Registry.open({ shards: 1 });
  const thread = await Thread.start(registry.handle);
  const { threadId } = thread.worker;
  await thread.run(({ registry }) => {
    for (let n = 0; n < 5; n++) registry.register('kind', `${n}`);
  });
  const list = registry.list('kind');
  const owners = [list.next().value?.owner.threadId];
  await thread.end();
  // Its slot gets another tenant as soon as it is swept.
  await using attached = await Thread.start(registry.handle);
  await attached.run(({ registry }) => void registry.register('kind', 'next'));
  for (const { owner } of list) owners.push(owner.threadId);
  assert.equal(owners, Array(5).fill(threadId));
});

test.run();
