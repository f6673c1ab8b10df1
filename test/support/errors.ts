import { RegistryError, type RegistryErrorCode } from '../../src/engine/index.ts';

/** The code and message of the `RegistryError` that a call throws; fails when it throws none. */
export function refusal(call: () => unknown): { code: RegistryErrorCode; message: string } {
  try {
    call();
  } catch (error) {
    if (error instanceof RegistryError) return { code: error.code, message: error.message };
    throw error;
  }
  throw new Error('the call was not refused');
}

/** Only the code. */
export function codeOf(call: () => unknown): RegistryErrorCode {
  return refusal(call).code;
}
