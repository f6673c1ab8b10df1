import { EventEmitter } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { bytes, duration, table } from '../../src/cli/format.ts';
import { Screen, type Terminal } from '../../src/cli/screen.ts';
import { topCommand } from '../../src/cli/top-command.ts';
import { frameOf } from '../../src/cli/top-frame.ts';
import { type Figures, Registry } from '../../src/engine/index.ts';
import { until } from '../support/waiting.ts';

const test = suite('top');

/** A terminal that remembers what was written, and whose keys the test presses. */
class FakeTerminal {
  readonly stdin = Object.assign(new EventEmitter(), {
    isTTY: true,
    isRaw: false,
    setRawMode(raw: boolean) {
      this.isRaw = raw;
    },
    resume() {},
    pause() {},
  });
  readonly stdout = {
    isTTY: true,
    columns: 40,
    rows: 8,
    written: '',
    write(text: string) {
      this.written += text;
      return true;
    },
  };

  get terminal(): Terminal {
    return this as unknown as Terminal;
  }
}

test('a screen is drawn within the terminal, and given back as it was', () => {
  const { stdin, stdout, terminal } = new FakeTerminal();
  let quits = 0;
  {
    using screen = new Screen(terminal, () => quits++);
    assert.ok(stdin.isRaw);
    assert.match(stdout.written, '\u001b[?1049h');
    stdout.written = '';
    screen.draw(Array.from({ length: 20 }, (_, n) => `${n} ${'𝄞'.repeat(50)}`));
    const lines = stdout.written.split('\r\n');
    assert.is(lines.length, stdout.rows);
    assert.is(lines[0], `\u001b[H0 ${'𝄞'.repeat(38)}\u001b[K`);
    for (const key of ['q', 'Q', '\u0003', 'x', '\u001b[A']) stdin.emit('data', Buffer.from(key));
    assert.is(quits, 3);
  }
  assert.not(stdin.isRaw);
  assert.is(stdin.listenerCount('data'), 0);
  assert.ok(stdout.written.endsWith('\u001b[?25h\u001b[?1049l'));
});

test('what is no terminal gets plain lines', () => {
  const { stdin, stdout, terminal } = new FakeTerminal();
  stdout.isTTY = false;
  {
    using screen = new Screen(terminal, () => {});
    screen.draw(['a', 'b']);
    screen.draw(['c']);
    assert.not(stdin.isRaw);
  }
  assert.is(stdout.written, 'a\nb\n\nc\n');
});

for (const key of ['q', '\u0003']) {
  test(`top shows a registry until ${JSON.stringify(key)}`, async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'rollcall-test-'));
    try {
      await using registry = await Registry.open({ shards: 2 });
      registry.register('server', 'billing');
      await using server = await registry.insight.serve({ path: path.join(folder, 's') });
      const { stdin, stdout, terminal } = new FakeTerminal();
      const ended = topCommand(['--path', server.path, '--interval', '3600000'], terminal);
      await until('a frame', () => stdout.written.includes('SHARD') || stdout.written.includes('names 1'));
      stdin.emit('data', Buffer.from(key));
      assert.is(await ended, 0);
      assert.ok(stdout.written.endsWith('\u001b[?1049l'));
      assert.not(stdin.isRaw);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
}

test('rates are what was counted since the last frame, also over a reset; alarmed and busy shards come first', async () => {
  await using registry = await Registry.open({ shards: 4 });
  for (let n = 0; n < 100; n++) registry.register('server', `${n}`);
  const first = registry.insight.figures();
  const change = (takenMs: number, ...changes: Partial<Figures['shards'][number]>[]): Figures => ({
    ...first,
    takenMs: first.takenMs + takenMs,
    shards: first.shards.map((shard, n) => ({ ...shard, ...changes[n] })),
  });
  const { updates, registrations, removals } = first.shards[0];
  const later = change(
    2_000,
    { updates: updates + 20 },
    { registrations: first.shards[1].registrations + 100, removals: first.shards[1].removals + 4 },
    { alarmed: true, reasons: ['lock-wait'] },
  );
  const lines = frameOf(later, first);
  assert.ok(lines.includes('per second: registrations 50, updates 10, removals 2, swept 0, lock waits 0'));
  const shards = lines.slice(lines.findIndex((line) => line.startsWith('SHARD')) + 1);
  assert.equal(shards.map((line) => line.split(/ +/)[0]).slice(0, 3), ['2', '1', '0']);
  assert.match(shards[0], /lock-wait$/);
  assert.match(shards[1], / 52 +0 /);
  const reset = change(4_000, { updates: 6, registrations, removals });
  assert.ok(frameOf(reset, later).some((line) => line.includes('updates 3,')));
  assert.ok(frameOf(first, undefined).some((line) => line.includes('updates –')));
});

test('figures have three digits and a unit', () => {
  assert.equal([0, 1.234, 12.34, 123.4, 1_234, 1.5e6].map(duration), [
    '–',
    '1.23 µs',
    '12.3 µs',
    '123 µs',
    '1.23 ms',
    '1.50 s',
  ]);
  assert.equal([0, 999, 1_000, 123_456, 5e9, 3e15].map(bytes), [
    '0 B',
    '999 B',
    '1.00 kB',
    '123 kB',
    '5.00 GB',
    '3000 TB',
  ]);
  assert.equal(table(['A', 'BB'], [['x\u001b[1m\n', '1']]), ['A   BB', 'x    1']);
});

test.run();
