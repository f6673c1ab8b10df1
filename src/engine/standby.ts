import { checkRegisterOptions, checkSignal, type RegisterOptions } from './options.ts';
import type { Registration } from './registration.ts';
import type { TryRegisterResult } from './registry.ts';
import type { Watches } from './watches.ts';

/** Registers a name as soon as nobody has it: see `Registry.standby`. `tryRegister` is the registry's. */
export async function standBy(
  watches: Watches,
  tryRegister: (kind: string, id: string, options: RegisterOptions) => TryRegisterResult,
  kind: string,
  id: string,
  options: RegisterOptions,
): Promise<Registration> {
  checkRegisterOptions(options);
  checkSignal(options.signal);
  for (;;) {
    const result = tryRegister(kind, id, options);
    if (result.ok) return result.registration;
    await watches.absent(kind, id, options.signal);
  }
}
