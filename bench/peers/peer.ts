import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Contestant } from '../lib/sampler.ts';

/** What every peer is given: names, each with the sample config, and those of them that are hot. */
export interface Dataset {
  readonly names: readonly string[];
  readonly hot: readonly string[];
}

/** Another way to share names between threads. */
export interface Peer {
  readonly name: string;
  /** Why it cannot run here, and how to install it; undefined when it can. */
  missing(): Promise<string | undefined>;
  /** Starts it and puts the names in. What it starts goes to `resources` at once, so that an interruption ends it, too. */
  setup(data: Dataset, resources: AsyncDisposableStack): Promise<Session>;
}

/** A peer at work. */
export interface Session {
  readonly lookups: readonly Contestant[];
  readonly updates: readonly Contestant[];
  /** Registers and unregisters a name again. */
  readonly cycles?: readonly Contestant[];
}

/** For peers that are npm packages. */
export async function missingPackage(name: string): Promise<string | undefined> {
  try {
    await import(name);
    return undefined;
  } catch (error) {
    return `${(error as Error).message}; to install it: npm install -D ${name}`;
  }
}

/** A folder that is removed when it is disposed of. @param parent of the system's temporary files by default */
export async function temporaryFolder(parent = tmpdir()): Promise<AsyncDisposable & { readonly path: string }> {
  const folder = await mkdtemp(path.join(parent, 'rollcall-bench-'));
  return { path: folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

/** Adds up what a loop found, and fails when it found nothing: a peer that answers wrong is no peer. */
export function lengthOf(found: { readonly length: number } | null | undefined): number {
  if (found === undefined || found === null) throw new Error('the peer lost a name');
  return found.length;
}
