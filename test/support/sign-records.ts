import assert from 'node:assert/strict';
import { fromHex, utf8Encode } from '../../ledger/bytes.ts';
import { sha256 } from '../../ledger/hash.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { signTransaction, type Transaction } from '../../ledger/transaction.ts';
import { createSigner } from '../../node/signatures.ts';
import { type DevReady, getJson } from './processes.ts';

/** Signed registrations of distinct records by the development account `writer`. */
export async function signRecords(
  ready: DevReady,
  count: number,
  label: string,
  lifetimeMs = 1_800_000,
): Promise<Transaction[]> {
  const writer = ready.accounts.find(({ name }) => name === 'writer');
  assert(writer, 'the network has an account writer');
  const signer = createSigner(fromHex(writer.secretKey)!);
  const genesisId = fromHex(ready.genesisId)!;
  const { time } = await getJson<{ time: number }>(`${ready.validators[0]!.url}/v1/chain`);
  return Array.from({ length: count }, (_, i) => {
    const digest = sha256(utf8Encode(`${label} ${i}`));
    const json = { key: `${label}/${i}`, digest: `0x${Buffer.from(digest).toString('hex')}`, note: '' };
    const args = quorateApplication.argsFromJson('records', 'register', json);
    assert(args.ok, args.ok ? '' : args.problem);
    const body = {
      sender: signer.publicKey,
      nonce: digest.subarray(0, 8),
      validUntil: time + lifetimeMs,
      calls: [{ module: 'records', action: 'register', args: args.value }],
      memo: new Uint8Array(0),
    };
    return signTransaction(genesisId, body, (message) => signer.sign(message));
  });
}
