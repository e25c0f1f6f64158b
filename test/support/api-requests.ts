import assert from 'node:assert/strict';
import { toHex } from '../../ledger/bytes.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { signTransaction, type Transaction } from '../../ledger/transaction.ts';
import { createSigner } from '../../node/signatures.ts';
import { ACCOUNTS } from './chain.ts';
import { fakeChain } from './fake-node.ts';

export const DIGEST = `0x${'ab'.repeat(32)}`;
/** An id that no transaction has. */
export const NO_ID = `0x${'cd'.repeat(32)}`;

const signer = createSigner(ACCOUNTS[0].seed);

/** A record's registration that the fake chain does not have; another number gives another id. */
export function freshTransaction(nonce: number): Transaction {
  const args = quorateApplication.argsFromJson('records', 'register', { key: 'k', digest: DIGEST, note: '' });
  assert(args.ok);
  const nonceBytes = new Uint8Array(8).fill(255);
  new DataView(nonceBytes.buffer).setUint32(4, nonce);
  const body = {
    sender: signer.publicKey,
    nonce: nonceBytes,
    validUntil: 1_700_000_100_000,
    calls: [{ module: 'records', action: 'register', args: args.value }],
    memo: new Uint8Array(0),
  };
  return signTransaction(fakeChain().genesis.id, body, (message) => signer.sign(message));
}

/** What `encode` takes for the same transaction. */
export function describedTransaction({ body }: Transaction): Record<string, unknown> {
  return {
    sender: toHex(body.sender),
    nonce: toHex(body.nonce),
    validUntil: body.validUntil,
    calls: [{ module: 'records', action: 'register', args: { key: 'k', digest: DIGEST, note: '' } }],
  };
}

export function postBytes(body: Uint8Array, accept = '*/*'): RequestInit {
  return {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream', accept },
    body: body as Uint8Array<ArrayBuffer>,
  };
}

/** A string is sent as it is. */
export function postJson(body: unknown): RequestInit {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return { method: 'POST', headers: { 'content-type': 'application/json' }, body: text };
}

/** The path of a route with parameters that are of the right form. */
export function examplePath(path: string): string {
  return path.replace(':id', NO_ID).replace(':table', 'records.entries').replace(':at', '0').replace(/:\w+/, '0');
}
