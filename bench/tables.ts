import type { Figures, Recorded } from './figures.ts';
import type { Row } from './row.ts';
import { type Score, scores } from './scoreboard.ts';

const NOTHING = 'Nothing is recorded yet.';

/** The rows of one bench, and of what run they are. */
export function benchTable(bench: string, figures: Figures): string {
  const recorded = figures[bench];
  if (recorded === undefined) return NOTHING;
  const rows = recorded.rows.map((row) => [row.name, ...valueAndUnit(row), noteOf(row)]);
  return `${markdown(['figure', '', 'unit', ''], rows, [1])}\n\n${runOf(recorded)}`;
}

/** Every goal with what is recorded of it. */
export function scoreboardTable(figures: Figures): string {
  const rows = scores(figures).map((score) => {
    const { label, bench, unit, value, must, aim } = score;
    const shown = value === undefined ? '' : shownNumber(value);
    return [
      label,
      `\`${bench}\``,
      shown,
      unit,
      bound(score, must),
      aim === undefined ? '' : bound(score, aim),
      said(score),
    ];
  });
  return markdown(['figure', 'bench', '', 'unit', 'must', 'aim', ''], rows, [2]);
}

/** The machines of all records. */
export function machinesTable(figures: Figures): string {
  const benches = new Map<string, string[]>();
  for (const bench of Object.keys(figures).sort()) {
    const { cpu, cores, memoryGiB, node, kernel } = figures[bench]!.machine;
    const machine = JSON.stringify([cpu, String(cores), `${memoryGiB} GiB`, node, kernel]);
    benches.set(machine, [...(benches.get(machine) ?? []), `\`${bench}\``]);
  }
  if (benches.size === 0) return NOTHING;
  const rows = [...benches].map(([machine, names]) => [...(JSON.parse(machine) as string[]), names.join(', ')]);
  return markdown(['processor', 'cores', 'memory', 'Node', 'system', 'benches'], rows, [1]);
}

/** Digits in groups of three; as many places as were recorded. */
export function shownNumber(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 10 });
}

function bound({ better }: Score, value: number): string {
  return `${better === 'higher' ? 'at least' : 'at most'} ${shownNumber(value)}`;
}

function said({ verdict, quick }: Score): string {
  const words = verdict === 'not reached' ? `**${verdict}**` : verdict;
  return quick ? `${words} (quick run)` : words;
}

function valueAndUnit({ value, unit }: Row): [string, string] {
  return value === null ? ['', unit] : [shownNumber(value), unit];
}

function noteOf({ runs, ratioOf, skipped }: Row): string {
  const notes = [skipped && `not measured: ${skipped}`, ratioOf && `÷ ${ratioOf}`, runs && runs > 1 && `of ${runs}`];
  return notes.filter(Boolean).join(', ');
}

function runOf({ options, date, commit }: Recorded): string {
  const { transactions, trials, quick } = options;
  const chosen = [
    transactions !== undefined && `--transactions ${transactions}`,
    trials !== undefined && `--trials ${trials}`,
    quick && '--quick: this only says that it works',
  ].filter(Boolean);
  return `${date}, commit ${commit}${chosen.length === 0 ? '' : `, ${chosen.join(', ')}`}.`;
}

/** A row that would break the table becomes one that does not. */
function markdown(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  toTheRight: readonly number[],
): string {
  const line = (cells: readonly string[]): string => {
    return `| ${cells.map((cell) => cell.replace(/\s+/g, ' ').replace(/[|<]/g, '\\$&')).join(' | ')} |`;
  };
  const rule = header.map((_, column) => (toTheRight.includes(column) ? '---:' : '---'));
  return [line(header), line(rule), ...rows.map(line)].join('\n');
}
