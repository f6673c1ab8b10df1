// Builds dist/: every module of src/ on its own, so that `import.meta.url`, worker entries and shared module state mean
// the same in dist/ as in the source. Only the engine's own workers are bundled, into strings: see `embeddedWorkers`.
import { access, glob, rm } from 'node:fs/promises';
import path from 'node:path';
import { type BuildOptions, build as esbuild, type Plugin } from 'esbuild';
import { root, run } from './lib/run.ts';

const common = {
  absWorkingDir: root,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  bundle: true,
  logLevel: 'warning',
} satisfies BuildOptions;

export async function build(outDir: string): Promise<void> {
  await rm(outDir, { recursive: true, force: true });
  await Promise.all([modules(outDir), declarations(outDir)]);
}

async function modules(outDir: string): Promise<void> {
  const entryPoints = await sources('src/**/*.ts');
  const workers = await embeddedWorkers();
  await esbuild({
    ...common,
    entryPoints,
    outdir: outDir,
    outbase: 'src',
    sourcemap: true,
    packages: 'external',
    define: { ROLLCALL_EMBEDDED_WORKERS: JSON.stringify(workers) },
    plugins: [importsStayImports],
  });
}

/** Each module becomes one file; its relative imports stay imports, of `.js` instead of `.ts`. */
const importsStayImports: Plugin = {
  name: 'imports-stay-imports',
  setup(build) {
    build.onResolve({ filter: /^\.\.?\/.*\.ts$/ }, async ({ path: wanted, kind, resolveDir }) => {
      if (kind === 'entry-point') return undefined;
      await access(path.join(resolveDir, wanted));
      return { path: wanted.replace(/\.ts$/, '.js'), external: true };
    });
  },
};

/**
 * A user who bundles an app around this package moves our code away from our files, and `new URL(…, import.meta.url)`
 * finds nothing there. So the engine carries its worker entries as strings of self-contained source.
 */
async function embeddedWorkers(): Promise<Record<string, string>> {
  const workers: Record<string, string> = {};
  for (const entry of await sources('src/workers/*.worker.ts')) {
    const name = path.basename(entry, '.worker.ts');
    const result = await esbuild({
      ...common,
      entryPoints: [entry],
      minifyWhitespace: true,
      minifySyntax: true,
      write: false,
    });
    workers[name] = result.outputFiles[0].text;
  }
  return workers;
}

async function declarations(outDir: string): Promise<void> {
  await run('tsc', ['--project', 'tsconfig.build.json', '--outDir', outDir]);
}

async function sources(pattern: string): Promise<string[]> {
  return (await Array.fromAsync(glob(pattern, { cwd: root }))).sort();
}

if (import.meta.main) await build(path.join(root, 'dist'));
