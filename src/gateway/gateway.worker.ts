import { parentPort, workerData } from 'node:worker_threads';
import { GatewayThread } from './gateway-thread.ts';
import type { ThreadData } from './messages.ts';

if (parentPort === null) throw new Error('this file is the entry of a worker thread');
await new GatewayThread(workerData as ThreadData, parentPort).start();
