import type { Figures } from '../figures.ts';
import { OFFERED, offeredRow } from '../overload-rows.ts';
import { axes, figureOf, horizontal, legend, type Plot, series, WIDTH } from './chart.ts';
import { linear, ticks } from './scales.ts';
import { type Point, path, svg } from './svg.ts';

const LEFT = 80;
const RIGHT = 830;
const TOP = 150;
const BOTTOM = 410;

export const overloadPlot: Plot = {
  name: 'overload',
  alt: 'Final transactions per second by how many are offered, up to ten times what the network can do',
  draw(figures: Figures) {
    const peak = figureOf(figures, 'overload', 'peak finalPerSecond', 'tx/s');
    const points = pointsOf(figures);
    if (peak === undefined || points.length < 2) return undefined;
    const most = Math.max(...points.map(([offered]) => offered));
    const xTicks = ticks(most);
    const yTicks = ticks(Math.max(peak, ...points.map(([, goodput]) => goodput)));
    const x = linear([0, xTicks.at(-1)!], [LEFT, RIGHT]);
    const y = linear([0, yTicks.at(-1)!], [BOTTOM, TOP]);
    const drawing = {
      title: 'Goodput by how much is offered',
      description: `Final transactions per second. ${points.map(([offered, goodput]) => `${goodput} of ${offered} offered`).join(', ')}. Clients who wait for answers reach ${peak}.`,
      width: WIDTH,
      height: BOTTOM + 56,
    };
    const all: Point[] = [
      [x(0), y(0)],
      [x(peak), y(peak)],
    ];
    return svg(drawing, [
      ...legend(24, 52, [
        { as: 'first', label: 'final while it is offered' },
        { as: 'limit', label: 'peak of clients who wait for answers', dashes: '6 4', marked: false },
        { as: 'third', label: 'all that is offered', dashes: '2 3', marked: false },
      ]),
      ...axes({
        left: LEFT,
        right: RIGHT,
        top: TOP,
        bottom: BOTTOM,
        x,
        y,
        xTicks,
        yTicks,
        xLabel: 'offered transactions per second, whatever is answered',
        yLabel: 'final transactions per second',
      }),
      path(horizontal(LEFT, RIGHT, y(peak)), 'limit', { width: 2, dashes: '6 4' }),
      path(all, 'third', { width: 2, dashes: '2 3' }),
      ...series(
        points.map(([offered, goodput]) => [x(offered), y(goodput)]),
        'first',
      ),
    ]);
  },
};

/** Offered and final, by offered. */
function pointsOf(figures: Figures): Point[] {
  const points = OFFERED.flatMap((times): Point[] => {
    const offered = figureOf(figures, 'overload', offeredRow(times, 'offered'), 'tx/s');
    const goodput = figureOf(figures, 'overload', offeredRow(times, 'goodput'), 'tx/s');
    return offered === undefined || goodput === undefined ? [] : [[offered, goodput]];
  });
  return points.sort(([a], [b]) => a - b);
}
