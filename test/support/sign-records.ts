import assert from 'node:assert/strict';
import { fromHex, utf8Encode } from '../../ledger/bytes.ts';
import { sha256 } from '../../ledger/hash.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { signTransaction, type Transaction } from '../../ledger/transaction.ts';
import { createSigner } from '../../node/signatures.ts';
import { type DevReady, getJson } from './processes.ts';

/** Signed registrations of distinct records by the development account `writer`. */
export function signRecords(
  ready: DevReady,
  count: number,
  label: string,
  lifetimeMs = 1_800_000,
): Promise<Transaction[]> {
  return signCalls(ready, 'writer', 'records', 'register', count, label, lifetimeMs, (i, digest) => {
    return { key: `${label}/${i}`, digest: `0x${Buffer.from(digest).toString('hex')}`, note: '' };
  });
}

/** Signed issues of one unit of gold to `alice` by the development account `issuer`. */
export function signIssues(ready: DevReady, count: number, label: string): Promise<Transaction[]> {
  const to = accountOf(ready, 'alice').publicKey;
  return signCalls(ready, 'issuer', 'assets', 'issue', count, label, 1_800_000, () => {
    return { asset: 'gold', to, amount: '1' };
  });
}

async function signCalls(
  ready: DevReady,
  account: string,
  module: string,
  action: string,
  count: number,
  label: string,
  lifetimeMs: number,
  argsOf: (i: number, digest: Uint8Array) => Record<string, string>,
): Promise<Transaction[]> {
  const signer = createSigner(fromHex(accountOf(ready, account).secretKey)!);
  const genesisId = fromHex(ready.genesisId)!;
  const { time } = await getJson<{ time: number }>(`${ready.validators[0]!.url}/v1/chain`);
  return Array.from({ length: count }, (_, i) => {
    const digest = sha256(utf8Encode(`${label} ${i}`));
    const args = quorateApplication.argsFromJson(module, action, argsOf(i, digest));
    assert(args.ok, args.ok ? '' : args.problem);
    const body = {
      sender: signer.publicKey,
      nonce: digest.subarray(0, 8),
      validUntil: time + lifetimeMs,
      calls: [{ module, action, args: args.value }],
      memo: new Uint8Array(0),
    };
    return signTransaction(genesisId, body, (message) => signer.sign(message));
  });
}

function accountOf({ accounts }: DevReady, name: string): DevReady['accounts'][number] {
  const account = accounts.find((one) => one.name === name);
  assert(account, `the network has an account ${name}`);
  return account;
}
