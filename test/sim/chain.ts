import { utf8Encode } from '../../ledger/bytes.ts';
import { sha256 } from '../../ledger/hash.ts';
import type { Parameters } from '../../ledger/parameters.ts';
import type { Transaction } from '../../ledger/transaction.ts';
import type { Signer } from '../../node/signatures.ts';
import { type TestGenesis, testGenesis } from '../support/genesis.ts';
import type { Crypto } from './crypto.ts';

export interface SimChain extends TestGenesis {
  readonly parameters: Parameters;
  /** A registration of a record under a fresh key, by the writer. */
  transaction(nonce: number, validUntil: number, key?: string): Transaction;
  readonly crypto: Crypto;
  signerOf(member: number): Signer;
}

const made = new Map<string, TestGenesis>();

/** The genesis of n validators; made once for the same parameters, since making it costs real signatures. */
export function simChain(n: number, parameters: Partial<Parameters>, crypto: Crypto): SimChain {
  const name = JSON.stringify([n, parameters]);
  const chain = made.get(name) ?? testGenesis(n, parameters);
  made.set(name, chain);
  const { genesis } = chain;
  const writer = crypto.signer(sha256(utf8Encode('writer')));
  const signers = chain.validators.map((_, i) => crypto.signer(sha256(utf8Encode(`consensus ${i}`))));
  return {
    ...chain,
    parameters: genesis.parameters,
    crypto,
    signerOf: (member) => signers[member]!,
    transaction(nonce, validUntil, key = `key ${nonce}`) {
      const digest = `0x${Buffer.from(sha256(utf8Encode(key))).toString('hex')}`;
      return chain.sign(
        'writer',
        'records',
        'register',
        { key, digest, note: '' },
        { nonce, validUntil, signer: writer },
      );
    },
  };
}
