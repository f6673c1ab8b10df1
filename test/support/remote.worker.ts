import { parentPort, workerData } from 'node:worker_threads';
import { Registry, type RegistryHandle } from '../../src/engine/index.ts';
import type { Remote } from './threads.ts';

/* The far side of `Thread`: runs the functions it is sent, one after the other. */

const handle: RegistryHandle | undefined = workerData.handle;
const remote: Remote = {
  Registry,
  registry: handle && Registry.attach(handle),
  kept: {},
} as Remote;

parentPort?.on('message', async ({ source, argument }: { source: string; argument: unknown }) => {
  try {
    const task = new Function(`return ${source}`)();
    parentPort?.postMessage({ result: await task(remote, argument) });
  } catch (error) {
    const { code, message, stack } = error as Error & { code?: string };
    parentPort?.postMessage({ error: { code, message, stack } });
  }
});
parentPort?.postMessage({ result: 'ready' });
