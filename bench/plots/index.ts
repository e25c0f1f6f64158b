import { budgetPlot } from './budget.ts';
import type { Plot } from './chart.ts';
import { overloadPlot } from './overload.ts';
import { peersPlot } from './peers.ts';
import { scalePlot } from './scale.ts';
import { scoreboardPlot } from './scoreboard.ts';
import { wanPlot } from './wan.ts';

/** All plots of docs/performance.md. */
export const PLOTS: readonly Plot[] = [scoreboardPlot, peersPlot, budgetPlot, scalePlot, overloadPlot, wanPlot];
