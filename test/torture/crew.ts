import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { type Attachment, Problem, type SurvivorReport, type ThreadData, type ThreadMessage } from './threads.ts';

const entries = { victim: './victim.worker.ts', survivor: './survivor.worker.ts' } as const;

/** Several times what a thread needs. With no limit V8 takes more and more before it collects, and no leak could be told
 *  from that. */
const resourceLimits = { maxYoungGenerationSizeMb: 16, maxOldGenerationSizeMb: 128 };

/** A thread of a torture run, seen from the main thread. */
export class CrewMember {
  readonly worker: Worker;
  /** Node forgets it when the worker ends. */
  readonly threadId: number;
  readonly row: number;
  /** Once it is ready. */
  attachment: Attachment = { slot: -1, epoch: 0, tid: 0 };
  /** It is ready, and nobody has begun to end it. */
  lives = false;
  readonly #ready: PromiseWithResolvers<void> = Promise.withResolvers();
  readonly #report: PromiseWithResolvers<SurvivorReport> = Promise.withResolvers();

  constructor(role: keyof typeof entries, data: ThreadData, fail: (problem: Problem) => void) {
    this.worker = new Worker(new URL(entries[role], import.meta.url), { workerData: data, resourceLimits });
    this.threadId = this.worker.threadId;
    this.row = data.row;
    for (const { promise } of [this.#ready, this.#report]) promise.catch(() => {}); // `fail` is told, too
    const end = (problem: Problem) => {
      this.#ready.reject(problem);
      this.#report.reject(problem);
    };
    const broken = (problem: Problem) => {
      end(problem);
      fail(problem);
    };
    this.worker.on('message', (message: ThreadMessage) => {
      if (message.type === 'ready') {
        this.attachment = message;
        this.lives = true;
        this.#ready.resolve();
      } else if (message.type === 'report') this.#report.resolve(message.report);
      else broken(new Problem(message.kind, `${role} ${data.row}: ${message.message}`));
    });
    this.worker.on('error', (error: Error) => broken(new Problem('failed', `${role} ${data.row}: ${error.stack}`)));
    this.worker.on('exit', () => end(new Problem('failed', `${role} ${data.row} has ended`)));
  }

  /** Resolves when it has attached. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** Resolves with what a survivor found, once it was told to stop. */
  get report(): Promise<SurvivorReport> {
    return this.#report.promise;
  }

  /** Ends it, wherever it is. */
  async kill(): Promise<void> {
    this.lives = false;
    await this.worker.terminate();
  }

  /** Lets a survivor end that has reported. */
  async dismiss(): Promise<void> {
    this.lives = false;
    const exit = once(this.worker, 'exit');
    this.worker.postMessage('end');
    await exit;
  }
}
