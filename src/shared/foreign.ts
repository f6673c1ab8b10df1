/** Looks at something of the application's (what it threw, mostly) whose own code, getters and proxies may throw again. */
export function attempt<Result>(look: () => Result, otherwise: Result): Result {
  try {
    return look();
  } catch {
    return otherwise;
  }
}
