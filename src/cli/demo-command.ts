import { parseArgs } from 'node:util';
import { type Print, Report } from './demo/report.ts';
import { takeTour } from './demo/tour.ts';
import { demoHelp } from './help.ts';

/** `rollcall demo`: a tour of the registry that checks itself. Resolves to the exit code.
 *  @param tour what is shown, for tests */
export async function demoCommand(args: string[], tour = takeTour, print: Print = console.log): Promise<number> {
  try {
    const { values } = parseArgs({ args, options: { help: { type: 'boolean', short: 'h' } } });
    if (values.help) {
      print(demoHelp);
      return 0;
    }
  } catch (error) {
    console.error(`rollcall demo: ${(error as Error).message} (see rollcall demo --help)`);
    return 2;
  }
  const report = new Report(print);
  try {
    await tour(report);
  } catch (error) {
    report.broke(error);
  }
  return report.end() ? 0 : 1;
}
