import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { sampleText } from '../lib/fixtures.ts';
import { addToChecksum, type Contestant } from '../lib/sampler.ts';
import type { Dataset, Peer } from './peer.ts';

const script = path.join(import.meta.dirname, 'ets.escript');

/** gproc-style: one process makes all changes. sharded: 16 tables, changed by whoever calls. See `ets.escript`. */
export type EtsRegistry = 'gproc' | 'sharded';
export type EtsOperation = 'owner' | 'read' | 'update' | 'cycle';

export async function missingErlang(): Promise<string | undefined> {
  const { error } = spawnSync('escript', ['-help']);
  return error && 'there is no escript; to install it: apt-get install erlang-base';
}

/** A running Erlang node that holds the names, does rounds on command and times itself. */
export class Erlang implements AsyncDisposable {
  readonly #child;
  readonly #exit: Promise<unknown>;
  readonly #answers: AsyncIterator<string>;
  /** Resolves when it holds the names. */
  readonly started: Promise<unknown>;

  constructor({ names, hot }: Dataset) {
    const numbers = hot.map((id) => Number(id.slice(id.lastIndexOf('-') + 1)));
    this.#child = spawn('escript', [script, String(names.length), numbers.join(','), sampleText], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#exit = once(this.#child, 'exit');
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    this.started = this.#answer();
  }

  /** @returns operations a nanosecond of all processes together. */
  async rate(registry: EtsRegistry, operation: EtsOperation, processes: number, roundMs: number): Promise<number> {
    const answer = await this.#ask(`round ${registry} ${operation} ${processes} ${Math.ceil(roundMs)}`);
    const [operations, nanoseconds, checksum] = answer.split(' ').map(Number);
    addToChecksum(checksum);
    return operations / nanoseconds;
  }

  /** Milliseconds from the end of a process with so many names until none of them is found. */
  async death(names: number): Promise<number> {
    return Number(await this.#ask(`death ${names}`)) / 1e6;
  }

  async #ask(command: string): Promise<string> {
    this.#child.stdin.write(`${command}\n`);
    return this.#answer();
  }

  async #answer(): Promise<string> {
    const { value, done } = await this.#answers.next();
    if (done) throw new Error('the Erlang node has ended');
    return value;
  }

  /** It halts at the end of its standard input, so also when this process has been killed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    await this.#exit;
  }
}

export const ets: Peer = {
  name: 'Erlang ETS',
  missing: missingErlang,
  async setup(data, resources) {
    const erlang = resources.use(new Erlang(data));
    await erlang.started;
    const contestant = (name: string, registry: EtsRegistry, operation: EtsOperation): Contestant => ({
      name,
      round: async (roundMs) => 1 / (await erlang.rate(registry, operation, 1, roundMs)),
    });
    return {
      lookups: [
        contestant('ETS, gproc-style, owner', 'gproc', 'owner'),
        contestant('ETS, gproc-style, owner and config', 'gproc', 'read'),
        contestant('ETS, 16 tables, owner', 'sharded', 'owner'),
        contestant('ETS, 16 tables, owner and config', 'sharded', 'read'),
      ],
      updates: [
        contestant('ETS, gproc-style, update', 'gproc', 'update'),
        contestant('ETS, 16 tables, update', 'sharded', 'update'),
      ],
      cycles: [
        contestant('ETS, gproc-style, register + unregister', 'gproc', 'cycle'),
        contestant('ETS, 16 tables, register + unregister', 'sharded', 'cycle'),
      ],
    };
  },
};
