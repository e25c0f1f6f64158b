import { concatBytes, equalBytes } from '../../ledger/bytes.ts';
import { encode } from '../../ledger/codec.ts';
import { TRANSACTION_BYTES_MAX } from '../../ledger/limits.ts';
import { type TransactionBody, transactionBodyCodec, transactionSignBytes } from '../../ledger/transaction.ts';
import { withEngine } from '../engine.ts';
import { QuorateError } from './errors.ts';
import type { Signer } from './signer.ts';

/** The signed bytes of a body; throws `signer` if it fails, or if a node would not take the signature. */
export async function signBody(genesisId: Uint8Array, body: TransactionBody, signer: Signer): Promise<Uint8Array> {
  const message = transactionSignBytes(genesisId, body);
  let signature: Uint8Array;
  try {
    // A copy: what the signer does with its message must not change what is checked.
    signature = (await signer.sign(message.slice())).slice();
  } catch (cause) {
    throw new QuorateError('signer', cause instanceof Error ? cause.message : String(cause), { cause });
  }
  if (!equalBytes(signer.publicKey, body.sender) || !(await isValid(signature, message, body.sender)))
    throw new QuorateError('signer', 'what it signed does not fit its public key');
  const bytes = concatBytes(encode(transactionBodyCodec, body), signature);
  if (bytes.length > TRANSACTION_BYTES_MAX)
    throw new QuorateError('invalid-args', `a transaction of ${bytes.length} bytes, at most ${TRANSACTION_BYTES_MAX}`);
  return bytes;
}

/** By the rule S5, which the nodes keep too. */
function isValid(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): Promise<boolean> {
  return withEngine((verify) => verify(signature, message, publicKey));
}
