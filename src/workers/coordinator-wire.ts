import { timingSafeEqual } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Header } from '../shared/layout.ts';
import type { TableBuffers } from '../shared/table.ts';

/**
 * How threads and the coordinator speak: 20-byte frames over a local socket.
 *
 * A socket, as it is the one thing in Node that a thread can reach without any other thread's help (a port must be
 * handed over by a parent, who may be blocked) and that the system closes when the thread ends, however it ends.
 * ```
 * frame   = secret (8 bytes) | type | slot | epoch (32-bit words; the last two 0 but in a hello)
 * thread  → coordinator   hello            first frame: this socket's end is the end of that slot's attachment of that epoch
 *                         stop             the registry is closed
 * coordinator → thread    welcome          the hello was heard
 *                         recover          if you have abandoned a lock, give it back
 * ```
 * The secret lies in the shared memory: other processes may see the socket's name, not that.
 */
export const FrameType = { hello: 1, stop: 4, recover: 5, welcome: 6 } as const;
/** What a coordinator's thread says to the one that started it: that it is the one, or that another is, and it ends. */
export const CoordinatorMessage = { listening: 'listening', superfluous: 'superfluous' } as const;
export const FRAME_BYTES = 20;
const SECRET_BYTES = 8;

/** The name of a registry's socket. Who listens on it is the coordinator: the system lets one thread at a time. */
export function coordinatorAddress({ control }: TableBuffers): string {
  const identity = Buffer.from(control, Header.identity * 4, 8).toString('hex');
  const name = `rollcall-${process.pid}-${identity}`;
  if (process.platform === 'linux') return `\0${name}`;
  return process.platform === 'win32' ? `\\\\.\\pipe\\${name}` : join(tmpdir(), `${name}.sock`);
}

const secretOf = ({ control }: TableBuffers): Buffer => {
  // A copy: crypto does not take shared memory.
  return Buffer.from(Buffer.from(control, Header.identity * 4 + 8, SECRET_BYTES));
};

interface Frame {
  readonly type: number;
  readonly slot: number;
  readonly epoch: number;
}

export function frame(buffers: TableBuffers, type: number, slot = 0, epoch = 0): Buffer {
  const bytes = Buffer.alloc(FRAME_BYTES);
  secretOf(buffers).copy(bytes);
  bytes.writeInt32LE(type, SECRET_BYTES);
  bytes.writeInt32LE(slot, SECRET_BYTES + 4);
  bytes.writeInt32LE(epoch, SECRET_BYTES + 8);
  return bytes;
}

/** Cuts a socket's bytes into frames. @returns undefined once a frame is not ours: then hang up. */
export function frameReader(buffers: TableBuffers): (chunk: Buffer) => Frame[] | undefined {
  const secret = secretOf(buffers);
  let pending = Buffer.alloc(0);
  return (chunk) => {
    pending = Buffer.concat([pending, chunk]);
    const frames: Frame[] = [];
    while (pending.length >= FRAME_BYTES) {
      if (!timingSafeEqual(pending.subarray(0, SECRET_BYTES), secret)) return undefined;
      const [type, slot, epoch] = [0, 4, 8].map((at) => pending.readInt32LE(SECRET_BYTES + at));
      frames.push({ type, slot, epoch });
      pending = pending.subarray(FRAME_BYTES);
    }
    return frames;
  };
}
