// Compiled by `npm run check` and never run: what the type parameters of messages promise, and what they refuse.
import type { Registry } from '../../src/engine/index.ts';

interface Sum {
  readonly add: readonly [number, number];
}

export async function messages({ messages, groups, list }: Registry): Promise<void> {
  messages.serve(({ add: [a, b] }: Sum) => a + b);
  messages.receive<Sum>(({ add }, { from }) => messages.routeTo(from, add));
  // @ts-expect-error: a request that nobody described may be anything
  messages.serve((request) => request.add);
  // @ts-expect-error: so may a message
  messages.receive((message) => message.add);

  const sum = await messages.call<number>('server', 'calculator', { add: [1, 2] } satisfies Sum);
  sum.toFixed();
  const reply = await messages.call('server', 'calculator', { add: [1, sum] });
  // @ts-expect-error: so may a reply
  reply.toFixed();

  messages.broadcast(groups.members('indexers'), reply);
  messages.broadcast(list('server'), reply);
  // @ts-expect-error: ids are not owners
  messages.broadcast(['calculator'], reply);
}
