// @timeout 300
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { seedOfRun } from '../support/random.ts';
import { heading, locksOfTheKilled, reportOf } from '../torture/report.ts';
import { torture } from '../torture/run.ts';

/*
 * Threads that do nothing but write, send and count are killed at random moments, so often that many die with a lock in their hands;
 * one of those who live on is cut short by time-outs inside critical sections. Every operation of the living ends, what
 * they read is whole, what anybody was told is written, sent or counted stays and is there once, what the killed owned is gone, and in the
 * end nothing has leaked. `npm run torture` does it for longer.
 */
const test = suite('torture');
const kills = 60;

test(`${kills} threads are killed while they write`, async () => {
  const options = {
    seed: seedOfRun(),
    kills,
    minutes: 0,
    threads: 6,
    entries: 0,
    shards: 2,
    abandon: true,
    controlSeconds: 1,
  };
  const started = performance.now();
  const tally = await torture(options, new AbortController().signal);
  console.log(heading(options));
  console.log(reportOf(tally, (performance.now() - started) / 1000));
  assert.equal(tally.problems, []);
  assert.is(tally.kills, kills);
  for (const { living, empty } of tally.accounts) {
    for (const { records, pages, lanes, counters } of [living, empty]) {
      for (const { used, free, total } of [records, pages, lanes, counters]) assert.is(used + free, total);
    }
    assert.equal([empty.records.used, empty.pages.used, empty.lanes.used, empty.valueBytes], [0, 0, 0, 0]);
  }
  assert.is(tally.accounts.length, 2);
  // One kill in ten leaves a lock held: that not one of so many does is out of the question.
  assert.ok(locksOfTheKilled(tally).all > 0, 'locks were taken over from the dead');
  assert.ok(tally.abandoned > 0, 'locks were abandoned alive');
  assert.ok(tally.locks.ofShards.takenBack + tally.locks.ofShards.recovered > 0, 'and came back');
  assert.ok(tally.reads > 1_000 && tally.acknowledged > 1_000, 'survivors worked');
  assert.ok(tally.received > 1_000 && tally.settled > 100 && tally.counted > 1_000, 'and sent, called and counted');
  assert.ok(tally.ends > kills && tally.changes > 100, 'and were told of ends and of changes');
});

test('a run that is interrupted audits what it has come to, and says how far that is', async () => {
  const script = path.resolve(import.meta.dirname, '../../scripts/torture.ts');
  const child = spawn(process.execPath, [script, '--kills', '100000', '--threads', '3', '--control-seconds', '0']);
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    if (output === '') child.kill('SIGINT'); // its heading: it has begun
    output += chunk;
  });
  const [code] = await once(child, 'close');
  assert.match(output, /0 failed\ninterrupted after [\d,]+ of 100,000 kills\n$/);
  assert.is(code, 130);
});

test.run();
