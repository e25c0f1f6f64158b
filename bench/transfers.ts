import { fromHex, toHex, utf8Encode } from '../ledger/bytes.ts';
import type { Json } from '../ledger/codec.ts';
import { sha256 } from '../ledger/hash.ts';
import { quorateApplication } from '../ledger/modules/index.ts';
import { signTransaction, type Transaction } from '../ledger/transaction.ts';
import { createSigner, type Signer } from '../node/signatures.ts';
import type { BenchNetwork } from './network.ts';

export interface Account {
  readonly signer: Signer;
  readonly publicKey: Uint8Array;
}

export function accountOf(network: BenchNetwork, name: string): Account {
  const found = network.accounts.find((account) => account.name === name);
  const seed = found === undefined ? undefined : fromHex(found.secretKey);
  if (seed === undefined) throw new Error(`the network has no account ${name}`);
  const signer = createSigner(seed);
  return { signer, publicKey: signer.publicKey };
}

/** One signed call. `nonce` tells apart what is otherwise the same. */
export function signCall(
  network: BenchNetwork,
  account: Account,
  action: string,
  args: { readonly [name: string]: Json },
  nonce: number,
  validUntil: number,
  module = 'assets',
): Transaction {
  return signCalls(network, account, [{ module, action, args }], nonce, validUntil);
}

export interface CallInWords {
  readonly module: string;
  readonly action: string;
  readonly args: { readonly [name: string]: Json };
}

/** Several calls under one signature: all or nothing. */
export function signCalls(
  network: BenchNetwork,
  account: Account,
  calls: readonly CallInWords[],
  nonce: number,
  validUntil: number,
): Transaction {
  const nonceBytes = new Uint8Array(8);
  new DataView(nonceBytes.buffer).setUint32(4, nonce);
  const body = {
    sender: account.publicKey,
    nonce: nonceBytes,
    validUntil,
    calls: calls.map(encodeCall),
    memo: new Uint8Array(0),
  };
  return signTransaction(fromHex(network.genesisId)!, body, (message) => account.signer.sign(message));
}

function encodeCall({ module, action, args }: CallInWords) {
  const bytes = quorateApplication.argsFromJson(module, action, args);
  if (!bytes.ok) throw new Error(bytes.problem);
  return { module, action, args: bytes.value };
}

/** Pre-signed transfers of one unit between two accounts, back and forth. */
export function signTransfers(
  network: BenchNetwork,
  count: number,
  firstNonce: number,
  validUntil: number,
): Transaction[] {
  const alice = accountOf(network, 'alice');
  const bob = accountOf(network, 'bob');
  return Array.from({ length: count }, (_, i) => {
    const [from, to] = i % 2 === 0 ? [alice, bob] : [bob, alice];
    const args = { asset: 'bench', to: toHex(to.publicKey), amount: '1' };
    return signCall(network, from, 'transfer', args, firstNonce + i, validUntil);
  });
}

/** Pre-signed registrations of as many records, so that the state grows by a row with each. */
export function signRegistrations(
  network: BenchNetwork,
  count: number,
  firstNonce: number,
  validUntil: number,
): Transaction[] {
  const writer = accountOf(network, 'writer');
  return Array.from({ length: count }, (_, i) => {
    const key = `bench/${firstNonce + i}`;
    const args = { key, digest: toHex(sha256(utf8Encode(key))), note: '' };
    return signCall(network, writer, 'register', args, firstNonce + i, validUntil, 'records');
  });
}
