import type { Figures } from '../figures.ts';
import { axes, figureOf, type Plot, series, WIDTH } from './chart.ts';
import { apart, linear, ticks } from './scales.ts';
import { type Class, type Point, path, svg, text } from './svg.ts';

const LEFT = 80;
const RIGHT = 610;
const TOP = 84;
const BOTTOM = 400;
const LABELS_APART = 18;
const DELAYS_MS = [25, 50] as const;
/** What a certificate takes at least where the origin is not the leader. */
const MESSAGE_DELAYS = 5;

interface Line {
  readonly label: string;
  readonly as: Class;
  readonly dashes: string;
  readonly points: readonly Point[];
}

export const wanPlot: Plot = {
  name: 'wan',
  alt: 'From submission to finality by the delay between any two validators, next to five delays',
  draw(figures: Figures) {
    const lines = linesOf(figures);
    if (lines.length === 0) return undefined;
    const longest = DELAYS_MS.at(-1)!;
    const yTicks = ticks(
      Math.max(MESSAGE_DELAYS * longest, ...lines.flatMap(({ points }) => points.map(([, ms]) => ms))),
    );
    const x = linear([0, longest], [LEFT, RIGHT]);
    const y = linear([0, yTicks.at(-1)!], [BOTTOM, TOP]);
    const least: Line = {
      label: `${MESSAGE_DELAYS} × the delay, the least possible`,
      as: 'limit',
      dashes: '6 4',
      points: [
        [0, 0],
        [longest, MESSAGE_DELAYS * longest],
      ],
    };
    const labelled = [...lines, least];
    const heights = apart(
      labelled.map(({ points }) => y(points.at(-1)![1])),
      LABELS_APART,
    );
    const drawing = {
      title: 'From submission to finality, by delay between the validators',
      description: lines
        .map(({ label, points }) => `${label}: ${points.map(([delay, ms]) => `${ms} ms at ${delay} ms`).join(', ')}.`)
        .join(' '),
      width: WIDTH,
      height: BOTTOM + 56,
    };
    return svg(drawing, [
      ...axes({
        left: LEFT,
        right: RIGHT,
        top: TOP,
        bottom: BOTTOM,
        x,
        y,
        xTicks: [0, ...DELAYS_MS],
        yTicks,
        xLabel: 'delay between any two validators, one way, ms',
        yLabel: 'submit to final, ms',
      }),
      ...labelled.flatMap(({ label, as, dashes, points }, i) => {
        const drawn = points.map(([delay, ms]): Point => [x(delay), y(ms)]);
        const line = as === 'limit' ? [path(drawn, as, { width: 2, dashes })] : series(drawn, as, dashes);
        return [...line, text(RIGHT + 14, heights[i]! + 4, label, { as })];
      }),
    ]);
  },
};

/** Without a delay the idle network is measured by another bench, on a network of its own. */
function linesOf(figures: Figures): Line[] {
  return [
    { label: 'idle, p50', load: 'idle', share: 'p50', as: 'first' as const, dashes: '' },
    { label: 'idle, p99', load: 'idle', share: 'p99', as: 'first' as const, dashes: '4 3' },
    { label: '30 % of the peak, p50', load: 'at 30 % of the peak', share: 'p50', as: 'second' as const, dashes: '' },
    { label: '30 % of the peak, p99', load: 'at 30 % of the peak', share: 'p99', as: 'second' as const, dashes: '4 3' },
  ].flatMap(({ label, load, share, as, dashes }) => {
    const near = load === 'idle' ? figureOf(figures, 'latency', `idle submit to final ${share}`, 'ms') : undefined;
    const far = DELAYS_MS.flatMap((delay): Point[] => {
      const ms = figureOf(figures, 'wan', `${delay} ms one way, ${load}: submit to final ${share}`, 'ms');
      return ms === undefined ? [] : [[delay, ms]];
    });
    return far.length === 0
      ? []
      : [{ label, as, dashes, points: [...(near === undefined ? [] : [[0, near] as const]), ...far] }];
  });
}
