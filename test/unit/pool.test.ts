import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Registry, RegistryError } from '../../src/engine/index.ts';
import { attachedRegistry, createPool, type PoolOptions } from '../../src/engine/pool.ts';
import { codeOf, refusal } from '../support/errors.ts';
import { temporaryFiles } from '../support/fixtures.ts';

const test = suite('pool');

const registry = await Registry.open({ shards: 1 });
test.after(() => registry.close());

const pool = import.meta.resolve('../../src/engine/pool.ts');
const tasks = temporaryFiles({
  'tasks.mjs': `
    import { attachedRegistry } from ${JSON.stringify(pool)};
    const registry = attachedRegistry();
    export const register = (id) => void registry.register('kind', id);
    export const late = () => registry.register('kind', 'y', { config: () => {} });
    export const own = () => { throw Object.assign(new TypeError('mine'), { code: 'MINE' }); };
    export const caused = () => { throw new Error('outer', { cause: new Error('inner') }); };`,
});
test.after(() => tasks[Symbol.dispose]());
const filename = new URL(`file://${tasks.dir}/tasks.mjs`);

test('a RegistryError that ends a task reaches the caller with its code, name, message and the stack of its thread', async () => {
  await using pool = createPool(registry, { filename, threads: 1 });
  using _ = registry.register('kind', 'taken');
  const error = await pool.run('taken', { name: 'register' }).catch((error) => error);
  assert.instance(error, RegistryError);
  assert.equal([error.code, error.name], ['ALREADY_REGISTERED', 'RegistryError']);
  assert.match(error.message, /^kind "taken" is registered by thread 0/);
  assert.match(error.stack, 'tasks.mjs');
  assert.not('cause' in error);
  assert.is((await pool.run(0, { name: 'late' }).catch((error) => error)).code, 'INVALID_CONFIG');
});

test('errors of others arrive as Piscina brings them', async () => {
  await using pool = createPool(registry, { filename: filename.href, threads: 1 });
  const own = await pool.run(0, { name: 'own' }).catch((error) => error);
  assert.instance(own, TypeError);
  assert.not.instance(own, RegistryError);
  assert.is(own.message, 'mine');
  const caused = await pool.run(0, { name: 'caused' }).catch((error) => error);
  assert.is(caused.cause.message, 'inner');
});

test('threads stay, and so do the names they register, until the pool is closed', async () => {
  const pool = createPool(registry, { filename, threads: 2 });
  await pool.run('x', { name: 'register' });
  assert.is(pool.threads.length, 2);
  assert.ok(registry.has('kind', 'x'));
  await pool.destroy();
  assert.not.ok(registry.has('kind', 'x'));
});

const wrong: Record<string, [options: unknown, says: RegExp]> = {
  'no options': [undefined, /options are an object/],
  'no filename': [{}, /^filename is undefined: the absolute path or file: URL/],
  'a relative filename': [{ filename: './task.js' }, /^filename is '\.\/task\.js'/],
  'a URL that is no file': [{ filename: new URL('https://example.com/task.js') }, /^filename is URL/],
  'no whole number of threads': [{ filename, threads: 1.5 }, /^threads is 1\.5: a whole number from 1/],
  'no thread': [{ filename, threads: 0 }, /^threads is 0/],
  'a maximum of threads': [{ filename, maxThreads: 2 }, /^maxThreads cannot be given: .*`threads`/],
  'a minimum of threads': [{ filename, minThreads: 2 }, /^minThreads cannot be given/],
  'another kind of waiting': [{ filename, atomics: 'sync' }, /^atomics cannot be given/],
  'an end of idle threads': [{ filename, idleTimeout: 10 }, /^idleTimeout cannot be given/],
};

for (const [what, [options, says]] of Object.entries(wrong)) {
  test(`INVALID_OPTION: ${what}`, () => {
    const { code, message } = refusal(() => createPool(registry, options as PoolOptions));
    assert.is(code, 'INVALID_OPTION');
    assert.match(message, says);
  });
}

test('elsewhere there is no attached registry', () => {
  assert.is(codeOf(attachedRegistry), 'INCOMPATIBLE_HANDLE');
});

test.run();
