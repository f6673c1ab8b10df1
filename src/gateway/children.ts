import { limits } from './limits.ts';
import { killGroup } from './process-group.ts';

/**
 * The stdio children of all threads, known to the main thread.
 *
 * A thread that crashes cannot end its children, and its event loop can no longer reap them: their entries stay in the
 * process table, as zombies, until this process ends. They are few (one per upstream and crash) and hold nothing.
 */
export class Children {
  readonly #pids = new Map<number, Set<number>>();
  /** Told to leave, but perhaps still there. */
  readonly #orphans = new Set<number>();
  readonly #onExit = (): void => this.killAll();

  constructor() {
    // Whatever way this process ends, short of SIGKILL, it takes its children along.
    process.on('exit', this.#onExit);
  }

  note(thread: number, pid: number, alive: boolean): void {
    const pids = this.#pids.get(thread) ?? new Set();
    this.#pids.set(thread, pids);
    if (alive) pids.add(pid);
    else pids.delete(pid);
  }

  /** Ends what the thread has left behind: politely, then not. */
  threadDied(thread: number): void {
    const orphans = this.#pids.get(thread) ?? [];
    this.#pids.delete(thread);
    for (const pid of orphans) {
      killGroup(pid, 'SIGTERM');
      this.#orphans.add(pid);
      setTimeout(() => {
        // The pid cannot have gone to another process meanwhile: nobody has reaped it.
        if (this.#orphans.delete(pid)) killGroup(pid, 'SIGKILL');
      }, limits.childExitMs).unref();
    }
  }

  killAll(): void {
    for (const pids of [...this.#pids.values(), this.#orphans]) for (const pid of pids) killGroup(pid, 'SIGKILL');
    this.#pids.clear();
    this.#orphans.clear();
  }

  close(): void {
    this.killAll();
    process.off('exit', this.#onExit);
  }
}
