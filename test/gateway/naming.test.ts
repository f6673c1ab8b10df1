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
const tool = fc.oneof(
  name,
  // The hardest twins: a tool whose own name is what another one is exposed as.
  fc.tuple(name, name).map(([server, other]) => exposedName(serverSlug(server), other).split('__').slice(1).join('__')),
);
const server = fc.oneof(name, name.map(serverSlug));
const pair = fc.record({ server, tool });

property(
  test,
  'two different tools never get one name',
  fc.property(fc.array(pair, { minLength: 2, maxLength: 12 }), (pairs) => {
    const seen = new Map<string, string>();
    for (const { server, tool } of pairs) {
      const exposed = exposedName(serverSlug(server), tool);
      const identity = JSON.stringify([server, tool]);
      assert.is(seen.get(exposed) ?? identity, identity, exposed);
      seen.set(exposed, identity);
    }
  }),
  { numRuns: 2_000 },
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

test('the longest name that fits is kept, one more character is shortened', () => {
  const room = nameCharsMax - 'files__'.length;
  assert.is(exposedName('files', 'x'.repeat(room)), `files__${'x'.repeat(room)}`);
  assert.is(exposedName('files', 'x'.repeat(room + 1)).length, nameCharsMax);
  assert.match(exposedName('files', 'x'.repeat(room + 1)), /\.[0-9a-f]{32}$/);
});

test.run();
