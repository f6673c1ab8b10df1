import { parentPort, workerData } from 'node:worker_threads';
import { Coordinator } from './coordinator.ts';
import { CoordinatorMessage } from './coordinator-wire.ts';

const coordinator = await Coordinator.start(workerData);
parentPort?.postMessage(coordinator === undefined ? CoordinatorMessage.superfluous : CoordinatorMessage.listening);
