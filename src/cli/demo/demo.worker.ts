import { parentPort, workerData } from 'node:worker_threads';
import { Registry } from '../../engine/index.ts';
import type { Answer } from './servers.ts';
import { type Here, tasks } from './tasks.ts';
import type { MapAnswer, Task, ThreadData } from './thread.ts';

const { handle, name, done } = workerData as ThreadData;
const registry = Registry.attach(handle);

const asked: ((threadId: number | undefined) => void)[] = [];
parentPort?.on('message', ({ threadId }: MapAnswer) => asked.shift()?.(threadId)).unref();

const here: Here = {
  registry,
  askMap: (id) => {
    parentPort?.postMessage(id);
    const { promise, resolve } = Promise.withResolvers<number | undefined>();
    asked.push(resolve);
    return promise;
  },
  copy: new Map(),
  answers: [],
  onAnswer: () => {},
  done,
};

registry.messages.serve(({ task, argument }: Task) => tasks[task](here, argument as never));
registry.messages.receive((answer: Answer) => {
  here.answers.push(answer);
  here.onAnswer();
});
registry.register('thread', name);
