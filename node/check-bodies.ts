import { decodeTransaction, signedMessage, unpackTransactions } from '../ledger/transaction.ts';
import { idKey } from './id-key.ts';
import { packChecks } from './verify/packed.ts';
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
  const checks = [];
  const keys: string[] = [];
  for (const bytes of unpacked.value) {
    const decoded = decodeTransaction(genesisId, bytes);
    if (!decoded.ok) return decoded.problem;
    const { id, body, signature } = decoded.value;
    keys.push(idKey(id));
    checks.push({ signature, publicKey: body.sender, message: signedMessage(genesisId, bytes) });
  }
  const bits = await verifyPool.verify(packChecks(checks));
  const bad = checks.findIndex((_, i) => ((bits[i >> 3]! >> (i & 7)) & 1) === 0);
  return bad < 0 ? keys : `transaction ${bad} has a bad signature`;
}
