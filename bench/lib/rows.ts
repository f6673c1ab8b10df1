import type { Profile } from './profile.ts';
import type { Contestant, Figure, Figures } from './sampler.ts';

/** What a row should reach. `speedup` is how many times as fast as the peer the subject is. */
export interface Goal {
  readonly of: 'ratio' | 'speedup' | 'value';
  readonly at: 'most' | 'least';
  readonly bound: number;
}
export const ratioAtMost = (bound: number): Goal => ({ of: 'ratio', at: 'most', bound });
export const ratioAtLeast = (bound: number): Goal => ({ of: 'ratio', at: 'least', bound });
export const speedupAtLeast = (bound: number): Goal => ({ of: 'speedup', at: 'least', bound });
export const valueAtLeast = (bound: number): Goal => ({ of: 'value', at: 'least', bound });
export const valueAtMost = (bound: number): Goal => ({ of: 'value', at: 'most', bound });

/** Where a row stands in a chart of lines. */
export interface Point {
  readonly chart: string;
  readonly line: string;
  readonly x: number;
}

/** One figure beside its peer's, measured in turns in one run. Tools read this: fields are added, never changed. */
export interface Row {
  /** The benchmark file's name. */
  readonly benchmark: string;
  readonly subject: string;
  /** What it is compared with, if anything. */
  readonly peer?: string;
  /** Medians over the rounds, and their quartiles. */
  readonly value: number;
  readonly peerValue?: number;
  readonly unit: string;
  /** value / peerValue: below 1 the subject is faster where the unit is a time, above 1 where it is a rate. Absent when
   *  the peer's is 0. */
  readonly ratio?: number;
  readonly spread: readonly [number, number];
  readonly peerSpread?: readonly [number, number];
  readonly goal?: Goal;
  /** Whether the goal was met. Absent without one, and where this machine or a quick run cannot tell. */
  readonly met?: boolean;
  readonly note?: string;
  readonly point?: Point;
  /** Shown in the README. */
  readonly headline?: boolean;
  /** Where the time goes, of a subject that missed its goal. */
  readonly profile?: Profile;
}

/** What a row says besides its figures. */
export type Remarks = Pick<Row, 'goal' | 'note' | 'point' | 'headline'> & {
  /** False where the goal cannot be judged on this machine; the note says why. */
  readonly judged?: boolean;
};

/** Makes a benchmark's rows. */
export class Rows {
  all: readonly Row[] = [];
  readonly #benchmark: string;
  readonly #judged: boolean;

  /** `judged` is false in a quick run: its figures say nothing about goals. */
  constructor(benchmark: string, judged: boolean) {
    this.#benchmark = benchmark;
    this.#judged = judged;
  }

  /** Nanoseconds an operation. */
  times(figures: Figures, subject: Contestant, peer: Contestant | undefined, remarks: Remarks = {}): void {
    const other = peer && { name: peer.name, figure: figures.get(peer)! };
    this.add(subject.name, figures.get(subject)!, other, 'ns', remarks);
  }

  /** The same as million operations a second. */
  rates(figures: Figures, subject: Contestant, peer: Contestant | undefined, remarks: Remarks = {}): void {
    const other = peer && { name: peer.name, figure: rateOf(figures.get(peer)!) };
    this.add(subject.name, rateOf(figures.get(subject)!), other, 'M/s', remarks);
  }

  add(
    subject: string,
    figure: Figure,
    peer: { readonly name: string; readonly figure: Figure } | undefined,
    unit: string,
    { judged = true, ...remarks }: Remarks = {},
  ): void {
    const row: Row = {
      benchmark: this.#benchmark,
      subject,
      value: figure.median,
      spread: figure.quartiles,
      ...(peer && {
        peer: peer.name,
        peerValue: peer.figure.median,
        peerSpread: peer.figure.quartiles,
        ...(peer.figure.median !== 0 && { ratio: figure.median / peer.figure.median }),
      }),
      unit,
      ...remarks,
    };
    const { goal } = remarks;
    this.all = [...this.all, goal && judged && this.#judged ? { ...row, met: isMet(goal, row) } : row];
  }
}

const rateOf = ({ median, quartiles: [low, high] }: Figure): Figure => ({
  median: 1_000 / median,
  quartiles: [1_000 / high, 1_000 / low],
});

/** The figure a goal is about. */
export function judgedFigure(goal: Goal, { value, ratio = Number.NaN }: Row): number {
  if (goal.of === 'value') return value;
  return goal.of === 'ratio' ? ratio : 1 / ratio;
}

function isMet(goal: Goal, row: Row): boolean {
  const figure = judgedFigure(goal, row);
  return goal.at === 'most' ? figure <= goal.bound : figure >= goal.bound;
}

/** A figure as people read it: three digits or so, thousands apart. */
export function formatFigure(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-US');
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}

export function formatGoal({ of, at, bound }: Goal, unit: string): string {
  const sign = at === 'most' ? '≤' : '≥';
  if (of === 'value') return `${sign} ${bound.toLocaleString('en-US')} ${unit}`;
  return of === 'ratio' ? `${sign} ${bound}×` : `${sign} ${bound}× as fast`;
}

/** The ratio, turned round where the goal is a speed-up. */
export function formatRatio(row: Row): string {
  if (row.ratio === undefined) return '';
  if (row.goal?.of === 'speedup') return `${formatFigure(1 / row.ratio)}× as fast`;
  return row.ratio < 0.01 ? `${row.ratio.toPrecision(2)}×` : `${formatFigure(row.ratio)}×`;
}

export function formatVerdict({ goal, met }: Row): string {
  if (goal === undefined) return '';
  if (met === undefined) return 'not judged';
  return met ? 'met' : 'missed';
}
