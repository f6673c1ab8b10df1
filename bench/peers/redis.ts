import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { sampleText } from '../lib/fixtures.ts';
import { loop } from '../lib/sampler.ts';
import { lengthOf, missingPackage, type Peer, temporaryFolder } from './peer.ts';

const PIPELINE = 100;
const START_MS_MAX = 10_000;

/** Ends the server when this process has ended, by whatever cause: then the shell's standard input ends. */
const guarded = `trap '' INT TERM; "$@" & read -r _; kill $!; wait $!`;

/** A server on a Unix socket in a folder of its own, with nothing written to disk. */
export const redis: Peer = {
  name: 'Redis through ioredis',
  async missing() {
    if (spawnSync('redis-server', ['--version']).error) {
      return 'there is no redis-server; to install it: apt-get install redis-server';
    }
    return missingPackage('ioredis');
  },
  async setup({ names, hot }, resources) {
    const folder = resources.use(await temporaryFolder());
    const socket = path.join(folder.path, 'redis.sock');
    const options = ['--port', '0', '--unixsocket', socket, '--save', '', '--appendonly', 'no', '--dir', folder.path];
    const server = spawn('sh', ['-c', guarded, 'sh', 'redis-server', ...options], {
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    const exit = once(server, 'exit');
    resources.defer(async () => {
      server.stdin.end();
      await exit;
    });
    const deadlineMs = performance.now() + START_MS_MAX;
    while (!existsSync(socket)) {
      if (server.exitCode !== null || performance.now() > deadlineMs) throw new Error('redis-server did not start');
      await sleep(10);
    }
    const { Redis } = await import('ioredis');
    const client = resources.adopt(new Redis({ path: socket }), (open) => open.disconnect());

    const load = client.pipeline();
    for (const id of names) load.set(id, sampleText);
    await load.exec();

    const get = loop('Redis, get, one after the other', hot.length, async () => {
      let sum = 0;
      for (let n = 0; n < hot.length; n++) sum += lengthOf(await client.get(hot[n]));
      return sum;
    });
    const getPipelined = loop('Redis, get, pipelines of 100', hot.length, async () => {
      let sum = 0;
      for (let n = 0; n < hot.length; n += PIPELINE) {
        const pipeline = client.pipeline();
        for (let m = n; m < n + PIPELINE; m++) pipeline.get(hot[m]);
        for (const [, text] of (await pipeline.exec())!) sum += lengthOf(text as string | null);
      }
      return sum;
    });
    const set = loop('Redis, set, one after the other', hot.length, async () => {
      let sum = 0;
      for (let n = 0; n < hot.length; n++) sum += (await client.set(hot[n], sampleText)).length;
      return sum;
    });
    const setPipelined = loop('Redis, set, pipelines of 100', hot.length, async () => {
      let sum = 0;
      for (let n = 0; n < hot.length; n += PIPELINE) {
        const pipeline = client.pipeline();
        for (let m = n; m < n + PIPELINE; m++) pipeline.set(hot[m], sampleText);
        sum += (await pipeline.exec())!.length;
      }
      return sum;
    });
    return { lookups: [get, getPipelined], updates: [set, setPipelined] };
  },
};
