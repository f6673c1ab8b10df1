// Four threads, one port. Any of them answers for any session, wherever that session lives.
import assert from 'node:assert/strict';
import { startServer } from './server.ts';

await using server = await startServer({ threads: 4 });
console.log(`${server.threads.size} threads listen at ${server.url}`);

/** A connection of its own for each request, so that the system spreads them over the threads. */
async function request(method: string, path: string): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(server.url + path, { method, headers: { connection: 'close' } });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

// Sessions begin wherever their first request arrives.
const sessions: { id: string; thread: number }[] = [];
for (let n = 0; n < 40; n++) {
  const { status, body } = await request('POST', '/sessions');
  assert.equal(status, 201);
  sessions.push({ id: String(body.id), thread: Number(body.thread) });
}

// Later requests arrive anywhere, and each of them counts.
let elsewhere = 0;
for (const { id, thread } of sessions) {
  for (let visits = 1; visits <= 5; visits++) {
    const { status, body } = await request('POST', `/sessions/${id}`);
    assert.deepEqual({ status, visits: body.visits, livesIn: body.livesIn }, { status: 200, visits, livesIn: thread });
    if (body.answeredBy !== thread) elsewhere++;
  }
}
assert.ok(elsewhere > 0, 'some requests arrive where their session does not live');
console.log(`${sessions.length} sessions visited 5 times each; ${elsewhere} visits arrived at another thread`);

// A session that has ended is gone at once, for every thread.
for (const { id } of sessions.splice(0, 4)) {
  assert.equal((await request('DELETE', `/sessions/${id}`)).status, 200);
  assert.equal((await request('GET', `/sessions/${id}`)).status, 404);
}

// A thread that dies takes its sessions along, and nothing else.
const { thread: dead } = sessions[0];
await server.kill(dead);
for (const { id, thread } of sessions) {
  const { status } = await request('GET', `/sessions/${id}`);
  assert.equal(status, thread === dead ? 404 : 200);
}
console.log(`thread ${dead} was killed: its sessions are not found, all others go on`);
