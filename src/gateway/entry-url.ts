/** The URL of a file beside this one: `.ts` when running from source, `.js` from dist. */
export function entryUrl(name: string): URL {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return new URL(`./${name}.${extension}`, import.meta.url);
}
