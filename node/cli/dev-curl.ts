import { randomBytes } from 'node:crypto';
import { fromHex, toHex } from '../../ledger/bytes.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { signTransaction } from '../../ledger/transaction.ts';
import { devSigner } from './accounts.ts';
import { askChain } from './http.ts';

/** A curl line with a transaction that is signed already: pasted once or often, it registers one record. */
export async function curlLine(url: string): Promise<string> {
  const { genesisId, time, maxLifetimeMs } = await askChain(url);
  const signer = devSigner('writer');
  const json = { key: `curl/${time}`, digest: toHex(randomBytes(32)), note: 'sent with curl' };
  const args = quorateApplication.argsFromJson('records', 'register', json);
  if (!args.ok) throw new Error(args.problem);
  const body = {
    sender: signer.publicKey,
    nonce: randomBytes(8),
    validUntil: time + maxLifetimeMs - 60_000,
    calls: [{ module: 'records', action: 'register', args: args.value }],
    memo: new Uint8Array(0),
  };
  const { bytes } = signTransaction(fromHex(genesisId)!, body, (message) => signer.sign(message));
  const data = JSON.stringify({ transaction: toHex(bytes) });
  return `curl -s -H 'content-type: application/json' -d '${data}' '${url}/v1/transactions?wait=final'`;
}
