import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { exposedName, nameCharsMax, serverSlug, slugOf } from '../../src/gateway/naming.ts';
import { property } from '../support/property.ts';

/*
 * Exposed names must never collide, whatever servers and tools are called, and each must tell its server.
 * Invariants: legal under the protocol; injective over (server, tool); the slug can be read back; short ones readable.
 */
const test = suite('naming');

/** Names made to collide: separators, digests of each other, one letter apart, too long, no ASCII at all. */
const digests = fc.constantFrom('-0123456789ab', '.0123456789abcdef0123456789abcdef', '-ab', '.h');
const pieces = fc.oneof(
  fc.constantFrom('a', 'b', '_', '__', '-', '.', 'A', ' ', 'ä', '\ud800', '\udfff', '/', ''),
  fc.string({ maxLength: 40 }),
  fc.string({ unit: 'grapheme', maxLength: 10 }),
  fc.constantFrom('x'.repeat(31), 'x'.repeat(94), 'x'.repeat(130)),
);
const name = fc
  .tuple(fc.array(pieces, { maxLength: 6 }), fc.option(digests, { nil: '' }))
  .map(([parts, end]) => parts.join('') + end);
const pair = fc.record({ server: name, tool: name });

property(
  test,
  'two different tools never get one name',
  fc.property(
    fc.uniqueArray(name, { minLength: 1, maxLength: 3 }),
    fc.uniqueArray(name, { minLength: 1, maxLength: 4 }),
    (servers, tools) => {
      const seen = new Map<string, string>();
      const meet = (server: string, tool: string): void => {
        const exposed = exposedName(serverSlug(server), tool);
        const identity = JSON.stringify([server, tool]);
        assert.is(seen.get(exposed) ?? identity, identity, exposed);
        seen.set(exposed, identity);
      };
      for (const server of servers) {
        for (const tool of tools) {
          meet(server, tool);
          // The hardest twins: whose own names are what the others are turned into.
          const twin = exposedName(serverSlug(server), tool).slice(serverSlug(server).length + 2);
          meet(server, twin);
          meet(serverSlug(server), tool);
          meet(`${server}__${tool}`, tool);
          meet(server, `${tool}__${tool}`);
        }
      }
    },
  ),
  { numRuns: 1_000 },
);

property(
  test,
  'every name is legal and tells its slug',
  fc.property(pair, ({ server, tool }) => {
    const exposed = exposedName(serverSlug(server), tool);
    assert.match(exposed, /^[A-Za-z0-9_.-]{1,128}$/);
    assert.is(slugOf(exposed), serverSlug(server));
  }),
  { numRuns: 2_000 },
);

test('ordinary names stay readable', () => {
  assert.is(exposedName(serverSlug('memory'), 'read_graph'), 'memory__read_graph');
  assert.is(exposedName(serverSlug('my_server.v2'), 'get-sum'), 'my_server.v2__get-sum');
});

test('a name never changes: clients keep them in prompts and settings', () => {
  assert.is(serverSlug('My files (work)'), 'My-files-work-d9f8f5100360');
  assert.is(serverSlug('a__b'), 'a_b-22c370ccfbd5');
  assert.is(exposedName('s', 'list files'), 's__list-files.dea113ac77c26b85d6736c5b1deb2d58');
});

test('halves of surrogate pairs, which UTF-8 cannot tell apart, are told apart', () => {
  assert.is.not(exposedName('s', '\ud800'), exposedName('s', '\udfff'));
  assert.is.not(serverSlug('\ud800'), serverSlug('\udfff'));
});

test('the longest name that fits is kept, one more character is shortened', () => {
  const room = nameCharsMax - 'files__'.length;
  assert.is(exposedName('files', 'x'.repeat(room)), `files__${'x'.repeat(room)}`);
  assert.is(exposedName('files', 'x'.repeat(room + 1)).length, nameCharsMax);
  assert.match(exposedName('files', 'x'.repeat(room + 1)), /\.[0-9a-f]{32}$/);
});

test.run();
