// Compiled by `npm run check` and never run: what the type parameter of a lookup promises, and what it refuses.
import type { Entry, JsonValue, Ref, Registry } from '../../src/engine/index.ts';

interface Server {
  readonly port: number;
  readonly tags?: readonly string[];
}

export function configs(registry: Registry): void {
  const entry: Entry<Server> | undefined = registry.whereis<Server>('server', 'billing');
  const port: number | undefined = entry?.config?.port;
  // @ts-expect-error: a name may have no config
  entry?.config.port;
  // @ts-expect-error: there is no such field
  entry?.config?.host;
  // @ts-expect-error: what lookups return is shared and frozen
  if (entry?.config) entry.config.port = 1;

  const ref: Ref<Server> = registry.ref<Server>('server', 'billing');
  const tags: readonly string[] | undefined = ref.current()?.config?.tags;
  for (const { config } of registry.list<Server>('server')) config?.port;

  const plain: JsonValue | undefined = registry.whereis('server', 'billing')?.config;
  // @ts-expect-error: a config that nobody described is any JSON value
  registry.whereis('server', 'billing')?.config?.port;

  // @ts-expect-error: options have names
  registry.register('server', 'billing', { port: 7400 });
  registry.register('server', 'billing', { config: { port, tags, plain } });
}
