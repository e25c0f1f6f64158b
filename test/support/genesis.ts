import assert from 'node:assert/strict';
import { createGenesis, possessionMessage } from '../../genesis/ceremony.ts';
import type { Genesis } from '../../genesis/genesis.ts';
import { utf8Encode } from '../../ledger/bytes.ts';
import { type Certificate, type Checkpoint, checkpointSignBytes } from '../../ledger/checkpoint.ts';
import type { Json } from '../../ledger/codec.ts';
import { sha256 } from '../../ledger/hash.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { defaultParameters, type Parameters } from '../../ledger/parameters.ts';
import { signTransaction, type Transaction } from '../../ledger/transaction.ts';
import { multiSignature, validatorsHash } from '../../ledger/validators.ts';
import type { Head } from '../../node/ports.ts';
import { chooseSignatures, createSigner, type Signer } from '../../node/signatures.ts';

export const START_TIME = 1_700_000_000_000;

export interface TestGenesis {
  readonly genesis: Genesis;
  /** Consensus signers by index. */
  readonly validators: readonly Signer[];
  account(name: string): Signer;
  /** A signed transaction with one call. */
  sign(
    account: string,
    module: string,
    action: string,
    args: Json,
    options?: { nonce?: number; validUntil?: number; signer?: Signer },
  ): Transaction;
}

const signers = new Map<string, Signer>();

/** Made once for each name: a key costs a point multiplication. */
function signerOf(name: string): Signer {
  const signer = signers.get(name) ?? createSigner(sha256(utf8Encode(name)));
  signers.set(name, signer);
  return signer;
}

/** A chain of n validators and the accounts writer, issuer, alice and bob. */
export function testGenesis(n = 4, parameters: Partial<Parameters> = {}): TestGenesis {
  const { verify } = chooseSignatures();
  const validators = Array.from({ length: n }, (_, i) => signerOf(`consensus ${i}`));
  const members = validators.map(({ publicKey }, i) => {
    return { name: `v${i}`, organisation: `org${i}`, key: publicKey, peerKey: signerOf(`peer ${i}`).publicKey };
  });
  const chain = 'test';
  const created = createGenesis(
    {
      chain,
      time: START_TIME,
      organisations: members.map(({ organisation }) => {
        const administrators = [signerOf(`admin ${organisation}`).publicKey];
        return { name: organisation, administrators, threshold: 1, roles: ['writer', 'issuer'] };
      }),
      validators: members.map((member, i) => {
        return { ...member, possession: validators[i]!.sign(possessionMessage(chain, member)), addresses: [] };
      }),
      accounts: [
        ['writer', ['writer']],
        ['issuer', ['issuer']],
        ['alice', []],
        ['bob', []],
      ].map(([name, roles]) => {
        return {
          name: name as string,
          organisation: 'org0',
          key: signerOf(name as string).publicKey,
          roles: roles as string[],
        };
      }),
      recovery: 67,
      parameters: { ...defaultParameters, ...parameters },
    },
    verify,
  );
  assert(created.ok, created.ok ? '' : created.problem);
  const { genesis } = created;
  return {
    genesis,
    validators,
    account: signerOf,
    sign(
      account,
      module,
      action,
      json,
      { nonce = 0, validUntil = START_TIME + 600_000, signer = signerOf(account) } = {},
    ) {
      const args = quorateApplication.argsFromJson(module, action, json);
      assert(args.ok, args.ok ? '' : args.problem);
      const nonceBytes = new Uint8Array(8);
      new DataView(nonceBytes.buffer).setUint32(0, nonce);
      const calls = [{ module, action, args: args.value }];
      const body = { sender: signer.publicKey, nonce: nonceBytes, validUntil, calls, memo: new Uint8Array(0) };
      return signTransaction(genesis.id, body, (message) => signer.sign(message));
    },
  };
}

/** A signed registration of a record. */
export function register(
  chain: TestGenesis,
  key: string,
  options?: { nonce?: number; validUntil?: number },
): Transaction {
  const digest = `0x${Buffer.from(sha256(utf8Encode(key))).toString('hex')}`;
  return chain.sign('writer', 'records', 'register', { key, digest, note: '' }, options);
}

/** A certificate of a block, signed by three of four. */
export function certificateOf(
  { genesis, validators }: TestGenesis,
  head: Head,
  epochs: Partial<Pick<Checkpoint, 'epoch' | 'nextEpoch' | 'nextValidatorsHash'>> = {},
): Certificate {
  const set = validatorsHash(genesis.validators);
  const { height, blockHash, stateRoot, historyRoot, timestamp } = head;
  const roots = { height, blockHash, stateRoot, historyRoot, timestamp };
  const epoch = { epoch: 0, validatorsHash: set, nextEpoch: 0, nextValidatorsHash: set };
  const checkpoint: Checkpoint = { ...epoch, ...roots, ...epochs };
  const message = checkpointSignBytes(genesis.id, checkpoint);
  const signatures = new Map([0, 2, 3].map((index) => [index, validators[index]!.sign(message)] as const));
  return { scheme: 'ed25519-list', checkpoint, proof: multiSignature(genesis.validators.length, signatures) };
}
