// A ring agrees with a plain list: whatever the sizes, wherever it begins, records come out as they went in, in order; it refuses one
// exactly when there is no room, always takes the largest when it is empty, and what damages its words is told.
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { isCorrupt, type RegistryError } from '../../src/shared/errors.ts';
import { Body, readBody } from '../../src/shared/message-body.ts';
import { Ring, type RingPlace, RingReader, RingWriter, ringBytesFor } from '../../src/shared/ring.ts';
import { property } from '../support/property.ts';

const test = suite('rings');

function ringAt(bodyBytesMax: number, start: number): RingPlace {
  const size = ringBytesFor(bodyBytesMax);
  const buffer = new SharedArrayBuffer(Ring.words * 4 + size);
  const words = new Int32Array(buffer);
  words[Ring.head] = start;
  words[Ring.tail] = start;
  return { words, bytes: Buffer.from(buffer), at: 0, from: Ring.words * 4, size };
}

interface Sent {
  readonly value: string;
  readonly type: number;
  readonly call: number;
}

const textUpTo = (bytes: number) =>
  fc.oneof(
    fc.string({ unit: 'binary', maxLength: bytes >> 1 }),
    fc.nat(bytes).map((length) => 'x'.repeat(length)),
    fc.constant('y'.repeat(bytes)),
  );

property(
  test,
  'records come out as they went in',
  fc.property(
    fc.integer({ min: 1, max: 300 }).chain((bytesMax) =>
      fc.record({
        bytesMax: fc.constant(bytesMax),
        // A multiple of 8, as every position is: also where 31 and 32 bits are full.
        start: fc.oneof(
          fc.constant(0),
          fc.constant(0x7ffffff8),
          fc.constant(-8),
          fc.integer().map((n) => n & ~7),
        ),
        steps: fc.array(
          fc.oneof(fc.record({ send: textUpTo(bytesMax) }), fc.record({ read: fc.nat(5), release: fc.boolean() })),
        ),
      }),
    ),
    ({ bytesMax, start, steps }) => {
      const place = ringAt(bytesMax, start);
      const writer = new RingWriter(place);
      const reader = new RingReader(place);
      const queue: Sent[] = [];
      let unreleased = 0;
      let calls = 0;
      const read = (count: number) => {
        for (let n = 0; n < count && reader.look() && reader.next(); n++) {
          const { value, type, call } = queue.shift()!;
          assert.equal([reader.type, reader.slot, reader.epoch, reader.call], [type, call * 3, -call, call]);
          assert.is(readBody(reader.bytes, reader.bodyAt, reader.length, reader.type), value);
          unreleased++;
        }
      };
      for (const step of steps) {
        if ('send' in step) {
          const body = new Body(step.send);
          if (body.byteLength > bytesMax) continue;
          const at = writer.reserve(body.byteLength);
          if (at === -1) {
            assert.ok(queue.length + unreleased > 0, 'an empty ring takes any body');
            continue;
          }
          body.write(writer.bytes, at);
          writer.publish(body.byteLength, body.encoding, ++calls * 3, -calls, calls);
          queue.push({ value: step.send, type: body.encoding, call: calls });
        } else {
          read(step.read);
          if (step.release) {
            reader.release();
            unreleased = 0;
          }
        }
      }
      read(queue.length + 1);
      assert.is(queue.length, 0);
      assert.not.ok(reader.hasMore());
      reader.release();
      assert.is.not(writer.reserve(bytesMax), -1, 'and then it is empty');
    },
  ),
  { numRuns: 2_000 },
);

test('a body of the largest size fits at every offset of an empty ring', () => {
  for (const bytesMax of [1, 7, 8, 40, 1_000]) {
    const { size } = ringAt(bytesMax, 0);
    for (let start = 0; start < size; start += 8) {
      assert.is.not(new RingWriter(ringAt(bytesMax, start)).reserve(bytesMax), -1, `${bytesMax} at ${start}`);
    }
  }
});

property(
  test,
  'damaged words end in CORRUPT or in some record, never beyond the ring',
  fc.property(
    fc.nat(4),
    fc.nat(80),
    fc.oneof(fc.integer(), fc.constantFrom(-1, 0, 0x7fffffff, 0x40000000)),
    (records, word, value) => {
      const place = ringAt(40, 0);
      const writer = new RingWriter(place);
      const reader = new RingReader(place);
      for (let n = 0; n < records; n++) {
        const body = new Body('some text');
        const at = writer.reserve(body.byteLength);
        if (at === -1) break;
        body.write(writer.bytes, at);
        writer.publish(body.byteLength, body.encoding, 1, 1, n);
      }
      place.words[word % place.words.length] = value;
      try {
        for (let n = 0; n < 100 && reader.look() && reader.next(); n++) {
          assert.ok(reader.bodyAt >= place.from && reader.bodyAt + reader.length <= place.from + place.size);
          readBody(reader.bytes, reader.bodyAt, reader.length, reader.type);
        }
        writer.reserve(40);
      } catch (error) {
        // Text whose encoding is damaged may be no clone.
        if (!isCorrupt(error) && (error as RegistryError).code !== 'INVALID_MESSAGE') throw error;
      }
    },
  ),
  { numRuns: 2_000 },
);

test.run();
