import assert from 'node:assert/strict';
import { createGenesis, possessionMessage } from '../genesis/ceremony.ts';
import type { Genesis } from '../genesis/genesis.ts';
import { blockHash, encodedReceipt, type Header, receiptsRoot, transactionsRoot } from '../ledger/block.ts';
import { bundleCodec, handoffOf } from '../ledger/bundle.ts';
import { toHex, utf8Encode } from '../ledger/bytes.ts';
import { type Certificate, type Checkpoint, checkpointSignBytes } from '../ledger/checkpoint.ts';
import { encode } from '../ledger/codec.ts';
import { executeBatch, genesisState } from '../ledger/execution.ts';
import { sha256 } from '../ledger/hash.ts';
import { historyProof } from '../ledger/history.ts';
import { listProof, listRootFromProof } from '../ledger/list-tree.ts';
import { quorateApplication as application } from '../ledger/modules/index.ts';
import { defaultParameters as parameters } from '../ledger/parameters.ts';
import { signTransaction, type Transaction } from '../ledger/transaction.ts';
import { multiSignature, quorum, type Validator, validatorsHash } from '../ledger/validators.ts';
import type { Bundle } from '../light/index.ts';
import { chooseSignatures, createSigner, type Signer } from '../node/signatures.ts';
import { memoryState } from './memory-state.ts';

const START = 1_700_000_000_000;
const CHAIN = 'bench';

export interface Member extends Validator {
  readonly signer: Signer;
}

/** Keys follow from a number, so that every run has the same bytes. */
export function members(count: number): Member[] {
  return Array.from({ length: count }, (_, index) => {
    const signer = signerOf(`validator ${index}`);
    const number = String(index).padStart(3, '0');
    return {
      name: `validator-${number}`,
      organisation: `organisation-${number}`,
      key: signer.publicKey,
      peerKey: signerOf(`peer ${index}`).publicKey,
      signer,
    };
  });
}

/** A chain of these validators, each of its own organisation, with one account that issues and one that receives. */
export function genesisOf(validators: readonly Member[]): Genesis {
  const read = createGenesis(
    {
      chain: CHAIN,
      time: START,
      recovery: 0,
      organisations: validators.map(({ organisation }, index) => ({
        name: organisation,
        administrators: [signerOf(`administrator ${index}`).publicKey],
        threshold: 1,
        roles: ['issuer', 'writer'],
      })),
      validators: validators.map((member) => ({
        ...asValidator(member),
        possession: member.signer.sign(possessionMessage(CHAIN, asValidator(member))),
        addresses: [],
      })),
      accounts: ['alice', 'bob'].map((name) => ({
        name,
        key: signerOf(name).publicKey,
        organisation: validators[0]!.organisation,
        roles: name === 'alice' ? ['issuer'] : [],
      })),
      // A NEW-VIEW of 100 validators has to fit a message.
      parameters: { ...parameters, window: 4 },
    },
    chooseSignatures().verify,
  );
  assert(read.ok, read.ok ? '' : read.problem);
  return read.genesis;
}

export interface HistoryPlace {
  /** Blocks in the history: the certified height and one. */
  readonly count: number;
  readonly height: number;
}

/**
 * Siblings of a block in a history of any length. The subtrees are read as a node reads its stored ones, but nobody has
 * built them: each is 32 bytes that follow from its place, which is all that size and time depend on.
 */
export function historySiblings({ count, height }: HistoryPlace): Uint8Array[] {
  return historyProof(count, height, (level, index) => sha256(utf8Encode(`subtree ${level} ${index}`)));
}

/** Proof of one transaction of a block of `count`, the one in the middle: alice issues gold to bob. */
export function transactionBundle(
  validators: readonly Member[],
  genesis: Genesis,
  count: number,
  place: HistoryPlace,
): Bundle {
  const transactions = issues(genesis, count);
  const ids = transactions.map(({ id }) => id);
  const timestamp = START + place.height;
  const state = memoryState();
  state.apply(genesisState(genesis));
  const { receipts } = executeBatch({
    application,
    genesisId: genesis.id,
    parameters: genesis.parameters,
    idHorizonMs: genesis.parameters.maxLifetimeMs,
    state,
    parentTimestamp: timestamp - 1,
    batch: { height: place.height, timestamp, transactions: ids },
    transactions,
    executedBefore: () => false,
  });
  assert(receipts.every(({ status }) => status === 'ok') && receipts.length === count);
  const index = Math.floor(count / 2);
  const roots = { transactionsRoot: transactionsRoot(ids), receiptsRoot: receiptsRoot(receipts) };
  const header: Header = { height: place.height, parent: new Uint8Array(32).fill(1), timestamp, ...roots, count };
  const siblings = historySiblings(place);
  return {
    format: 'quorate-proof-1',
    genesisId: genesis.id,
    handoffs: [],
    certificate: certify(validators, genesis, 0, { ...certified(place, header, siblings) }),
    fact: {
      kind: 'transaction',
      value: {
        header,
        historyProof: siblings,
        index,
        transaction: transactions[index]!.bytes,
        transactionProof: listProof(ids, index),
        receipt: receipts[index]!,
        receiptProof: listProof(receipts.map(encodedReceipt), index),
      },
    },
  };
}

/** Proof of an old block after `epochs` changes of the set, each of which exchanges one of the `n` members. */
export function handoffBundle(pool: readonly Member[], genesis: Genesis, n: number, epochs: number): Bundle {
  const setOf = (epoch: number): readonly Member[] => pool.slice(epoch, epoch + n);
  const place = { count: 1_000_000, height: 1_000 };
  const siblings = historySiblings(place);
  const header: Header = {
    height: place.height,
    parent: new Uint8Array(32).fill(1),
    timestamp: START + place.height,
    transactionsRoot: transactionsRoot([]),
    receiptsRoot: receiptsRoot([]),
    count: 0,
  };
  const handoffs = Array.from({ length: epochs }, (_, epoch) => {
    const next = setOf(epoch + 1).map(asValidator);
    const checkpoint = { height: 9_000 * (epoch + 1), nextEpoch: epoch + 1, nextValidatorsHash: validatorsHash(next) };
    return handoffOf(certify(setOf(epoch), genesis, epoch, checkpoint), next);
  });
  return {
    format: 'quorate-proof-1',
    genesisId: genesis.id,
    handoffs,
    certificate: certify(setOf(epochs), genesis, epochs, certified(place, header, siblings)),
    fact: { kind: 'block', value: { header, historyProof: siblings } },
  };
}

export function encodeBundle(bundle: Bundle): Uint8Array {
  return encode(bundleCodec, bundle);
}

function certified(place: HistoryPlace, header: Header, siblings: readonly Uint8Array[]): Partial<Checkpoint> {
  const proof = { count: place.count, index: place.height, content: blockHash(header), siblings };
  return { height: place.count - 1, historyRoot: listRootFromProof(proof)! };
}

/** The certificate of the first q members. */
function certify(set: readonly Member[], genesis: Genesis, epoch: number, change: Partial<Checkpoint>): Certificate {
  const hash = validatorsHash(set.map(asValidator));
  const filler = new Uint8Array(32).fill(2);
  const checkpoint: Checkpoint = {
    epoch,
    validatorsHash: hash,
    height: 0,
    blockHash: filler,
    stateRoot: filler,
    historyRoot: filler,
    timestamp: START,
    nextEpoch: epoch,
    nextValidatorsHash: hash,
    ...change,
  };
  const message = checkpointSignBytes(genesis.id, checkpoint);
  const signers = set.slice(0, quorum(set.length));
  const signatures = new Map(signers.map(({ signer }, index) => [index, signer.sign(message)]));
  return { scheme: 'ed25519-list', checkpoint, proof: multiSignature(set.length, signatures) };
}

function issues(genesis: Genesis, count: number): Transaction[] {
  const [alice, bob] = [signerOf('alice'), signerOf('bob')];
  const args = application.argsFromJson('assets', 'issue', { asset: 'gold', to: toHex(bob.publicKey), amount: '1' });
  assert(args.ok);
  const call = { module: 'assets', action: 'issue', args: args.value };
  return Array.from({ length: count }, (_, index) => {
    const nonce = new Uint8Array(8);
    new DataView(nonce.buffer).setUint32(4, index);
    const validUntil = START + 1_000_000;
    const body = { sender: alice.publicKey, nonce, validUntil, calls: [call], memo: new Uint8Array(0) };
    return signTransaction(genesis.id, body, (message) => alice.sign(message));
  });
}

function signerOf(name: string): Signer {
  return createSigner(sha256(utf8Encode(name)));
}

function asValidator({ name, organisation, key, peerKey }: Validator): Validator {
  return { name, organisation, key, peerKey };
}
