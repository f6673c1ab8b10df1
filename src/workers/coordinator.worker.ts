import { parentPort, workerData } from 'node:worker_threads';
import { Table } from '../shared/table.ts';
import { Coordinator } from './coordinator.ts';
import type { CoordinatorData } from './coordinator-link.ts';

const { handle, generation } = workerData as CoordinatorData;
const table = new Table(handle, 'coordinator');
const coordinator = new Coordinator(table, handle, generation, () => process.exit());
await coordinator.start();
parentPort?.postMessage('listening');
