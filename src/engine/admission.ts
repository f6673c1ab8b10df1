import { inspect } from 'node:util';
import { AdmissionBit, type Contention, isAdmissionClosed } from '../shared/contention.ts';
import { RegistryError } from '../shared/errors.ts';
import { limits } from '../shared/limits.ts';
import { quote } from '../shared/name-key.ts';
import type { Life } from './life.ts';

/** Whether new names are taken. */
export type AdmissionState = 'open' | 'closed';

/**
 * Whether a registry takes new names. When more than half of its shards (`alarmedPercentMax`) have been alarmed for a second it
 * does not, while lookups, updates and unregistrations go on, so that the load can fall. It takes them again by itself as
 * soon as half are not. The same for all threads.
 */
export class Admission {
  readonly #contention: Contention;
  readonly #life: Life;

  /** @internal Made by `registry.admission`. */
  constructor(contention: Contention, life: Life) {
    this.#contention = contention;
    this.#life = life;
  }

  /** What holds now, by override or by the alarms. */
  get state(): AdmissionState {
    return isAdmissionClosed(this.#contention.admission) ? 'closed' : 'open';
  }

  /** `auto`: as the alarms have it; `forced`: as somebody has said, in whichever thread. */
  get mode(): 'auto' | 'forced' {
    return (this.#contention.admission & ~AdmissionBit.closed) === 0 ? 'auto' : 'forced';
  }

  /** Opens or closes admission for every thread, whatever the alarms say, until `auto`.
   *  @throws {RegistryError} `INVALID_OPTION`, `CLOSED` */
  force(state: AdmissionState): void {
    if (state !== 'open' && state !== 'closed') {
      throw new RegistryError('INVALID_OPTION', `admission is forced 'open' or 'closed', not ${inspect(state)}`);
    }
    this.#force(state === 'open' ? AdmissionBit.forcedOpen : AdmissionBit.forcedClosed);
  }

  /** Leaves it to the alarms again. @throws {RegistryError} `CLOSED` */
  auto(): void {
    this.#force(0);
  }

  #force(bits: number): void {
    this.#life.checkOpen();
    this.#contention.forceAdmission(bits);
  }
}

/** The registry takes no new names for now: see `Admission`. */
export class AdmissionRefusedError extends RegistryError {
  /** Milliseconds after which it is worth trying again. */
  readonly retryAfterMs: number = limits.admissionRetryMs;

  constructor(kind: string, id: string, contention: Contention) {
    const forced = (contention.admission & AdmissionBit.forcedClosed) !== 0;
    const why = forced
      ? "admission is forced closed: registry.admission.auto() or force('open') ends that"
      : `${contention.alarmed()} of ${contention.shards} shards are alarmed for contention: try again later`;
    super('ADMISSION_REFUSED', `register ${kind} ${quote(id)}: ${why}`);
    this.name = 'AdmissionRefusedError';
  }
}
