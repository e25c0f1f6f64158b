import type { Figures } from '../figures.ts';
import { type Score, scores } from '../scoreboard.ts';
import { shownNumber } from '../tables.ts';
import { horizontal, type Plot, vertical, WIDTH } from './chart.ts';
import { logarithmic, powers } from './scales.ts';
import { diamond, dot, path, svg, text } from './svg.ts';

const LEFT = 330;
const RIGHT = 690;
const TOP = 92;
const ROW = 24;
/** A figure farther from what it must reach stands at the edge. */
const FARTHEST = 16;

type Measured = Score & { readonly value: number };

export const scoreboardPlot: Plot = {
  name: 'scoreboard',
  alt: 'Each ratio relative to what it must reach: to the right of the line it is reached',
  draw(figures: Figures) {
    const measured = scores(figures).filter((one): one is Measured => one.unit === 'ratio' && one.value !== undefined);
    if (measured.length === 0) return undefined;
    const aims = measured.flatMap((one) => (one.aim === undefined ? [] : [relative(one, one.aim)]));
    const places = [...measured.map((one) => relative(one, one.value)), ...aims];
    const ticks = powers(2, Math.min(0.5, ...places), Math.max(2, ...places));
    const x = logarithmic([ticks[0]!, ticks.at(-1)!], [LEFT, RIGHT]);
    const bottom = TOP + ROW * measured.length;
    const reached = measured.filter(({ verdict }) => verdict !== 'not reached').length;
    const drawing = {
      title: 'Each ratio relative to what it must reach',
      description: `${reached} of ${measured.length} recorded ratios are reached. ${measured.map(inWords).join('. ')}.`,
      width: WIDTH,
      height: bottom + 58,
    };
    return svg(drawing, [
      ...key(),
      ...ticks.flatMap((tick) => [
        path(vertical(TOP, bottom, x(tick)), tick === 1 ? 'ink' : 'grid', { width: tick === 1 ? 1.5 : 1 }),
        text(x(tick), bottom + 18, tick === 1 ? 'must' : `${shownTick(tick)} ×`, { as: 'note', anchor: 'middle' }),
      ]),
      text((LEFT + RIGHT) / 2, bottom + 40, 'times better than it must be (logarithmic)', {
        as: 'note',
        anchor: 'middle',
      }),
      ...measured.flatMap((one, i) => {
        const y = TOP + ROW * (i + 0.5);
        const failed = one.verdict === 'not reached';
        return [
          path(horizontal(LEFT, RIGHT, y), 'grid'),
          text(LEFT - 12, y + 4, one.label, { anchor: 'end' }),
          ...(one.aim === undefined ? [] : [diamond([x(relative(one, one.aim)), y], 'muted')]),
          dot([x(relative(one, one.value)), y], failed ? 'failed' : 'first', failed),
          text(RIGHT + 14, y + 4, `${shownNumber(one.value)} (must: ${sign(one)} ${shownNumber(one.must)})`),
        ];
      }),
    ]);
  },
};

function key(): string[] {
  const y = 58;
  return [
    dot([30, y], 'first'),
    text(44, y + 4, 'reached'),
    dot([122, y], 'failed', true),
    text(136, y + 4, 'not reached'),
    diamond([236, y], 'muted'),
    text(250, y + 4, 'aim'),
  ];
}

/** How many times better than it must be, within what the plot has room for. */
function relative({ better, must }: Score, value: number): number {
  const times = better === 'higher' ? value / must : must / value;
  return Math.min(FARTHEST, Math.max(1 / FARTHEST, times > 0 ? times : FARTHEST));
}

function sign({ better }: Score): string {
  return better === 'higher' ? '≥' : '≤';
}

function inWords(one: Measured): string {
  return `${one.label}: ${shownNumber(one.value)}, must be ${sign(one)} ${shownNumber(one.must)}, ${one.verdict}`;
}

function shownTick(tick: number): string {
  return tick < 1 ? `1/${shownNumber(1 / tick)}` : shownNumber(tick);
}
