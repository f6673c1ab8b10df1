import { lookup } from 'node:dns/promises';
import { createServer, type ListenOptions } from 'node:net';
import { GatewayError, messageOf } from './errors.ts';

export interface Place {
  /** A numeric address: every thread must bind the same one, whatever a name resolves to next time. */
  address: string;
  port: number;
  /** False where the system cannot share a port (macOS, Windows): then one thread listens for all. */
  reusePort: boolean;
}

/**
 * Finds out whether the threads will be able to listen, before any is started.
 *
 * The probe binds *without* `reusePort`: with it, the kernel would let us share the port with another process that
 * also set it, and half of the clients would reach that one. Port 0 picks a free port, since all threads need the same.
 * @throws {GatewayError} `PORT_TAKEN` or `CANNOT_LISTEN`.
 */
export async function findPlace(host: string, port: number): Promise<Place> {
  const address = await resolveHost(host);
  const bound = await tryListen({ host: address, port, exclusive: true }).catch((error: NodeJS.ErrnoException) => {
    throw listenError(error, host, port);
  });
  const reusePort = await tryListen({ host: address, port: 0, reusePort: true }).then(
    () => true,
    () => false,
  );
  return { address, port: bound, reusePort };
}

/** The message a person needs when a port cannot be had. */
export function listenError(error: NodeJS.ErrnoException, host: string, port: number): GatewayError {
  const options = { cause: error };
  if (error.code === 'EADDRINUSE') {
    const next = port < 65_535 ? port + 1 : port - 1;
    const advice = `Stop the program that holds it, or choose another: --port ${next}, or --port 0 for any free port.`;
    return new GatewayError('PORT_TAKEN', `Port ${port} on ${host} is already taken. ${advice}`, options);
  }
  if (error.code === 'EACCES') {
    const advice = 'Ports below 1024 usually need privileges: choose a higher one with --port.';
    return new GatewayError('CANNOT_LISTEN', `This user may not listen on port ${port} of ${host}. ${advice}`, options);
  }
  const advice = 'Is --host an address of this machine?';
  return new GatewayError(
    'CANNOT_LISTEN',
    `Cannot listen on ${host} port ${port}: ${messageOf(error)}. ${advice}`,
    options,
  );
}

/** `http://…` with brackets around IPv6. */
export function httpUrl(host: string, port: number, path: string): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}${path}`;
}

async function resolveHost(host: string): Promise<string> {
  try {
    return (await lookup(host)).address;
  } catch (error) {
    throw new GatewayError('CANNOT_LISTEN', `--host ${host}: no such host (${messageOf(error)})`, { cause: error });
  }
}

function tryListen(options: ListenOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(options, () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
