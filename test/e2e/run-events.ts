import { parseArgs } from 'node:util';
import { startNetwork } from '../../bench/network.ts';
import { installFastHashing } from '../../node/hashing.ts';
import { runEvents } from '../support/event-run.ts';

const USAGE = 'usage: npm run events -- [--transactions 100000]';
const { values } = parseArgs({ options: { transactions: { type: 'string', default: '100000' } } });
const transactions = Number(values.transactions);
if (!Number.isSafeInteger(transactions) || transactions < 1) {
  console.error(USAGE);
  process.exit(2);
}
installFastHashing();
const network = await startNetwork();
try {
  console.log(JSON.stringify(await runEvents(network, transactions)));
} finally {
  await network.stop();
}
