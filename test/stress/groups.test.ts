// @timeout 180
// Threads join, leave, register and die while others ask and watch: nobody who is a member all along is ever missed or counted
// twice, what was told last is what there is, and a view that has followed all of it knows what a new one reads.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type GroupMember, Registry, type StateIterator } from '../../src/engine/index.ts';
import { auditOnceSwept } from '../support/bookkeeping.ts';
import { Random, seedOfRun } from '../support/random.ts';
import { Thread } from '../support/threads.ts';
import { until } from '../support/waiting.ts';

const test = suite('groups');
const seed = seedOfRun();
const ROUNDS = 10;
const THREADS = 3;
const NAMES = 5;

/** What a thread that is to be killed does until then. `busy` counts its operations. */
function churn({ registry }: { registry: Registry }, { busy, names }: { busy: Int32Array; names: number }): void {
  for (let n = 0; ; n++) {
    const owner = registry.owner();
    registry.groups.join('g', { owner });
    const result = registry.tryRegister('name', `${n % names}`, { owner, config: n });
    if (result.ok) result.registration.update(-n);
    if (n % 3 === 0) registry.groups.leave('g', { owner });
    if (n % 7 === 0) registry.groups.members('g');
    if (n % 5 > 0) owner.close();
    Atomics.add(busy, 0, 1);
  }
}

/** Asks all the time until it is told to stop; says what was wrong. */
function ask({ registry }: { registry: Registry }, { stop, stable }: { stop: Int32Array; stable: number[] }): string[] {
  const wrong: string[] = [];
  let asked = 0;
  while (Atomics.load(stop, 0) === 0) {
    const members = registry.groups.members('g');
    asked++;
    for (const slot of stable) {
      const times = members.filter(({ owner }) => owner.slot === slot).length;
      if (times !== 1) wrong.push(`slot ${slot} is a member ${times} times`);
    }
  }
  if (asked === 0) wrong.push('it never asked');
  return wrong;
}

/** Follows a watch to its end; `seen` gets each state. */
async function follow<T>(states: StateIterator<T>, seen: (state: T) => void): Promise<void> {
  for await (const state of states) seen(state);
}

const slots = (members: readonly GroupMember[]): number[] =>
  members.map(({ owner }) => owner.slot).toSorted((a, b) => a - b);

test('threads are killed while they join, leave and register', async () => {
  const random = new Random(seed);
  await using registry = await Registry.open({ shards: 2 });
  const stable = Array.from({ length: 4 }, () => registry.owner());
  for (const owner of stable) registry.groups.join('g', { owner });
  const stableSlots = stable.map(({ slot }) => slot);

  let members: readonly GroupMember[] = [];
  const names = new Map<string, number>();
  let told = 0;
  const following = [
    follow(registry.groups.watch('g'), (state) => {
      members = state;
      told++;
    }),
    follow(registry.watchAll<number>('name'), ({ id, entry }) => {
      if (entry === undefined) assert.ok(names.delete(id), `${id} was told before it is gone`);
      else names.set(id, entry.version);
    }),
  ];
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const asker = await Thread.start(registry.handle);
  const asking = asker.run(ask, { stop, stable: stableSlots });

  for (let round = 0; round < ROUNDS; round++) {
    const busy = new Int32Array(new SharedArrayBuffer(4));
    const threads = await Promise.all(Array.from({ length: THREADS }, () => Thread.start(registry.handle)));
    for (const thread of threads) thread.send(churn, { busy, names: NAMES });
    for (const thread of threads) {
      const goal = Atomics.load(busy, 0) + 20 + random.below(200);
      await until('they are at work', () => Atomics.load(busy, 0) >= goal);
      await thread.end();
    }
    // All that the killed had is gone; both watches come to know it, woken by nothing but the deaths.
    await until('the group is told', () => slots(members).join() === slots(registry.groups.members('g')).join());
    await until('the names are told', () => names.size === 0);
    assert.equal(
      slots(registry.groups.members('g')),
      stableSlots.toSorted((a, b) => a - b),
    );
    const fresh = Registry.attach(registry.handle);
    assert.equal(slots(fresh.groups.members('g')), slots(registry.groups.members('g')));
    await fresh.close();
  }
  Atomics.store(stop, 0, 1);
  assert.equal(await asking, []);
  await asker.end();
  await auditOnceSwept(registry.handle);
  console.log(`${told} states of the group were told`);
  await registry.close();
  await Promise.all(following);
});

test.run();
