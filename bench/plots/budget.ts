import type { Figures } from '../figures.ts';
import { rounded } from '../row.ts';
import { shownNumber } from '../tables.ts';
import { figureOf, type Plot, vertical, WIDTH } from './chart.ts';
import { linear, ticks } from './scales.ts';
import { path, rect, svg, text } from './svg.ts';

interface Step {
  readonly name: string;
  readonly spent: number;
  readonly budget: number;
}

const LEFT = 330;
const RIGHT = 740;
const TOP = 100;
const ROW = 40;

export const budgetPlot: Plot = {
  name: 'budget',
  alt: 'CPU of each step of a transaction on one node, next to its budget and to one verification of a signature',
  draw(figures: Figures) {
    const verification = figureOf(figures, 'budget', 'one verification', 'us');
    const steps = stepsOf(figures);
    if (verification === undefined || steps.length === 0) return undefined;
    const total = (of: (step: Step) => number): number =>
      rounded(
        steps.reduce((sum, step) => sum + of(step), 0),
        2,
      );
    const all = { name: 'all steps', spent: total(({ spent }) => spent), budget: total(({ budget }) => budget) };
    const rows = [...steps, all];
    const marks = ticks(Math.max(verification, ...rows.flatMap(({ spent, budget }) => [spent, budget])));
    const x = linear([0, marks.at(-1)!], [LEFT, RIGHT]);
    const bottom = TOP + ROW * rows.length;
    const drawing = {
      title: 'What each step of a transaction costs on one node',
      description: `CPU in us per transaction. ${rows.map(inWords).join('. ')}. One verification of a signature takes ${verification} us.`,
      width: WIDTH,
      height: bottom + 56,
    };
    return svg(drawing, [
      rect(24, 46, 26, 14, 'first'),
      text(58, 58, 'spent'),
      rect(24 + 96, 46, 26, 14, 'muted', true),
      text(58 + 96, 58, 'budget'),
      rect(24 + 200, 46, 26, 14, 'failed'),
      text(58 + 200, 58, 'spent, more than the budget'),
      ...marks.flatMap((tick) => [
        path(vertical(TOP, bottom, x(tick)), 'grid'),
        text(x(tick), bottom + 18, shownNumber(tick), { as: 'note', anchor: 'middle' }),
      ]),
      text((LEFT + RIGHT) / 2, bottom + 40, 'CPU of one node per transaction, us', { as: 'note', anchor: 'middle' }),
      ...rows.flatMap(({ name, spent, budget }, i) => {
        const y = TOP + ROW * i;
        return [
          text(LEFT - 12, y + 24, name, { anchor: 'end' }),
          rect(LEFT, y + 12, x(spent) - LEFT, 16, spent > budget ? 'failed' : 'first'),
          rect(LEFT, y + 8, x(budget) - LEFT, 24, 'muted', true),
          text(RIGHT + 12, y + 24, `${shownNumber(spent)} of ${shownNumber(budget)}`),
        ];
      }),
      path(vertical(TOP - 4, bottom, x(verification)), 'second', { width: 2, dashes: '6 4' }),
      text(x(verification), TOP - 12, `one verification: ${shownNumber(verification)} us`, { anchor: 'middle' }),
    ]);
  },
};

/** Each step has two rows: what it takes, and its ratio to a budget, which the row names. */
function stepsOf(figures: Figures): Step[] {
  return (figures.budget?.rows ?? []).flatMap(({ name, ratioOf }) => {
    const budget = /^budget of ([\d.]+) us$/.exec(ratioOf ?? '')?.[1];
    const spent = figureOf(figures, 'budget', name, 'us/tx');
    return budget === undefined || spent === undefined ? [] : [{ name, spent, budget: Number(budget) }];
  });
}

function inWords({ name, spent, budget }: Step): string {
  return `${name}: ${spent} of ${budget} us`;
}
