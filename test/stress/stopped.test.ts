import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { limits } from '../../src/shared/limits.ts';
import { until } from '../support/waiting.ts';

/*
 * The whole process stands still for longer than any wait of its main thread may take: a laptop that sleeps, a machine
 * that is moved, SIGSTOP. To the process that is a clock which jumps. Nobody has died and nobody has waited.
 */
const test = suite('stopped');

const answer = async (child: ChildProcess) => (await once(child, 'message'))[0];

const isStopped = (child: ChildProcess): boolean => /\) T /.test(readFileSync(`/proc/${child.pid}/stat`, 'latin1'));

async function standStill(child: ChildProcess): Promise<void> {
  await until('it stands still', () => isStopped(child));
  await sleep(limits.lockWaitMainMs + 500);
  child.kill('SIGCONT');
}

if (process.platform === 'linux') {
  test('a process that was stopped goes on as if nothing had been', async () => {
    const child = fork(new URL('./tasks/stopped.ts', import.meta.url));
    try {
      assert.is(await answer(child), 'writing');
      for (let n = 0; n < 2; n++) {
        child.kill('SIGSTOP');
        await standStill(child);
        await sleep(50); // in which it writes
      }
      child.send('report');
      const { failures, lockSteals, names } = await answer(child);
      assert.equal(failures, []);
      assert.is(lockSteals, 0, 'nobody was taken for dead');
      assert.equal(names, ['of the main thread', 'of worker 0', 'of worker 1']);

      child.send('wait');
      const outcome = answer(child);
      await standStill(child);
      assert.equal(await outcome, { outcome: 'done' }, 'standing still is no waiting');
    } finally {
      child.kill('SIGKILL');
    }
  });
}

test('nothing in the engine reads the wall clock, which people and protocols set', () => {
  const source = path.resolve(import.meta.dirname, '../../src');
  // (`hrtime` and `performance` are the monotonic clock.)
  for (const folder of ['shared', 'workers', 'engine']) {
    for (const file of readdirSync(path.join(source, folder))) {
      const code = readFileSync(path.join(source, folder, file), 'utf8');
      assert.not.match(code, /\bDate\b|\btimeOrigin\b/, `${folder}/${file}`);
    }
  }
});

test.run();
