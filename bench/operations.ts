import { toHex } from '../ledger/bytes.ts';
import type { Transaction } from '../ledger/transaction.ts';
import { againstR1 } from './against-r1.ts';
import { assertAllFinal } from './checks.ts';
import { chain, fund, submitAll } from './load.ts';
import { type BenchNetwork, startNetwork } from './network.ts';
import { type Options, pairsOf, type Row } from './row.ts';
import { accountOf, signCalls } from './transfers.ts';

export const CALLS = 50;
/** In each round. */
const TRANSACTIONS = 2_000;
const QUICK_TRANSACTIONS = 200;
/** As many bytes of calls at a time as `throughput` has: 32 batches of 20 transactions with 50 calls. */
export const SHAPE = { batchSize: 20, openBatches: 32 };

/**
 * What many calls in one signed transaction bring: final calls per second through the batch endpoint, 50 transfers in each
 * transaction, as a ratio to R1, which each round measures next to it.
 */
export async function operations(options: Options, log: (text: string) => void): Promise<readonly Row[]> {
  const perRound = options.transactions ?? (options.quick ? QUICK_TRANSACTIONS : TRANSACTIONS);
  const network = await startNetwork();
  try {
    const validUntil = (await chain(network, 0)).time + 1_800_000;
    await fund(network, validUntil);
    const warm = signMany(network, Math.ceil(perRound / 4), 1_000, validUntil);
    await submitAll(network, warm, SHAPE);
    const pairs = pairsOf(options);
    const load = {
      prefix: 'operations ',
      unit: 'calls' as const,
      sign(pair: number) {
        const transactions = signMany(network, perRound, (pair + 1) * 1_000_000, validUntil);
        return { count: perRound * CALLS, send: () => submitAll(network, transactions, SHAPE) };
      },
    };
    const { rows } = await againstR1(network, load, pairs, log);
    await assertAllFinal(network, 2 + warm.length + perRound * pairs);
    log('checked: all transactions final, none twice, none failed, equal state roots on four nodes');
    return rows;
  } finally {
    await network.stop();
  }
}

/** Transfers of one unit between two accounts, 50 in each transaction; both directions, so that no balance runs out. */
export function signMany(network: BenchNetwork, count: number, firstNonce: number, validUntil: number): Transaction[] {
  const [alice, bob] = [accountOf(network, 'alice'), accountOf(network, 'bob')];
  const callsTo = ({ publicKey }: typeof alice) => {
    const args = { asset: 'bench', to: toHex(publicKey), amount: '1' };
    return Array.from({ length: CALLS }, () => ({ module: 'assets', action: 'transfer', args }));
  };
  const [toAlice, toBob] = [callsTo(alice), callsTo(bob)];
  return Array.from({ length: count }, (_, i) => {
    const [from, calls] = i % 2 === 0 ? [alice, toBob] : [bob, toAlice];
    return signCalls(network, from, calls, firstNonce + i, validUntil);
  });
}
