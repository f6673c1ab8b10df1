// A pool whose tasks look up what the main thread, or any other, has registered; and count in shared memory.
import assert from 'node:assert/strict';
import { Registry } from 'rollcall';
import { createPool } from 'rollcall/piscina';

await using registry = await Registry.open();
const euro = registry.register('currency', 'EUR', { config: { perDollar: 0.9 } });
registry.register('currency', 'JPY', { config: { perDollar: 150 } });

const pool = createPool(registry, { filename: new URL('./convert.ts', import.meta.url), threads: 3 });
const convert = (dollars: number, to: string): Promise<number> => pool.run({ dollars, to });

assert.equal(await convert(100, 'EUR'), 90);
assert.equal(await convert(100, 'JPY'), 15_000);

// The next lookup of every thread sees the new rate: no message, no restart.
euro.update({ perDollar: 0.8 });
const results = await Promise.all(Array.from({ length: 300 }, () => convert(100, 'EUR')));
assert.ok(results.every((euros) => euros === 80));

// A `RegistryError` that ends a task keeps its code.
await assert.rejects(convert(100, 'XYZ'), { name: 'RegistryError', code: 'NOT_FOUND' });

const conversions = registry.counter('conversions').read();
assert.equal(conversions, 302);
console.log(`${conversions} conversions in ${pool.threads.length} threads, the last 300 at the new rate`);
await pool.close(); // before the registry
