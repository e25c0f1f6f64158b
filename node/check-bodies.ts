import { equalBytes } from '../ledger/bytes.ts';
import { decodeTransaction, type Transaction, unpackTransactions } from '../ledger/transaction.ts';
import { idKey } from './id-key.ts';
import { isValid, packTransactionChecks } from './verify/packed.ts';
import type { VerifyPool } from './verify/pool.ts';

/**
 * The keys (idKey) of a fetched block's transactions, in order, or what is wrong with them. A certified id does not
 * cover the signature under it, so the signatures are verified too, but for bytes that are here and were verified: `held`
 * gives those of a key.
 */
export async function checkBodies(
  genesisId: Uint8Array,
  packed: Uint8Array,
  count: number,
  verifyPool: VerifyPool,
  held: (key: string) => Uint8Array | undefined,
): Promise<readonly string[] | string> {
  const unpacked = unpackTransactions(packed, count);
  if (!unpacked.ok) return unpacked.problem;
  if (unpacked.value.length !== count) return `${unpacked.value.length} transactions, the header counts ${count}`;
  const keys: string[] = [];
  const open: { readonly at: number; readonly transaction: Transaction }[] = [];
  for (const [at, bytes] of unpacked.value.entries()) {
    const decoded = decodeTransaction(genesisId, bytes);
    if (!decoded.ok) return decoded.problem;
    const key = idKey(decoded.value.id);
    keys.push(key);
    const known = held(key);
    if (known === undefined || !equalBytes(known, bytes)) open.push({ at, transaction: decoded.value });
  }
  if (open.length === 0) return keys;
  const checks = packTransactionChecks(
    genesisId,
    open.map(({ transaction }) => transaction),
  );
  const bits = await verifyPool.verify(checks);
  const bad = open.find((_, i) => !isValid(bits, i));
  return bad === undefined ? keys : `transaction ${bad.at} has a bad signature`;
}
