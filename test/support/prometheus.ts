import * as assert from 'uvu/assert';

/** One metric as a scraper sees it. */
export interface Family {
  readonly help: string;
  readonly type: string;
  readonly samples: readonly Sample[];
}

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const sampleForm = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/s;
const labelForm = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/gy;
const valueForm = /^(?:NaN|[+-]Inf|[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/;
const suffixes: Readonly<Record<string, readonly string[]>> = {
  gauge: [''],
  counter: [''],
  summary: ['', '_sum', '_count'],
  histogram: ['_bucket', '_sum', '_count'],
};

/**
 * Reads Prometheus' text format, version 0.0.4, as its specification has it, and refuses what a lenient reader would let
 * pass: a metric in two places, a sample twice, a sample before its type, buckets that do not add up.
 */
export function parsePrometheus(text: string): Map<string, Family> {
  assert.ok(text.endsWith('\n'), 'the last line ends with a line feed');
  const families = new Map<string, Family & { samples: Sample[] }>();
  const seen = new Set<string>();
  let current = '';
  let help: string | undefined;
  for (const line of text.slice(0, -1).split('\n')) {
    const head = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line);
    if (head?.[1] === 'HELP') {
      current = head[2];
      help = head[3];
      assert.not(families.has(current), `${current} is there twice`);
    } else if (head?.[1] === 'TYPE') {
      assert.is(head[2], current, 'a type follows its help');
      assert.ok(head[3] in suffixes, `type ${head[3]}`);
      if (head[3] === 'counter') assert.match(current, /_total$/);
      families.set(current, { help: help ?? '', type: head[3], samples: [] });
    } else {
      const sample = parseSample(line);
      const family = families.get(current);
      assert.ok(family, `${line}: a sample before its type`);
      assert.ok(
        suffixes[family.type].some((suffix) => sample.name === current + suffix),
        `${line} among ${current}`,
      );
      const identity = JSON.stringify([sample.name, Object.entries(sample.labels).sort()]);
      assert.not(seen.has(identity), `${line} is there twice`);
      seen.add(identity);
      family.samples.push(sample);
    }
  }
  for (const [name, family] of families) if (family.type === 'histogram') checkHistogram(name, family);
  return families;
}

function parseSample(line: string): Sample {
  const [matched, name, pairs = '', value] = sampleForm.exec(line) ?? [];
  assert.ok(matched, `no sample: ${JSON.stringify(line)}`);
  assert.match(value, valueForm);
  const labels: Record<string, string> = {};
  let end = 0;
  for (const [pair, label, escaped] of pairs.matchAll(labelForm)) {
    assert.not(label in labels, `label ${label} twice: ${line}`);
    labels[label] = escaped.replaceAll(/\\(.)/g, (_, char) => (char === 'n' ? '\n' : char));
    end += pair.length;
  }
  assert.is(end, pairs.length, `labels of ${line}`);
  return { name, labels, value: value === 'NaN' ? Number.NaN : Number(value.replace('Inf', 'Infinity')) };
}

function checkHistogram(name: string, { samples }: Family): void {
  const buckets = samples.filter((sample) => sample.name === `${name}_bucket`);
  const bounds = buckets.map(({ labels }) => Number(labels.le.replace('Inf', 'Infinity')));
  for (let n = 1; n < buckets.length; n++) {
    assert.ok(bounds[n] > bounds[n - 1], `${name}: bounds ascend`);
    assert.ok(buckets[n].value >= buckets[n - 1].value, `${name}: counts are cumulative`);
  }
  assert.is(bounds.at(-1), Number.POSITIVE_INFINITY);
  assert.is(samples.find((sample) => sample.name === `${name}_count`)?.value, buckets.at(-1)?.value);
  assert.ok(samples.some((sample) => sample.name === `${name}_sum`));
}
