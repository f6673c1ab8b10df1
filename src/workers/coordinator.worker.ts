import { parentPort, workerData } from 'node:worker_threads';
import { Coordinator } from './coordinator.ts';

// Nothing to say when another coordinator listens: this thread then ends by itself.
if (await Coordinator.start(workerData)) parentPort?.postMessage('listening');
