import type { Figures } from '../figures.ts';
import { shownNumber } from '../tables.ts';
import type { Scale } from './scales.ts';
import { type Class, dot, type Point, path, text } from './svg.ts';

export const WIDTH = 860;

/** One plot of docs/performance.md. */
export interface Plot {
  /** Of its file, without `.svg`. */
  readonly name: string;
  /** What it shows, in place of it. */
  readonly alt: string;
  /** The whole file; undefined if its figures are not recorded. */
  draw(figures: Figures): string | undefined;
}

/** The figure of this name and unit; undefined if it is not measured. */
export function figureOf(figures: Figures, bench: string, name: string, unit: string): number | undefined {
  return figures[bench]?.rows.find((row) => row.name === name && row.unit === unit)?.value ?? undefined;
}

/** Where a chart's lines are, and its figures beside them. */
export interface Axes {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
  readonly x: Scale;
  readonly y: Scale;
  readonly xTicks: readonly number[];
  readonly yTicks: readonly number[];
  readonly xLabel: string;
  readonly yLabel: string;
}

export function axes({ left, right, top, bottom, x, y, xTicks, yTicks, xLabel, yLabel }: Axes): string[] {
  return [
    ...yTicks.flatMap((tick) => [
      path(horizontal(left, right, y(tick)), 'grid'),
      text(left - 8, y(tick) + 4, shownNumber(tick), { as: 'note', anchor: 'end' }),
    ]),
    ...xTicks.flatMap((tick) => [
      path(vertical(top, bottom, x(tick)), 'grid'),
      text(x(tick), bottom + 18, shownNumber(tick), { as: 'note', anchor: 'middle' }),
    ]),
    text((left + right) / 2, bottom + 38, xLabel, { as: 'note', anchor: 'middle' }),
    text(left, top - 12, yLabel, { as: 'note' }),
  ];
}

export function horizontal(from: number, to: number, y: number): readonly Point[] {
  return [
    [from, y],
    [to, y],
  ];
}

export function vertical(from: number, to: number, x: number): readonly Point[] {
  return [
    [x, from],
    [x, to],
  ];
}

/** A line through measured points, which are marked. */
export function series(points: readonly Point[], as: Class, dashes = ''): string[] {
  return [path(points, as, { width: 2, dashes }), ...points.map((point) => dot(point, as, dashes !== ''))];
}

/** What a line means, one under the other. */
export function legend(
  x: number,
  top: number,
  entries: readonly {
    readonly as: Class;
    readonly label: string;
    readonly dashes?: string;
    readonly marked?: boolean;
  }[],
): string[] {
  return entries.flatMap(({ as, label, dashes = '', marked = true }, i) => {
    const y = top + 22 * i;
    return [
      path(horizontal(x, x + 28, y), as, { width: 2, dashes }),
      ...(marked ? [dot([x + 14, y], as, dashes !== '')] : []),
      text(x + 38, y + 4, label),
    ];
  });
}
