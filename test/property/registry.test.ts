// @timeout 600
import fc from 'fast-check';
import { suite } from 'uvu';
import type { RegistryOptions } from '../../src/engine/index.ts';
import { limits } from '../../src/shared/limits.ts';
import { property } from '../support/property.ts';
import { type Allowance, type Config, commandsOf, type Name, runModel } from '../support/registry-model.ts';

/*
 * A registry does what a `Map` does, whatever is asked of it in whatever order: registering, updating, comparing,
 * taking back, owners that open and close, threads that come and go, lookups of all three speeds, lists and counts.
 * And when all names are gone, no entry and no byte is left, and every page, record and index slot is accounted for.
 */
const test = suite('registry');

const few: fc.Arbitrary<Name> = fc.record({
  kind: fc.constantFrom('server', 'tool'),
  id: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
});
const many: fc.Arbitrary<Name> = fc.record({
  kind: fc.constantFrom('server', 'bulk'),
  id: fc.nat(500).map((n) => `bulk ${n}`),
});
/** Around every border: of words, of the 28 bytes that a record holds itself, of 255 bytes. */
const longId = fc
  .tuple(fc.constantFrom(24, 27, 28, 29, 32, 33, 36, 64, 127, 128, 251, 252, 253, 254, 255), fc.nat(9))
  .map(([length, n]) => `${n}${'x'.repeat(length - 1)}`);
const long: fc.Arbitrary<Name> = fc.record({ kind: fc.constantFrom('k', 'k'.repeat(255)), id: longId });
const unicode: fc.Arbitrary<Name> = fc.record({
  kind: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 3 }),
  id: fc.string({ unit: 'binary', minLength: 1, maxLength: 4 }).filter((id) => id.isWellFormed()),
});

const small: fc.Arbitrary<Config> = fc.oneof(
  fc.constant(undefined),
  fc.nat(9),
  fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<Config>,
);
/** Text whose stored size is near a border: of blocks, of half a page, of pages; of one-byte or two-byte characters. */
const sizes = [0, 10, 11, 12, 13, 120, 128, 1_000, 8_180, 8_186, 8_187, 8_190, 16_370, 16_378, 16_379, 32_750, 65_534];
const text = (bytes: number, wide: boolean): string => {
  const start = bytes % 7 === 0 ? 'é' : 'x';
  return wide ? `漢${start.repeat(Math.max(0, bytes / 2 - 2))}` : start.repeat(Math.max(0, bytes));
};
const sized: fc.Arbitrary<Config> = fc
  .tuple(fc.constantFrom(...sizes), fc.integer({ min: -2, max: 0 }), fc.boolean())
  .map(([bytes, less, wide]) => text(bytes + less, wide));
const any = fc.oneof(small, sized);

interface Setting {
  readonly name: string;
  readonly options: RegistryOptions;
  readonly names: fc.Arbitrary<Name>;
  readonly configs: fc.Arbitrary<Config>;
  readonly allowance?: Allowance;
  readonly bulk?: boolean;
  readonly numRuns?: number;
}

const settings: Setting[] = [
  { name: 'few names in one shard', options: { shards: 1 }, names: few, configs: small, numRuns: 300 },
  { name: 'few names in 16 shards', options: { shards: 16 }, names: few, configs: any },
  { name: 'many names in one shard', options: { shards: 1 }, names: many, configs: small, bulk: true },
  { name: 'many names in 16 shards', options: { shards: 16 }, names: many, configs: any, bulk: true },
  { name: 'long names', options: { shards: 1 }, names: long, configs: small, numRuns: 200 },
  { name: 'names of any Unicode', options: { shards: 4 }, names: unicode, configs: small, numRuns: 200 },
  { name: 'configs of all sizes', options: { shards: 1 }, names: few, configs: any, numRuns: 200 },
  {
    name: 'a table for four names',
    options: { shards: 1, entriesPerShardMax: 4 },
    names: few,
    configs: any,
    allowance: { entriesMax: 4 },
    numRuns: 300,
  },
  {
    name: 'a table for one name',
    options: { shards: 1, entriesPerShardMax: 1, ownersMax: 50 },
    names: few,
    configs: small,
    allowance: { entriesMax: 1 },
  },
  {
    name: 'memory for a few large configs',
    options: { shards: 1, valueBytesPerShardMax: limits.valueBytesPerShardMin },
    names: fc.oneof(few, long),
    configs: any,
    allowance: { memoryIsShort: true },
    numRuns: 300,
  },
];

for (const { name, options, names, configs, numRuns, ...rest } of settings) {
  const commands = fc.commands(commandsOf(names, configs, rest), { size: '+1', maxCommands: 150 });
  property(
    test,
    `registry: ${name}: agrees with a Map`,
    fc.asyncProperty(commands, (commands) => runModel(options, commands)),
    { numRuns },
  );
}

test.run();
