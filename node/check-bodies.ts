import { decodeTransaction, type Transaction, unpackTransactions } from '../ledger/transaction.ts';
import { idKey } from './id-key.ts';
import { packTransactionChecks } from './verify/packed.ts';
import type { VerifyPool } from './verify/pool.ts';

/**
 * The keys (idKey) of a fetched block's transactions, in order, or what is wrong with them. A certified id does not
 * cover the signature under it, so the signatures are verified too.
 */
export async function checkBodies(
  genesisId: Uint8Array,
  packed: Uint8Array,
  count: number,
  verifyPool: VerifyPool,
): Promise<readonly string[] | string> {
  const unpacked = unpackTransactions(packed, count);
  if (!unpacked.ok) return unpacked.problem;
  if (unpacked.value.length !== count) return `${unpacked.value.length} transactions, the header counts ${count}`;
  if (count === 0) return [];
  const transactions: Transaction[] = [];
  for (const bytes of unpacked.value) {
    const decoded = decodeTransaction(genesisId, bytes);
    if (!decoded.ok) return decoded.problem;
    transactions.push(decoded.value);
  }
  const bits = await verifyPool.verify(packTransactionChecks(genesisId, transactions));
  const bad = transactions.findIndex((_, i) => ((bits[i >> 3]! >> (i & 7)) & 1) === 0);
  return bad < 0 ? transactions.map(({ id }) => idKey(id)) : `transaction ${bad} has a bad signature`;
}
