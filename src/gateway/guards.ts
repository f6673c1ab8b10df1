import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';

/**
 * Whether a request may come in at all: `undefined`, or why not.
 *
 * A web page anywhere can make its visitor's browser send requests to this machine. Two doors are closed to it. A page
 * whose host name was re-pointed at us sends that name as `Host`: only known names pass, and IP addresses when we
 * listen beyond loopback, since an address cannot be re-pointed. Any other page sends itself as `Origin`: only
 * loopback, the names allowed, and the very host the request went to pass. Programs send no `Origin`.
 */
export type Guard = (headers: IncomingHttpHeaders) => string | undefined;

export interface GuardOptions {
  /** The `--host` we listen on. */
  host: string;
  address: string;
  /** More names that clients may call us by: `--allow-host`. */
  allowedHosts: string[];
}

export function createGuard({ host, address, allowedHosts }: GuardOptions): Guard {
  const names = new Set([...loopbackNames, ...allowedHosts.map(normalHost)]);
  const beyondLoopback = !isLoopback(address);
  if (beyondLoopback) names.add(normalHost(host));
  const knownHost = (name: string): boolean => names.has(name) || (beyondLoopback && isIP(unbracketed(name)) !== 0);
  return (headers) => {
    const name = hostOf(`http://${headers.host ?? ''}`);
    if (name === undefined) return 'a Host header is needed';
    if (!knownHost(name)) return `this Host is not served here; if it should be, start with --allow-host ${name}`;
    if (headers.origin === undefined) return undefined;
    const origin = hostOf(headers.origin);
    if (origin !== undefined && (names.has(origin) || origin === name)) return undefined;
    return 'web pages of this Origin may not call this server';
  };
}

export function isLoopback(address: string): boolean {
  return address === '::1' || (isIP(address) === 4 && address.startsWith('127.'));
}

const loopbackNames = ['localhost', '127.0.0.1', '[::1]'];

function hostOf(url: string): string | undefined {
  const parsed = URL.parse(url);
  // `Host: user@name/path` would parse too, but no honest client sends that.
  if (parsed === null || parsed.hostname === '' || parsed.username !== '' || parsed.pathname.length > 1)
    return undefined;
  return parsed.hostname;
}

function normalHost(host: string): string {
  return hostOf(`http://${isIP(host) === 6 ? `[${host}]` : host}`) ?? host.toLowerCase();
}

function unbracketed(host: string): string {
  return host.startsWith('[') ? host.slice(1, -1) : host;
}
