import { BarChart, LineChart } from 'echarts/charts';
import { GridComponent, LegendComponent, TitleComponent } from 'echarts/components';
import { type EChartsCoreOption, init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import type { Measured } from './results.ts';
import { formatFigure, type Row } from './rows.ts';

use([BarChart, LineChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer]);

/** A drawn chart. */
export interface Chart {
  /** Of its file, without extension. */
  readonly name: string;
  readonly title: string;
  readonly svg: string;
}

const WIDTH = 960;
const BAR_HEIGHT = 26;
const LINES_HEIGHT = 520;
const colours = ['#2563eb', '#ea580c', '#059669', '#9333ea', '#dc2626', '#0891b2', '#ca8a04', '#64748b'];
const OURS = colours[0];
const THEIRS = '#94a3b8';

/** Bars of what stands in the rows, one chart a unit; lines of the rows that are points of one. */
export function drawCharts({ name, rows }: Measured): Chart[] {
  const loose = rows.filter(({ point }) => point === undefined);
  const units = [...new Set(loose.map(({ unit }) => unit))].filter((unit) => unit !== 'words');
  const bars = units.map((unit) => {
    const title = `${name}: ${unit}, logarithmic; Rollcall in blue`;
    const file = units.length === 1 ? name : `${name}-${unit.replace('/', '-per-').replace('µ', 'u')}`;
    return drawBars(
      file,
      title,
      loose.filter((row) => row.unit === unit),
    );
  });
  const charts = [...new Set(rows.flatMap(({ point }) => (point ? [point.chart] : [])))];
  const points = charts.map((chart) =>
    drawLines(
      chart,
      rows.filter(({ point }) => point?.chart === chart),
    ),
  );
  return [...(points.length > 0 ? [] : bars), ...points];
}

function drawBars(name: string, title: string, rows: readonly Row[]): Chart {
  const values = new Map<string, { value: number; ours: boolean }>();
  for (const { subject, value } of rows) values.set(subject, { value, ours: true });
  for (const { peer, peerValue } of rows) {
    if (peer !== undefined && peerValue !== undefined && !values.has(peer))
      values.set(peer, { value: peerValue, ours: false });
  }
  // A logarithmic axis has no zero: what was too short to measure gets a sliver.
  const least = Math.min(...[...values.values()].map(({ value }) => value).filter((value) => value > 0));
  const bars = [...values].toSorted(([, a], [, b]) => b.value - a.value);
  const height = 90 + bars.length * BAR_HEIGHT;
  return draw(name, title, height, {
    grid: { left: 400, right: 80, top: 50, bottom: 40 },
    xAxis: { type: 'log', min: 10 ** Math.floor(Math.log10(least)), axisLabel: { hideOverlap: true } },
    yAxis: { type: 'category', data: bars.map(([label]) => label), axisLabel: { width: 380, overflow: 'truncate' } },
    series: [
      {
        type: 'bar',
        label: {
          show: true,
          position: 'right',
          formatter: ({ dataIndex }: { dataIndex: number }) => formatFigure(bars[dataIndex][1].value),
        },
        data: bars.map(([, { value, ours }]) => ({
          value: Math.max(value, least),
          itemStyle: { color: ours ? OURS : THEIRS },
        })),
      },
    ],
  });
}

function drawLines(name: string, rows: readonly Row[]): Chart {
  const lines = Map.groupBy(rows, ({ point }) => point!.line);
  const unit = rows[0].unit;
  const title = name === 'growth' ? 'Cold lookups by entries' : `${name.replaceAll('-', ' ')}: all threads together`;
  return draw(name, `${title} (${unit}, logarithmic)`, LINES_HEIGHT, {
    legend: { bottom: 0, left: 10, right: 10, itemGap: 30 },
    grid: { left: 70, right: 30, top: 50, bottom: 40 + Math.ceil(lines.size / 3) * 25 },
    xAxis: { type: 'log', logBase: name === 'growth' ? 10 : 2, min: Math.min(...rows.map(({ point }) => point!.x)) },
    yAxis: { type: 'log', axisLabel: { formatter: (value: number) => String(value) } },
    series: [...lines].map(([line, points]) => ({
      type: 'line',
      name: line,
      data: points.map(({ point, value }) => [point!.x, value]),
    })),
  });
}

function draw(name: string, title: string, height: number, options: EChartsCoreOption): Chart {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height });
  chart.setOption({
    ...options,
    animation: false,
    backgroundColor: '#ffffff',
    color: colours,
    title: { text: title, left: 10, top: 10, textStyle: { fontSize: 14, width: WIDTH - 40, overflow: 'truncate' } },
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return { name, title, svg: plain(svg, title) };
}

/** Gives the image a title for those who cannot see it, and takes away what is for pointers: a page shows it as an image,
 *  and the numbers in the class names would change with every run. */
function plain(svg: string, title: string): string {
  const text = title.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return svg
    .replace(/<style[\s\S]*?<\/style>\s*/, '')
    .replaceAll(/ class="[^"]*"| pointer-events="[^"]*"/g, '')
    .replace(/^<svg[^>]*>/, (tag) => `${tag}\n<title>${text}</title>`);
}
