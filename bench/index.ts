import { parseArgs } from 'node:util';
import { installFastHashing } from '../node/hashing.ts';
import { attacked } from './attacked.ts';
import { budget } from './budget.ts';
import { catchUp } from './catch-up.ts';
import { failover } from './failover.ts';
import { light } from './light.ts';
import type { BenchSize } from './load-source.ts';
import { observers } from './observers.ts';
import type { Row } from './row.ts';
import { scale } from './scale.ts';
import { throughput } from './throughput.ts';
import { wan, window } from './wan.ts';

const USAGE = `usage: npm run bench -- [throughput] [--transactions 20000] [--json]
       npm run bench -- failover [--trials 20] [--json]
       npm run bench -- light [--json]
       npm run bench -- observers [--transactions 20000] [--json]
       npm run bench -- attacked|budget|catch-up|scale|wan|window [--transactions 20000] [--quick] [--json]`;
const NAMES = [
  'throughput',
  'failover',
  'light',
  'observers',
  'attacked',
  'budget',
  'catch-up',
  'scale',
  'wan',
  'window',
];

const { values, positionals } = readArguments();
const [name = 'throughput'] = positionals;
const transactions = Number(values.transactions ?? 20_000);
const trials = Number(values.trials);
const counts = [transactions, trials];
if (!NAMES.includes(name) || counts.some((count) => !Number.isSafeInteger(count) || count < 1)) {
  console.error(USAGE);
  process.exit(2);
}
const size: BenchSize = values.quick
  ? { transactions: Number(values.transactions ?? 2_000), pairs: 1, seconds: 2 }
  : { transactions, pairs: 5, seconds: 10 };
installFastHashing();
const log = (text: string): void => console.error(text);
const rows = await measure(name);
if (values.json) console.log(JSON.stringify(rows));
else print(rows);

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        json: { type: 'boolean', default: false },
        quick: { type: 'boolean', default: false },
        transactions: { type: 'string' },
        trials: { type: 'string', default: '20' },
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
      return observers(transactions, log);
    case 'failover':
      return failover(trials, log);
    case 'attacked':
      return attacked(size, log);
    case 'budget':
      return budget(Math.max(size.transactions, 50_000), size.pairs, log);
    case 'catch-up':
      return catchUp(values.quick ? [2_000] : [10_000, Number(values.transactions ?? 100_000)], size.pairs, log);
    case 'scale':
      return scale(size, log);
    case 'wan':
      return wan(size, log);
    case 'window':
      return window(size, log);
    default:
      return throughput(transactions, log);
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
