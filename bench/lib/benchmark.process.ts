// One benchmark in a process of its own: a heap and compiled code that no other benchmark has shaped.
// Arguments: its name, "quick" or "full". Its outcome goes to the parent as a message.
import { Context, loadBenchmark } from './benchmark.ts';
import type { Outcome } from './results.ts';
import { fullEffort, quickEffort, takeChecksum } from './sampler.ts';

const [name, effort] = process.argv.slice(2);
const context = new Context(name, effort === 'quick' ? quickEffort : fullEffort, (line) => console.log(line));

let ending: Promise<void> | undefined;
/** Ends what the benchmark started, once, in the reverse order. */
const end = (): Promise<void> => {
  ending ??= context.resources.disposeAsync();
  return ending;
};
const interrupted = (exitCode: number) => {
  void end().finally(() => process.exit(exitCode));
};
process.once('SIGINT', () => interrupted(130));
process.once('SIGTERM', () => interrupted(143));
const orphaned = () => interrupted(1);
process.once('disconnect', orphaned);

try {
  const benchmark = await loadBenchmark(name);
  await benchmark.run(context);
  await context.profileMissed();
  await end();
  const outcome: Outcome = { rows: context.rows.all, checksum: takeChecksum() };
  await new Promise((sent) => process.send!(outcome, sent));
} finally {
  await end();
  process.off('disconnect', orphaned);
  if (process.connected) process.disconnect();
}
