// Printers in threads of their own. The main thread finds them by name and talks to them by messages and calls.
import assert from 'node:assert/strict';
import { Worker } from 'node:worker_threads';
import { balance, Registry } from 'rollcall';
import type { Command, Status } from './printer.worker.ts';

await using registry = await Registry.open();
const { messages, groups } = registry;

const ids = ['north', 'south', 'west'];
const printers = new Map(
  ids.map((id) => {
    const workerData = { handle: registry.handle, id };
    return [id, new Worker(new URL('./printer.worker.ts', import.meta.url), { workerData })];
  }),
);
for await (const members of groups.watch('printers')) if (members.length === ids.length) break; // all are ready

// A message to a name: sent and gone. What one thread sends another arrives in that order.
for (const page of [1, 2, 3]) messages.route('printer', 'north', { print: `page ${page}` } satisfies Command);

// A call has a reply. It was sent after the pages, so they were printed before.
const status = (id: string): Promise<Status> => messages.call<Status>('printer', id, 'status', { timeoutMs: 30_000 });
assert.deepEqual(await status('north'), { id: 'north', printed: ['page 1', 'page 2', 'page 3'], paused: false });
console.log('north printed three pages, in their order');

// A call to one of several, each in turn.
const any = balance(ids, 'round robin');
const turns = [];
for (let n = 0; n < 6; n++) turns.push((await messages.call<Status>('printer', any, 'status')).id);
assert.deepEqual(turns, [...ids, ...ids]);

// A message to all members of a group, ahead of what else waits for them, and of all that is sent later.
const sent = messages.broadcast(groups.members('printers'), { pause: true } satisfies Command, { urgent: true });
assert.equal(sent, 3);
for (const id of ids) assert.equal((await status(id)).paused, true);
console.log(`all ${sent} members of the group are paused`);

// A monitor tells of an end, once, with the reason; from then on the name is nobody's.
const monitor = registry.monitor({ kind: 'printer', id: 'south' }, { tag: 'the one by the window' });
await printers.get('south')?.terminate();
const { tag, reason } = await monitor.down;
assert.deepEqual({ tag, reason }, { tag: 'the one by the window', reason: 'thread exit' });
await assert.rejects(status('south'), { code: 'NOT_FOUND' });
assert.deepEqual(
  groups
    .members('printers')
    .map(({ id }) => id)
    .sort(),
  ['north', 'west'],
);
console.log(`${tag} is down: ${reason}`);

for (const printer of printers.values()) await printer.terminate();
