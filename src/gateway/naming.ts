import { createHash } from 'node:crypto';

/**
 * Names under which clients see the tools: `<slug>__<tool>`, where the slug stands for the server.
 *
 * Two different (server, tool) pairs never get one name, and a name depends on its own pair only, never on which
 * other servers exist or who started first. The argument:
 * 1. A slug holds no `__` and does not end in `_`, so the first `__` of a name ends the slug: the name tells the slug.
 * 2. A server name that is a fine slug stands for itself, unless it ends like a digest (`-` and 12 hex digits). Any
 *    other gets a slug that does end in a digest of the whole server name. So the slug tells the server.
 * 3. In the same way a tool name stands for itself when it is legal, fits, and does not end like a digest (`.` and
 *    32 hex digits). Any other ends in a digest of the whole tool name. So name and slug tell the tool.
 * 2 and 3 hold up to a SHA-256 collision in 48 and 128 bits. The configuration check refuses two equal slugs, and the
 * registry refuses a second tool of the same name: a collision would be a warning, never a call to the wrong tool.
 */
export function exposedName(slug: string, tool: string): string {
  const room = nameCharsMax - slug.length - separator.length;
  if (legalTool.test(tool) && tool.length <= room && !toolDigest.test(tool)) return `${slug}${separator}${tool}`;
  const digest = `.${sha256(tool).slice(0, 32)}`;
  const readable = tool.replace(/[^A-Za-z0-9_.-]+/g, '-').slice(0, room - digest.length);
  return `${slug}${separator}${readable}${digest}`;
}

/** The short name of a server, made of its configured name alone. */
export function serverSlug(server: string): string {
  if (legalSlug.test(server) && server.length <= slugCharsMax && !slugDigest.test(server)) return server;
  const digest = `-${sha256(server).slice(0, 12)}`;
  const readable = server
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/__+/g, '_')
    .slice(0, slugCharsMax - digest.length)
    .replace(/^[_-]+|[_-]+$/g, '');
  return `${readable === '' ? 'server' : readable}${digest}`;
}

/** Splits an exposed name at the first separator: see point 1 above. */
export function slugOf(exposed: string): string | undefined {
  const end = exposed.indexOf(separator);
  return end <= 0 ? undefined : exposed.slice(0, end);
}

const separator = '__';
/** The protocol's bound for a tool's name. */
export const nameCharsMax = 128;
/** Leaves 94 characters to the tool. */
const slugCharsMax = 32;

const legalTool = /^[A-Za-z0-9_.-]+$/;
const legalSlug = /^[A-Za-z0-9.-]+(?:_[A-Za-z0-9.-]+)*$/;
const slugDigest = /-[0-9a-f]{12}$/;
const toolDigest = /\.[0-9a-f]{32}$/;

function sha256(text: string): string {
  // UTF-16 code units, not UTF-8: UTF-8 would turn every lone surrogate into the same replacement character.
  return createHash('sha256').update(text, 'utf16le').digest('hex');
}
