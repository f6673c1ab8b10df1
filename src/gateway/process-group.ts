import { setTimeout as delay } from 'node:timers/promises';
import { limits } from './limits.ts';

/** Signals a child that leads its own process group, with all it started. False if nobody was left to signal. */
export function killGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(process.platform === 'win32' ? pid : -pid, signal);
  } catch {
    return false;
  }
}

/**
 * Ends what an exited child has left behind in its group: politely, and after `graceMs` not. Resolves when nobody is
 * left. The number of a group is not given to another process while the group has members.
 */
export async function endGroup(pid: number, graceMs: number): Promise<void> {
  // Where there are no groups, the child was alone in it.
  if (process.platform === 'win32' || !killGroup(pid, 'SIGTERM')) return;
  const end = performance.now() + graceMs;
  while (killGroup(pid, 0)) {
    if (performance.now() > end) {
      killGroup(pid, 'SIGKILL');
      return;
    }
    // Grandchildren are not ours to wait for: all that can be done is to ask again.
    await delay(limits.pollMs);
  }
}
