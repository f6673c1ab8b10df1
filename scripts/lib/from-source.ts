// For `node --import`: in every thread `rollcall` is the source here, as elsewhere it is the package that was installed.
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './run.ts';

const { name, exports } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));

/** What the package exports, by how it is imported: the module that the build makes that of. */
const sources = new Map(
  Object.entries<{ default?: string }>(exports).flatMap(([subpath, { default: built }]) => {
    const source = built?.replace(/^\.\/dist\/(.*)\.js$/, './src/$1.ts');
    return source === undefined ? [] : [[path.posix.join(name, subpath), pathToFileURL(path.join(root, source)).href]];
  }),
);

registerHooks({
  resolve: (specifier, context, next) => next(sources.get(specifier) ?? specifier, context),
});
