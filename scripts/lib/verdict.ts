export interface FileResult {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Why the file failed, where that is not a failed test. */
  readonly problem: string;
}

const summary = /^ {2}Total: +(\d+)\r?\n {2}Passed: +(\d+)\r?\n {2}Skipped: +(\d+)\r?\n {2}Duration:/gm;

/**
 * What a test file's output and the way its process ended (`''`: exit code 0) say about it.
 *
 * uvu's exit code is not enough: a file that forgot `test.run()`, one whose `before` hook throws and one that waits for
 * a promise nobody settles all exit with 0. So the printed summary counts, and everything that it does not explain fails.
 */
export function judge(output: string, end: string): FileResult {
  const last = [...output.matchAll(summary)].at(-1);
  if (last === undefined) {
    return { passed: 0, failed: 1, skipped: 0, problem: end === '' ? 'ended without a summary of its tests' : end };
  }
  const [total, passed, skipped] = last.slice(1).map(Number);
  if (total === 0) return { passed, failed: 1, skipped, problem: 'ran no test' };
  const failed = total - passed;
  if (failed > 0 && !output.includes(' FAIL ')) {
    return { passed, failed, skipped, problem: 'a hook threw, of which uvu prints nothing' };
  }
  if (end !== '' && failed === 0) return { passed, failed: 1, skipped, problem: `all tests passed, then it ${end}` };
  return { passed, failed, skipped, problem: failed > 0 && end === 'ended with exit code 1' ? '' : end };
}
