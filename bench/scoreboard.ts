import type { Figures } from './figures.ts';
import type { Row } from './row.ts';

/** What a figure must reach, and what it should. */
interface Goal {
  /** For people; # stands for what the pattern of `row` caught. */
  readonly label: string;
  /** The bench under whose name it is recorded. */
  readonly bench: string;
  /** The row's name; a pattern where it has sizes in it that a run may choose. */
  readonly row: string | RegExp;
  readonly unit: string;
  readonly better: 'higher' | 'lower';
  readonly must: number;
  readonly aim?: number;
}

export interface Score {
  readonly label: string;
  readonly bench: string;
  readonly unit: string;
  readonly better: 'higher' | 'lower';
  readonly must: number;
  readonly aim: number | undefined;
  /** Undefined if it is not measured. */
  readonly value: number | undefined;
  readonly verdict: 'aim reached' | 'reached' | 'not reached' | 'not measured';
  /** From a run with --quick, which says that it works and not how well. */
  readonly quick: boolean;
}

type Bound = Pick<Goal, 'unit' | 'better' | 'must' | 'aim'>;

const atLeast = (must: number, aim: number): Bound => ({ unit: 'ratio', better: 'higher', must, aim });
const atMost = (must: number, aim?: number, unit = 'ratio'): Bound => {
  return { unit, better: 'lower', must, ...(aim !== undefined && { aim }) };
};

const ATTACKED = atLeast(0.5, 0.8);
const WAN = atMost(1.3, 1.05);

const GOALS: readonly Goal[] = [
  { label: 'throughput ÷ R1', bench: 'throughput', row: 'finalPerR1', ...atLeast(0.25, 0.4) },
  { label: 'calls, 50 per signature, ÷ R1', bench: 'operations', row: 'operations finalPerR1', ...atLeast(1, 2) },
  { label: 'CPU ÷ four verifications', bench: 'throughput', row: 'cpuPerVerification', ...atMost(1.9, 1.3) },
  {
    label: 'idle submit to verified, p50',
    bench: 'latency',
    row: 'idle submit to verified p50',
    ...atMost(15, 5, 'ms'),
  },
  {
    label: 'idle submit to verified, p99',
    bench: 'latency',
    row: 'idle submit to verified p99',
    ...atMost(40, 15, 'ms'),
  },
  ...[25, 50].flatMap((ms): Goal[] => [
    {
      label: `${ms} ms one way ÷ 5 delays, idle`,
      bench: 'wan',
      row: `${ms} ms one way, idle: submit to final p50`,
      ...WAN,
    },
    {
      label: `${ms} ms one way ÷ 5 delays, 30 % load`,
      bench: 'wan',
      row: `${ms} ms one way, at 30 % of the peak: submit to final p50`,
      ...WAN,
    },
  ]),
  { label: 'throughput at 50 ms ÷ at 0 ms', bench: 'window', row: 'window', ...atLeast(0.7, 0.95) },
  { label: 'attacked: one silent', bench: 'attacked', row: 'one silent', ...ATTACKED },
  {
    label: 'attacked: leader silent',
    bench: 'attacked',
    row: 'leader silent, until replaced and after',
    ...ATTACKED,
  },
  {
    label: 'attacked: leader equivocating',
    bench: 'attacked',
    row: 'leader equivocating, until replaced and after',
    ...ATTACKED,
  },
  { label: 'attacked: one slow', bench: 'attacked', row: /^one slow by \d+ ms$/, ...ATTACKED },
  { label: 'attacked: leader slow', bench: 'attacked', row: /^leader slow by \d+ ms$/, ...ATTACKED },
  { label: 'overload: goodput ÷ peak', bench: 'overload', row: 'goodput', ...atLeast(0.9, 0.98) },
  { label: 'CPU, height #', bench: 'length', row: /^cpu, height (\d+ to \d+)$/, ...atMost(1.1, 1.02) },
  { label: 'CPU, balances #', bench: 'length', row: /^cpu, balances (\d+ to \d+)$/, ...atMost(1.5, 1.2) },
  // 64 and 8 MB.
  {
    label: 'memory growth, # transactions',
    bench: 'memory',
    row: /^memory growth, (\d+ to \d+) transactions, most$/,
    ...atMost(61, 7.6, 'MiB'),
  },
  { label: 'disk ÷ wire bytes', bench: 'memory', row: /^disk, \d+ to \d+ transactions$/, ...atMost(2, 1.3) },
  {
    label: 'catch-up ÷ live, # transactions',
    bench: 'catch-up',
    row: /^(\d+) transactions: catch-up$/,
    ...atLeast(3, 5),
  },
  { label: 'leader killed ÷ view timeout', bench: 'failover', row: 'killed', ...atMost(0.3, 0.1) },
  { label: 'leader silent ÷ view timeout', bench: 'failover', row: 'silent', ...atMost(1.2, 1.05) },
  { label: 'restart to first commit', bench: 'restart', row: 'start to first commit', ...atMost(3_000, 500, 'ms') },
  {
    label: 'event loop lag at full load, p99',
    bench: 'throughput',
    row: 'loop lag p99',
    ...atMost(20, undefined, 'ms'),
  },
];

/** Each goal next to what is recorded; one whose name has a size in it once for each size. */
export function scores(figures: Figures): readonly Score[] {
  return GOALS.flatMap((goal) => {
    const found = (figures[goal.bench]?.rows ?? []).flatMap((row) => {
      const caught = row.unit === goal.unit ? match(goal.row, row.name) : undefined;
      return caught === undefined ? [] : [score(goal, caught, row.value, figures[goal.bench]!.options.quick)];
    });
    return found.length > 0 ? found : [score(goal, '…', null, false)];
  });
}

/** What stands for #; undefined if it is another row. */
function match(wanted: string | RegExp, name: string): string | undefined {
  if (typeof wanted === 'string') return wanted === name ? '' : undefined;
  const found = wanted.exec(name);
  return found === null ? undefined : (found[1] ?? '');
}

function score(goal: Goal, caught: string, value: Row['value'], quick: boolean): Score {
  const { bench, unit, better, must, aim } = goal;
  const label = goal.label.replace(
    '#',
    caught.replace(/\d+/g, (digits) => Number(digits).toLocaleString('en-US')),
  );
  return { label, bench, unit, better, must, aim, value: value ?? undefined, verdict: verdict(goal, value), quick };
}

function verdict({ better, must, aim }: Goal, value: Row['value']): Score['verdict'] {
  if (value === null) return 'not measured';
  const reaches = (bound: number): boolean => (better === 'higher' ? value >= bound : value <= bound);
  if (!reaches(must)) return 'not reached';
  return aim !== undefined && reaches(aim) ? 'aim reached' : 'reached';
}

/** As lines of text, one for each goal. */
export function scoreboardText(figures: Figures): string {
  const header = ['', 'value', 'unit', 'must', 'aim', ''];
  const lines = scores(figures).map(({ label, value, unit, better, must, aim, verdict, quick }) => {
    const sign = better === 'higher' ? '>=' : '<=';
    const bounds = [`${sign} ${must}`, aim === undefined ? '' : `${sign} ${aim}`];
    return [label, value === undefined ? '' : String(value), unit, ...bounds, verdict + (quick ? ' (quick run)' : '')];
  });
  const table = [header, ...lines];
  const widths = header.map((_, column) => Math.max(...table.map((cells) => cells[column]!.length)));
  return table
    .map((cells) =>
      cells
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
