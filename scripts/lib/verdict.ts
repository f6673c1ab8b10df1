export interface FileResult {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Why the file failed, where that is not a failed test. */
  readonly problem: string;
  /** The failed tests, by suite and name. */
  readonly failures: readonly string[];
}

const summary = /^ {2}Total: +(\d+)\r?\n {2}Passed: +(\d+)\r?\n {2}Skipped: +(\d+)\r?\n {2}Duration:/gm;
const failure = /^ {3}FAIL {2}(.+?)\r?$/gm;

/**
 * What a test file's output and the way its process ended (`''`: exit code 0) say about it.
 *
 * uvu's exit code is not enough: a file that forgot `test.run()`, one whose `before` hook throws and one that waits for
 * a promise nobody settles all exit with 0. So the printed summary counts, and everything that it does not explain fails.
 */
export function judge(output: string, end: string): FileResult {
  const failures = [...output.matchAll(failure)].map(([, test]) => test);
  const last = [...output.matchAll(summary)].at(-1);
  if (last === undefined) {
    const problem = end === '' ? 'ended without a summary of its tests' : end;
    return { passed: 0, failed: 1, skipped: 0, problem, failures };
  }
  const [total, passed, skipped] = last.slice(1).map(Number);
  const failed = total - passed;
  const verdict = (failed: number, problem: string) => ({ passed, failed, skipped, problem, failures });
  if (total === 0) return verdict(1, 'ran no test');
  if (failed > 0 && failures.length === 0) return verdict(failed, 'a hook threw, of which uvu prints nothing');
  if (end !== '' && failed === 0) return verdict(1, `all tests passed, then it ${end}`);
  return verdict(failed, failed > 0 && end === 'ended with exit code 1' ? '' : end);
}
