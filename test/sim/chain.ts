import assert from 'node:assert/strict';
import { toHex, utf8Encode } from '../../ledger/bytes.ts';
import { sha256 } from '../../ledger/hash.ts';
import type { Parameters } from '../../ledger/parameters.ts';
import type { Transaction } from '../../ledger/transaction.ts';
import { createSigner, type Signer } from '../../node/signatures.ts';
import { type TestGenesis, testGenesis } from '../support/genesis.ts';
import type { Crypto } from './crypto.ts';

/**
 * A genesis, and the keys of all machines of a run: machine i is validator i of genesis, and those beyond are in none of
 * its sets yet.
 */
export interface SimChain extends TestGenesis {
  readonly parameters: Parameters;
  readonly machines: number;
  /** A registration of a record under a fresh key, by the writer. */
  transaction(nonce: number, validUntil: number, key?: string): Transaction;
  readonly crypto: Crypto;
  /** Consensus key of a machine. */
  signerOf(machine: number): Signer;
  peerKeyOf(machine: number): Uint8Array;
  /** Another consensus key for a machine. */
  newSigner(machine: number): Signer;
  /** The same key with true signatures, for what execution verifies by itself. */
  realSignerOf(signer: Signer): Signer;
  administratorOf(organisation: string): Signer;
  /** Who holds this consensus key, in hex. */
  machineOf(key: string): number;
}

const made = new Map<string, TestGenesis>();

/** The genesis of n validators; made once for the same parameters, since making it costs real signatures. */
export function simChain(n: number, parameters: Partial<Parameters>, crypto: Crypto, machines = n): SimChain {
  assert(machines >= n, `${machines} machines for ${n} validators`);
  const name = JSON.stringify([n, parameters]);
  const chain = made.get(name) ?? testGenesis(n, parameters);
  made.set(name, chain);
  const { genesis } = chain;
  const writer = crypto.signer(sha256(utf8Encode('writer')));
  const numbers = Array.from({ length: machines }, (_, machine) => machine);
  const signers = numbers.map((machine) => crypto.signer(sha256(utf8Encode(`consensus ${machine}`))));
  const peerKeys = numbers.map((machine) => chain.account(`peer ${machine}`).publicKey);
  const seeds = new Map<string, Uint8Array>();
  const holders = new Map(signers.map(({ publicKey }, machine) => [toHex(publicKey), machine]));
  return {
    ...chain,
    parameters: genesis.parameters,
    crypto,
    machines,
    signerOf: (machine) => signers[machine]!,
    newSigner(machine) {
      const seed = sha256(utf8Encode(`consensus ${machine} ${holders.size}`));
      const signer = crypto.signer(seed);
      holders.set(toHex(signer.publicKey), machine);
      seeds.set(toHex(signer.publicKey), seed);
      return signer;
    },
    realSignerOf: ({ publicKey }) => createSigner(seeds.get(toHex(publicKey))!),
    administratorOf: (organisation) => crypto.signer(sha256(utf8Encode(`admin ${organisation}`))),
    peerKeyOf: (machine) => peerKeys[machine]!,
    machineOf(key) {
      const machine = holders.get(key);
      assert(machine !== undefined, `no machine holds ${key}`);
      return machine;
    },
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
