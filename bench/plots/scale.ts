import type { Figures } from '../figures.ts';
import { type Axes, axes, legend, type Plot, series, WIDTH } from './chart.ts';
import { logarithmic, powers } from './scales.ts';
import { type Point, path, svg } from './svg.ts';

const TOP = 130;
const BOTTOM = 400;
const PANELS = [
  { left: 76, right: 410, figure: 'cpu of each and block', unit: 'ms', yLabel: 'CPU of each validator and block, ms' },
  {
    left: 506,
    right: 840,
    figure: 'sent by each and block',
    unit: 'bytes',
    yLabel: 'sent by each validator and block, bytes',
  },
] as const;

export const scalePlot: Plot = {
  name: 'scale',
  alt: 'CPU and bytes of each validator and block by the number of validators, next to curves through n = 4',
  draw(figures: Figures) {
    const panels = PANELS.map((panel) => ({ ...panel, points: pointsOf(figures, panel.figure, panel.unit) }));
    // One size alone says nothing about growth, and the curves begin at four.
    if (panels.some(({ points }) => points.length < 2 || points[0]![0] !== 4)) return undefined;
    const drawing = {
      title: 'What a block costs each validator, by the number of validators',
      description: panels
        .map(({ yLabel, points }) => `${yLabel}: ${points.map(([n, value]) => `${value} at n = ${n}`).join(', ')}.`)
        .join(' '),
      width: WIDTH,
      height: BOTTOM + 56,
    };
    return svg(drawing, [
      ...legend(24, 52, [
        { as: 'first', label: 'measured' },
        { as: 'limit', label: 'as 2n(n-1), the votes of all, through n = 4', dashes: '6 4', marked: false },
      ]),
      ...legend(430, 52, [
        { as: 'third', label: 'as n-1, the peers of one, through n = 4', dashes: '2 3', marked: false },
      ]),
      ...panels.flatMap(panel),
    ]);
  },
};

function panel({
  left,
  right,
  yLabel,
  points,
}: (typeof PANELS)[number] & { readonly points: readonly Point[] }): string[] {
  const sizes = points.map(([n]) => n);
  const [, first] = points[0]!;
  const all = curve(first, sizes, (n) => 2 * n * (n - 1));
  const peers = curve(first, sizes, (n) => n - 1);
  const values = [...points, ...all, ...peers].map(([, value]) => value);
  const yTicks = powers(10, Math.min(...values), Math.max(...values));
  const x = logarithmic([sizes[0]!, sizes.at(-1)!], [left + 12, right - 12]);
  const y = logarithmic([yTicks[0]!, yTicks.at(-1)!], [BOTTOM, TOP]);
  const drawn = (line: readonly Point[]): Point[] => line.map(([n, value]) => [x(n), y(value)]);
  const frame: Axes = {
    left,
    right,
    top: TOP,
    bottom: BOTTOM,
    x,
    y,
    xTicks: sizes,
    yTicks,
    xLabel: 'validators, n (both axes are logarithmic)',
    yLabel,
  };
  return [
    ...axes(frame),
    path(drawn(all), 'limit', { width: 2, dashes: '6 4' }),
    path(drawn(peers), 'third', { width: 2, dashes: '2 3' }),
    ...series(drawn(points), 'first'),
  ];
}

/** Each number of validators with its figure, by number. */
function pointsOf(figures: Figures, figure: string, unit: string): Point[] {
  const points = (figures.scale?.rows ?? []).flatMap((row): Point[] => {
    const n = /^(\d+) validators: (.*)$/.exec(row.name);
    return n?.[2] === figure && row.unit === unit && row.value !== null ? [[Number(n[1]), row.value]] : [];
  });
  return points.sort(([a], [b]) => a - b);
}

/** How the figure at n = 4 would grow. */
function curve(first: number, [from, ...rest]: readonly number[], law: (n: number) => number): Point[] {
  const to = rest.at(-1)!;
  const sizes = Array.from({ length: to - from! + 1 }, (_, i) => from! + i);
  return sizes.map((n) => [n, (first * law(n)) / law(from!)]);
}
