import { setTimeout as sleep } from 'node:timers/promises';
import type { Owner, Registry } from '../../engine/index.ts';
import { type AskMap, type Measured, measure, measureByName, type Way } from './benchmark.ts';
import { type Answer, capabilitiesOf, configOf, type ServerId, serverIds, startServer } from './servers.ts';

/** A thread of the tour. */
export interface Here {
  readonly registry: Registry;
  readonly askMap: AskMap;
  /** What this thread copied from the registry, as one does without it. */
  readonly copy: Map<string, number>;
  /** Answers that have come in and that nobody has taken. */
  readonly answers: Answer[];
  /** Told whenever one comes in. */
  onAnswer: () => void;
  /** The main thread waits for this word to become 1, and does nothing else. */
  readonly done: Int32Array;
}

/** A name as a thread finds it. */
export interface Found {
  readonly id: string;
  readonly threadId: number;
}

/** How long the Map of the blocked main thread is waited for: a thousand times what it takes to answer otherwise. */
const PATIENCE_MS = 50;

/** What the threads do when they are asked to. */
export const tasks = {
  serve({ registry }: Here, ids: readonly ServerId[]): void {
    for (const id of ids) {
      const owner = startAs(registry, id);
      registry.register('server', id, { owner, config: configOf(capabilitiesOf[id]) });
    }
  },

  /** Serves as soon as whoever does so now has ended. */
  standBy({ registry }: Here, id: ServerId): void {
    const owner = startAs(registry, id);
    void registry.standby('server', id, { owner, config: configOf(capabilitiesOf[id]) });
  },

  lookUp({ registry }: Here, ids: readonly string[]): Found[] {
    return ids.flatMap((id) => {
      const entry = registry.whereis('server', id);
      return entry === undefined ? [] : [{ id, threadId: entry.owner.threadId }];
    });
  },

  copy({ registry, copy }: Here): void {
    for (const { id, owner } of registry.list('server')) copy.set(id, owner.threadId);
  },

  lookUpInCopy: ({ copy }: Here, id: string): number | undefined => copy.get(id),

  async awaitName({ registry }: Here, id: string): Promise<number> {
    const { owner } = await registry.awaitName('server', id);
    return owner.threadId;
  },

  members: ({ registry }: Here, group: string): string[] => sorted(registry.groups.members(group).map(({ id }) => id)),

  bindings({ registry }: Here, transports: readonly string[]): (string | undefined)[] {
    return transports.map((transport) => registry.bindings.serverOf(transport));
  },

  transportsOf: ({ registry }: Here, server: string): string[] => sorted(registry.bindings.transportsOf(server)),

  async route(here: Here, { id, message }: { id: string; message: unknown }): Promise<Answer> {
    here.registry.messages.route('server', id, message);
    return (await answersOf(here, 1))[0];
  },

  async broadcast(here: Here, { group, message }: { group: string; message: unknown }): Promise<string[]> {
    const { messages, groups } = here.registry;
    const sent = messages.broadcast(groups.members(group), message);
    return sorted((await answersOf(here, sent)).map(({ server }) => server));
  },

  call: ({ registry }: Here, { id, request }: { id: string; request: unknown }): Promise<unknown> =>
    registry.messages.call('server', id, request),

  measure: ({ registry, copy, askMap }: Here): Promise<Measured[]> => measure(registry, copy, askMap),
  measureByName: ({ registry }: Here): Promise<Measured> => measureByName(registry),

  /** Looks a name up in every way while the main thread stands still, then lets it go on. @returns answers, by way */
  async whileMainIsBlocked({ registry, askMap, copy, done }: Here): Promise<Record<Way, number>> {
    const [id] = serverIds;
    const found = { 'by reference': 0, 'by name': 0, 'a Map, copied': 0, 'a Map, by messages': 0 };
    const ref = registry.ref('server', id);
    void askMap(id).then(() => found['a Map, by messages']++);
    await sleep(PATIENCE_MS);
    if (ref.current() !== undefined) found['by reference']++;
    if (registry.whereis('server', id) !== undefined) found['by name']++;
    if (copy.has(id)) found['a Map, copied']++;
    const result = { ...found };
    Atomics.store(done, 0, 1);
    Atomics.notify(done, 0);
    return result;
  },
} as const satisfies Record<string, (here: Here, argument: never) => unknown>;

export type Tasks = typeof tasks;

function startAs(registry: Registry, id: ServerId): Owner {
  const owner = registry.owner();
  startServer(registry, id, owner);
  return owner;
}

/** The next so many answers, as soon as they are there. */
function answersOf(here: Here, count: number): Promise<Answer[]> {
  const { promise, resolve } = Promise.withResolvers<Answer[]>();
  here.onAnswer = () => {
    if (here.answers.length >= count) resolve(here.answers.splice(0, count));
  };
  here.onAnswer();
  return promise;
}

const sorted = (ids: readonly (string | undefined)[]): string[] => ids.map((id) => id ?? '').sort();
