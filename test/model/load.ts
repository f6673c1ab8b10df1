import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { transform } from './transform.ts';

const source = path.resolve(import.meta.dirname, '../../src');

/** Modules whose functions run step by step. The rest of what they import is pure, and used as it stands. */
const stepped = [
  'shared/arena.ts',
  'shared/change-log.ts',
  'shared/clock.ts',
  'shared/counter-table.ts',
  'shared/expiry.ts',
  'shared/guard.ts',
  'shared/kinds.ts',
  'shared/lock.ts',
  'shared/name-index.ts',
  'shared/ordering.ts',
  'shared/owners.ts',
  'shared/owner-table.ts',
  'shared/shard-memory.ts',
  'shared/shard-mutations.ts',
  'shared/shard.ts',
  'shared/shard-reader.ts',
  'shared/shard-view.ts',
  'shared/value.ts',
  'shared/watch-bell.ts',
  'engine/answer.ts',
  'engine/entry.ts',
  'engine/kind-index.ts',
  'engine/mortality.ts',
  'engine/resolver.ts',
];

/** The same for messages, where a notification is a step, too. */
export const steppedMessages = [
  'shared/bell.ts',
  'shared/guard.ts',
  'shared/lanes.ts',
  'shared/lock.ts',
  'shared/mailbox.ts',
  'shared/message-body.ts',
  'shared/ordering.ts',
  'shared/owners.ts',
  'shared/owner-table.ts',
  'shared/ring.ts',
  'shared/watch-bell.ts',
];

/** What stands in for modules that ask the system: see runtime.ts. */
const replaced: Record<string, string> = {
  'node:worker_threads': '$runtime.mjs',
  'shared/liveness.ts': '$runtime.mjs',
  'shared/limits.ts': '$limits.mjs',
};

/** A deliberate break of the protocol: a piece of source and what replaces it. */
export interface Mutant {
  readonly name: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** Part of the name of a program that catches it. */
  readonly caughtBy?: string;
  /** Preemptions it takes to catch it: 2 unless said. */
  readonly bound?: number;
}

const loaded: string[] = [];
process.once('exit', () => {
  for (const dir of loaded) rmSync(dir, { recursive: true, force: true });
});

// biome-ignore lint/suspicious/noExplicitAny: the modules' own exports, with generators for functions
export type SteppedSource = Record<string, any>;

/** Loads the source, or a mutant of it, in steps. @returns the exports of all stepped modules together. */
export async function loadStepped(mutant?: Mutant, names: readonly string[] = stepped): Promise<SteppedSource> {
  const dir = mkdtempSync(path.join(tmpdir(), 'rollcall-model-'));
  loaded.push(dir);
  const modules = names.map((name) => {
    const code = readFileSync(path.join(source, name), 'utf8');
    const ours = forTheModel.reduce((patched, change) => patch(patched, name, change), code);
    return { name, source: patch(ours, name, mutant) };
  });
  if (mutant !== undefined && !names.includes(mutant.file)) throw new Error(`${mutant.file} is not run in steps`);
  for (const { name, source: code } of transform(modules, names === steppedMessages)) {
    const file = path.join(dir, name.replace('.ts', '.mjs'));
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, redirectImports(name, code, dir, names));
  }
  const runtime = pathToFileURL(path.join(import.meta.dirname, 'runtime.ts')).href;
  writeFileSync(path.join(dir, '$runtime.mjs'), `export * from '${runtime}';\n`);
  const limits = pathToFileURL(path.join(source, 'shared/limits.ts')).href;
  writeFileSync(
    path.join(dir, '$limits.mjs'),
    `import { limits as real, defaults } from '${limits}';\nexport { defaults };\nexport const limits = { ...real, spinTurns: 0, changesLogged: 2 };\n`,
  );
  const exports = await Promise.all(
    names.map((name) => import(pathToFileURL(path.join(dir, name.replace('.ts', '.mjs'))).href)),
  );
  return Object.assign({}, ...exports);
}

/** The first index has 8 slots instead of 64, so that rebuilds come soon. */
export const INDEX_LOG2 = 3;
/** The word of the header that is the clock: it stands still until a program's operation moves it on. */
export const CLOCK = 63;
/** What is otherwise in the model. */
const forTheModel: readonly Mutant[] = [
  {
    name: 'small index',
    file: 'shared/shard-memory.ts',
    find: 'INDEX_LOG2_FIRST = 6',
    replace: `INDEX_LOG2_FIRST = ${INDEX_LOG2}`,
  },
  {
    name: 'a clock of memory',
    file: 'shared/clock.ts',
    find: 'return Math.floor((monotonicMs() - this.#openedMs) / tickMs) | 0;',
    replace: `return this.words[${CLOCK}];`,
  },
  {
    name: 'the memory of the clock',
    file: 'shared/clock.ts',
    find: '    this.#openedMs = (words',
    replace: '    this.words = words;\n    this.#openedMs = (words',
  },
];

function patch(code: string, name: string, change: Mutant | undefined): string {
  if (change === undefined || change.file !== name) return code;
  const found = code.split(change.find).length - 1;
  if (found !== 1) throw new Error(`"${change.name}": its text is ${found} times in ${name}`);
  return code.replace(change.find, () => change.replace);
}

function redirectImports(name: string, code: string, dir: string, names: readonly string[]): string {
  return code.replace(/from ['"]([^'"]+)['"]/g, (whole, specifier: string) => {
    const target = specifier.startsWith('.') ? path.posix.join(path.posix.dirname(name), specifier) : specifier;
    if (target.endsWith('$runtime.mjs')) return `from '${pathToFileURL(path.join(dir, '$runtime.mjs')).href}'`;
    if (replaced[target]) return `from '${pathToFileURL(path.join(dir, replaced[target])).href}'`;
    if (names.includes(target)) return `from '${pathToFileURL(path.join(dir, target.replace('.ts', '.mjs'))).href}'`;
    return specifier.startsWith('.') ? `from '${pathToFileURL(path.join(source, target)).href}'` : whole;
  });
}
