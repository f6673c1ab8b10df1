import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '@modelcontextprotocol/client';
import { GatewayError, messageOf } from './errors.ts';
import { limits } from './limits.ts';

/** Asks a URL upstream from time to time whether it still answers: a dead one closes nothing on our side. */
export class Prober {
  readonly #client: Client;
  #hurry = new AbortController();

  constructor(client: Client) {
    this.#client = client;
  }

  /** A call failed in a way that could be the upstream's end: ask now instead of at the next turn. */
  hurry(): void {
    this.#hurry.abort();
  }

  /**
   * Resolves when `ended` is aborted.
   * @throws {GatewayError} `UPSTREAM_DOWN` after `probeFailuresMax` questions in a row went unanswered.
   */
  async watch(ended: AbortSignal): Promise<void> {
    let failures = 0;
    while (!ended.aborted) {
      // After a failure ask again soon.
      const waitMs = failures === 0 ? limits.probeIntervalMs : limits.restartBackoffMs;
      this.#hurry = new AbortController();
      await delay(waitMs, undefined, { signal: AbortSignal.any([ended, this.#hurry.signal]) }).catch(() => {});
      if (ended.aborted) return;
      try {
        await this.#ask(ended);
        failures = 0;
      } catch (error) {
        failures += 1;
        if (ended.aborted || failures < limits.probeFailuresMax) continue;
        throw new GatewayError('UPSTREAM_DOWN', `it stopped answering: ${messageOf(error)}`, { cause: error });
      }
    }
  }

  /** Whatever the server's protocol allows at any time: `ping` was removed in 2026-07-28. */
  async #ask(signal: AbortSignal): Promise<void> {
    const options = { signal, timeout: limits.housekeepingTimeoutMs };
    if (this.#client.getProtocolEra() === 'modern') await this.#client.discover(options);
    else await this.#client.ping(options);
  }
}
