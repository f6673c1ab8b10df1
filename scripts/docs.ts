// npm run docs: the API reference, as HTML. See `usage`.
import path from 'node:path';
import { cachedInstall } from './lib/cached-install.ts';
import { parseCommandLine } from './lib/command-line.ts';
import { root, run } from './lib/run.ts';

const usage = `npm run docs             writes the API reference to docs/api/index.html
npm run docs -- --check  only checks it: exit code 1 when an export has no description, or a link leads nowhere

npm brings the generator and its own TypeScript to node_modules/.cache at the first time.`;

const { values } = parseCommandLine({
  options: { check: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
});

/** TypeDoc takes TypeScript up to version 6, ours is later: so it has its own. */
const packages = ['typedoc@0.28.20', 'typescript@6.0.3'];
/** What must have a description: fields that say all by their name need none. */
const described = [
  'Class',
  'Interface',
  'TypeAlias',
  'Function',
  'Variable',
  'CallSignature',
  'GetSignature',
  'SetSignature',
];
const entries = ['src/engine/index.ts', 'src/engine/pool.ts', 'src/engine/opentelemetry.ts'];

async function main(): Promise<void> {
  const typedoc = 'node_modules/typedoc/bin/typedoc';
  const home = await cachedInstall('typedoc-0.28.20', packages, typedoc);
  const output = await run(process.execPath, [
    path.join(home, typedoc),
    ...entries.flatMap((entry) => ['--entryPoints', entry]),
    ...['--name', 'Rollcall', '--readme', 'README.md', '--tsconfig', 'tsconfig.json'],
    ...[
      '--excludeInternal',
      '--excludePrivate',
      '--disableSources',
      '--validation.notDocumented',
      '--validation.notExported',
      'false',
    ],
    ...described.flatMap((kind) => ['--requiredToBeDocumented', kind]),
    ...['--treatValidationWarningsAsErrors', ...(values.check ? ['--emit', 'none'] : ['--out', 'docs/api'])],
  ]);
  if (!values.check) console.log(`${output.trimEnd()}\n${path.join(root, 'docs/api/index.html')}`);
}

if (values.help) console.log(usage);
else
  await main().catch((error: Error) => {
    console.error(error.message.trimEnd());
    process.exitCode = 1;
  });
