// The other threads of the messages benchmark: one that receives, and senders that flood it.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parentPort, workerData } from 'node:worker_threads';
import { Registry, type RegistryHandle } from '../../src/engine/index.ts';
import { kind } from './fixtures.ts';

export interface MessagesData {
  readonly handle: RegistryHandle;
  readonly role: 'receiver' | 'flooder';
}

/** To the receiver: say what you have counted; watch your event loop, or stop that; send this back. Anything else is counted. */
export type Order = 'count' | 'watch' | { readonly echo: string } | object;

const { handle, role } = workerData as MessagesData;
const registry = Registry.attach(handle);
const port = parentPort!;

function receive(): void {
  let counted = 0;
  let posted = 0;
  const delay = monitorEventLoopDelay({ resolution: 1 });
  registry.messages.receive(() => {
    counted++;
  });
  registry.messages.serve((request) => {
    if (request !== 'count') return request;
    const count = counted;
    counted = 0;
    return count;
  });
  port.on('message', (order: Order) => {
    if (order === 'count') {
      port.postMessage(posted);
      posted = 0;
    } else if (order === 'watch') {
      if (delay.enable()) return;
      delay.disable();
      port.postMessage({ p99Ms: delay.percentile(99) / 1e6, counted });
      delay.reset();
    } else if (typeof order === 'object' && 'echo' in order) port.postMessage(order.echo);
    else posted++;
  });
  registry.register(kind, 'receiver');
}

function flood(): void {
  const text = 'x'.repeat(100);
  for (;;) {
    try {
      registry.messages.route(kind, 'receiver', text);
    } catch {
      // The lane is full, again and again: that is a flood.
    }
  }
}

if (role === 'receiver') receive();
port.postMessage('ready');
if (role === 'flooder') flood();
