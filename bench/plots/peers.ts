import type { Figures } from '../figures.ts';
import { shownNumber } from '../tables.ts';
import { figureOf, type Plot, vertical, WIDTH } from './chart.ts';
import { linear, ticks } from './scales.ts';
import { path, rect, svg, text } from './svg.ts';

/** Final transactions per second as others publish them; docs/performance.md says where, and what else differs. */
const PUBLISHED = [
  { name: 'Hyperledger Besu, QBFT', how: 'n = 4, 2 vCPU for each validator', low: 404, high: 404 },
  {
    name: 'Hyperledger Besu, QBFT (its wiki)',
    how: 'n = 4, by load: token transfers to simple calls',
    low: 520,
    high: 1_200,
  },
  { name: 'Hyperledger Fabric', how: 'one host with 4 cores', low: 593, high: 593 },
  { name: 'CometBFT, QA', how: '200 nodes, 175 of them validators', low: 400, high: 615 },
] as const;

const LEFT = 330;
const RIGHT = 760;
const TOP = 84;
const ROW = 46;

export const peersPlot: Plot = {
  name: 'peers',
  alt: 'Final transactions per second next to what others publish; it is not the same work, and no ranking follows',
  draw(figures: Figures) {
    const own = figureOf(figures, 'throughput', 'finalPerSecond', 'tx/s');
    if (own === undefined) return undefined;
    const { cores } = figures.throughput!.machine;
    const how = `n = 4, everything on ${cores} cores of one host`;
    const rows = [{ name: 'Quorate', how, low: own, high: own }, ...PUBLISHED];
    const steps = ticks(Math.max(...rows.map(({ high }) => high)));
    const x = linear([0, steps.at(-1)!], [LEFT, RIGHT]);
    const bottom = TOP + ROW * rows.length;
    const drawing = {
      title: 'Next to what others publish: not the same work',
      description: `Final transactions per second. ${rows.map((row) => `${row.name}, ${row.how}: ${shown(row)}`).join('. ')}. Other work, other machines: no ranking follows.`,
      width: WIDTH,
      height: bottom + 56,
    };
    return svg(drawing, [
      text(20, 54, 'Other transactions, other signatures, other machines and networks: no ranking follows.', {
        as: 'note',
      }),
      ...steps.flatMap((tick) => [
        path(vertical(TOP, bottom, x(tick)), 'grid'),
        text(x(tick), bottom + 18, shownNumber(tick), { as: 'note', anchor: 'middle' }),
      ]),
      text((LEFT + RIGHT) / 2, bottom + 40, 'final transactions per second', { as: 'note', anchor: 'middle' }),
      ...rows.flatMap(({ name, how, low, high }, i) => {
        const y = TOP + ROW * i;
        return [
          text(LEFT - 12, y + 20, name, { anchor: 'end' }),
          text(LEFT - 12, y + 36, how, { as: 'note', anchor: 'end' }),
          rect(LEFT, y + 12, x(low) - LEFT, 22, i === 0 ? 'first' : 'muted'),
          // From the least to the most that is published.
          ...(high > low ? [rect(x(low), y + 12, x(high) - x(low), 22, 'muted', true)] : []),
          text(x(high) + 8, y + 28, shown({ low, high })),
        ];
      }),
    ]);
  },
};

function shown({ low, high }: { readonly low: number; readonly high: number }): string {
  return low === high ? shownNumber(low) : `${shownNumber(low)} to ${shownNumber(high)}`;
}
