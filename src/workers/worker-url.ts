/** Name → source of every worker entry, put in by the build; absent when the source runs as it stands. */
declare const ROLLCALL_EMBEDDED_WORKERS: Readonly<Record<string, string>> | undefined;

/**
 * Where to start the worker thread `name` from. From source that is its file. The package carries each worker's whole
 * code in itself, as a bundler moves our code into files of its own and leaves ours behind.
 */
export function workerUrl(name: string): URL {
  if (typeof ROLLCALL_EMBEDDED_WORKERS === 'undefined') return new URL(`./${name}.worker.ts`, import.meta.url);
  return new URL(`data:text/javascript;base64,${Buffer.from(ROLLCALL_EMBEDDED_WORKERS[name]).toString('base64')}`);
}
