import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { threadId, workerData } from 'node:worker_threads';
import { Registry, RegistryError, type RegistryHandle } from 'rollcall';

const { handle, port } = workerData as { handle: RegistryHandle; port: number };
const registry = Registry.attach(handle);

interface Answer {
  readonly status: number;
  readonly body: object;
}

/** A session lives in the thread that made it: its state is a variable there, and any thread calls it by its name. */
function createSession(): Answer {
  const id = randomUUID();
  const owner = registry.owner();
  let visits = 0;
  registry.messages.serve(
    (method: string) => {
      if (method === 'POST') visits++;
      if (method === 'DELETE') owner.close(); // from now on nobody finds it; this reply still arrives
      return { visits, livesIn: threadId };
    },
    { owner },
  );
  registry.register('session', id, { owner }); // last: whoever finds the name can call it
  return { status: 201, body: { id, thread: threadId } };
}

async function callSession(id: string, method: string): Promise<Answer> {
  try {
    const session = await registry.messages.call<object>('session', id, method);
    return { status: 200, body: { ...session, answeredBy: threadId } };
  } catch (error) {
    // Nobody has that name, or can have it, or its thread died before it replied.
    const isGone = error instanceof RegistryError && ['NOT_FOUND', 'INVALID_NAME', 'OWNER_DEAD'].includes(error.code);
    if (!isGone) throw error;
    return { status: 404, body: { error: 'no such session' } };
  }
}

async function answer(method = 'GET', url = '/'): Promise<Answer> {
  const [, sessions, id] = new URL(url, 'http://localhost').pathname.split('/');
  if (sessions !== 'sessions') return { status: 404, body: { error: 'try POST /sessions' } };
  if (!['GET', 'POST', 'DELETE'].includes(method)) return { status: 405, body: { error: 'GET, POST or DELETE' } };
  if (id) return callSession(id, method);
  if (method === 'POST') return createSession();
  return { status: 200, body: { sessions: registry.count('session') } };
}

const server = createServer(async ({ method, url }, response) => {
  const { status, body } = await answer(method, url).catch((error: Error): Answer => {
    return { status: 500, body: { error: error.message } };
  });
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
});

// `reusePort`: each thread has a socket of its own on that port, and the system spreads connections over them.
server.listen({ port, host: '127.0.0.1', reusePort: true }, () => {
  const { port } = server.address() as AddressInfo;
  registry.register('listener', String(threadId), { config: { port } });
});
