import { parseArgs } from 'node:util';
import { installFastHashing } from '../node/hashing.ts';
import { type Row, throughput } from './throughput.ts';

const USAGE = `usage: npm run bench -- [throughput] [--transactions 20000] [--json]`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false }, transactions: { type: 'string', default: '20000' } },
});
const [name = 'throughput'] = positionals;
const transactions = Number(values.transactions);
if (name !== 'throughput' || !Number.isSafeInteger(transactions) || transactions < 1) {
  console.error(USAGE);
  process.exit(2);
}
installFastHashing();
const rows = await throughput(transactions, (text) => console.error(text));
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
