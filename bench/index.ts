import { parseArgs } from 'node:util';
import { installFastHashing } from '../node/hashing.ts';
import { attacked } from './attacked.ts';
import { budget } from './budget.ts';
import { catchUp } from './catch-up.ts';
import { failover } from './failover.ts';
import { circumstances, readFigures, record } from './figures.ts';
import { growth } from './growth.ts';
import { latency } from './latency.ts';
import { length } from './length.ts';
import { light } from './light.ts';
import type { BenchSize } from './load-source.ts';
import { BENCHES, recordedAs } from './names.ts';
import { observers } from './observers.ts';
import { operations } from './operations.ts';
import { overload } from './overload.ts';
import { writeReport } from './report.ts';
import { restart } from './restart.ts';
import type { Options, Row } from './row.ts';
import { scale } from './scale.ts';
import { scoreboardText } from './scoreboard.ts';
import { smoke } from './smoke.ts';
import { single, throughput } from './throughput.ts';
import { wan, window } from './wan.ts';

/** Not benches: what they print is no row. */
const COMMANDS: Readonly<Record<string, () => void | Promise<void>>> = {
  scoreboard: () => console.log(scoreboardText(readFigures())),
  report: () => writeReport(log),
  smoke: () => smoke(log),
};
const USAGE = `usage: npm run bench -- [name] [--transactions N] [--trials N] [--quick] [--json] [--record]
names: ${BENCHES.join(', ')}
--transactions: of each round, or in all (latency, memory, disk), or the greater height (length)
--trials: rounds, or pairs of them; --quick: only to see that it works
--record: also keeps the rows in docs/performance/figures.json
or: npm run bench -- ${Object.keys(COMMANDS).join(' | ')}
scoreboard: what is recorded, next to what it must reach; report: writes the tables and plots of docs/performance.md;
smoke: within a minute, whether what is promised holds; fails only if it does not`;

const { values, positionals } = readArguments();
const [name = 'throughput'] = positionals;
const options: Options = {
  transactions: values.transactions === undefined ? undefined : Number(values.transactions),
  trials: values.trials === undefined ? undefined : Number(values.trials),
  quick: values.quick,
};
const counts = [options.transactions ?? 1, options.trials ?? 1];
const known = BENCHES.includes(name) || (Object.hasOwn(COMMANDS, name) && Object.keys(values).every(isDefault));
if (!known || positionals.length > 1 || counts.some((count) => !Number.isSafeInteger(count) || count < 1)) {
  console.error(USAGE);
  process.exit(2);
}
const size: BenchSize = options.quick
  ? { transactions: options.transactions ?? 2_000, pairs: 1, seconds: 2 }
  : { transactions: options.transactions ?? 20_000, pairs: 5, seconds: 10 };
installFastHashing();
const command = COMMANDS[name];
if (command === undefined) await bench();
else await command();

async function bench(): Promise<void> {
  // Before it takes its time: a file that can't be read would lose what it measures.
  if (values.record) readFigures();
  const measured = circumstances();
  const rows = await measure(name);
  if (values.json) console.log(JSON.stringify(rows));
  else print(rows);
  if (values.record) record(recordedAs(name), rows, options, measured);
}

function log(text: string): void {
  console.error(text);
}

function isDefault(option: string): boolean {
  return [undefined, false].includes(values[option as keyof typeof values] as undefined | false);
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        json: { type: 'boolean', default: false },
        quick: { type: 'boolean', default: false },
        record: { type: 'boolean', default: false },
        transactions: { type: 'string' },
        trials: { type: 'string' },
      },
    });
  } catch {
    console.error(USAGE);
    process.exit(2);
  }
}

function measure(what: string): Promise<readonly Row[]> {
  switch (what) {
    case 'light':
      return light(log);
    case 'observers':
      return observers(options.transactions ?? 20_000, log);
    case 'failover':
      return failover(options.trials ?? 20, log);
    case 'latency':
      return latency(options, log);
    case 'operations':
      return operations(options, log);
    case 'length':
      return length(options, log);
    case 'memory':
    case 'disk':
      return growth(options, log);
    case 'restart':
      return restart(options, log);
    case 'overload':
      return overload(options, log);
    case 'attacked':
      return attacked(size, log);
    case 'budget':
      return budget(Math.max(size.transactions, 50_000), size.pairs, log);
    case 'catch-up':
      return catchUp(options.quick ? [2_000] : [10_000, options.transactions ?? 100_000], size.pairs, log);
    case 'scale':
      return scale(size, log);
    case 'wan':
      return wan(size, log);
    case 'window':
      return window(size, log);
    case 'single':
      return single(options, log);
    default:
      return throughput(options, log);
  }
}

function print(rows: readonly Row[]): void {
  const width = Math.max(...rows.map(({ name }) => name.length));
  for (const { name, value, unit, runs, ratioOf, skipped } of rows) {
    const notes = [ratioOf && `to ${ratioOf}`, runs && runs > 1 && `${runs} runs`].filter(Boolean);
    const shown = skipped === undefined ? `${String(value).padStart(8)} ${unit}` : `skipped: ${skipped}`;
    console.log(`${name.padEnd(width)}  ${shown}${notes.length === 0 ? '' : ` (${notes.join(', ')})`}`);
  }
}
