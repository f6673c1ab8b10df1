import { readFileSync, readlinkSync } from 'node:fs';

/** The calling thread as the kernel knows it; `tid` 0 where the system has no `/proc`. */
export interface KernelThread {
  readonly tid: number;
  /** Clock ticks since boot when it started, cut to 32 bits: with the id it names a thread for good, as ids are reused. */
  readonly startTicks: number;
}

/** Field 22 of a `stat` file; the name in field 2 may hold spaces and brackets, so count from its last bracket. */
function startTicks(stat: string): number {
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]) | 0;
}

/** Identifies the calling thread. Synchronous file calls run on the caller's own kernel thread. */
export function currentKernelThread(): KernelThread {
  if (process.platform !== 'linux') return { tid: 0, startTicks: 0 };
  try {
    const tid = Number(readlinkSync('/proc/thread-self').split('/').at(-1));
    return { tid, startTicks: startTicks(readFileSync(`/proc/self/task/${tid}/stat`, 'latin1')) };
  } catch {
    return { tid: 0, startTicks: 0 };
  }
}

/** Whether the kernel has ended that thread: 'unknown' where it cannot be asked. Takes about 20 µs. `startTicks` 0 means
 *  any thread of that id. */
export function kernelThreadState({ tid, startTicks: started }: KernelThread): 'alive' | 'gone' | 'unknown' {
  if (tid === 0) return 'unknown';
  try {
    const stat = readFileSync(`/proc/self/task/${tid}/stat`, 'latin1');
    return started === 0 || startTicks(stat) === started ? 'alive' : 'gone';
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    return code === 'ENOENT' || code === 'ESRCH' ? 'gone' : 'unknown';
  }
}
