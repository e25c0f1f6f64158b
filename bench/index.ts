import { parseArgs } from 'node:util';
import { installFastHashing } from '../node/hashing.ts';
import { failover } from './failover.ts';
import { type Row, throughput } from './throughput.ts';

const USAGE = `usage: npm run bench -- [throughput] [--transactions 20000] [--json]
       npm run bench -- failover [--trials 20] [--json]`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    transactions: { type: 'string', default: '20000' },
    trials: { type: 'string', default: '20' },
  },
});
const [name = 'throughput'] = positionals;
const transactions = Number(values.transactions);
const trials = Number(values.trials);
const counts = [transactions, trials];
if (!['throughput', 'failover'].includes(name) || counts.some((count) => !Number.isSafeInteger(count) || count < 1)) {
  console.error(USAGE);
  process.exit(2);
}
installFastHashing();
const log = (text: string): void => console.error(text);
const rows = name === 'failover' ? await failover(trials, log) : await throughput(transactions, log);
if (values.json) console.log(JSON.stringify(rows));
else print(rows);

function print(rows: readonly Row[]): void {
  const width = Math.max(...rows.map(({ name }) => name.length));
  for (const { name, value, unit, ratioOf } of rows) {
    console.log(
      `${name.padEnd(width)}  ${String(value).padStart(8)} ${unit}${ratioOf === undefined ? '' : ` (to ${ratioOf})`}`,
    );
  }
}
