import { type Admission, AdmissionRefusedError } from './admission.ts';
import { checkRegisterOptions, checkSignal, type RegisterOptions } from './options.ts';
import type { Registration } from './registration.ts';
import type { TryRegisterResult } from './registry.ts';
import type { Watches } from './watches.ts';

/** Registers a name as soon as nobody has it and new names are taken: see `Registry.standby`. `tryRegister` is the registry's. */
export async function standBy(
  watches: Watches,
  admission: Admission,
  tryRegister: (kind: string, id: string, options: RegisterOptions) => TryRegisterResult,
  kind: string,
  id: string,
  options: RegisterOptions,
): Promise<Registration> {
  checkRegisterOptions(options);
  checkSignal(options.signal);
  for (;;) {
    try {
      const result = tryRegister(kind, id, options);
      if (result.ok) return result.registration;
    } catch (error) {
      if (!(error instanceof AdmissionRefusedError)) throw error; // that one passes
    }
    const owner = options.owner;
    const isDead = () => owner?.alive === false; // which is said by the next try
    await watches.until((absent) => isDead() || (absent && admission.state === 'open'), kind, id, options.signal);
  }
}
