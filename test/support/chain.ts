import assert from 'node:assert/strict';
import { createGenesis, possessionMessage } from '../../genesis/ceremony.ts';
import type { Genesis } from '../../genesis/genesis.ts';
import {
  blockHash,
  encodedReceipt,
  genesisHeader,
  type Header,
  type Receipt,
  receiptsRoot,
  transactionsRoot,
} from '../../ledger/block.ts';
import { type Bundle, bundleCodec, type Handoff, handoffOf } from '../../ledger/bundle.ts';
import { equalBytes, toHex, utf8Encode } from '../../ledger/bytes.ts';
import { type Certificate, type Checkpoint, checkpointSignBytes } from '../../ledger/checkpoint.ts';
import { encode, type Json } from '../../ledger/codec.ts';
import { portableVerify, publicKeyOf, signEd25519 } from '../../ledger/ed25519.ts';
import { executeBatch, genesisState, type StateChange } from '../../ledger/execution.ts';
import { sha256 } from '../../ledger/hash.ts';
import { appendHistory, emptyHistory, type History, historyProof, historyRoot } from '../../ledger/history.ts';
import { listProof } from '../../ledger/list-tree.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { defaultParameters } from '../../ledger/parameters.ts';
import { type Reply, replySignBytes, type SignedReply } from '../../ledger/reply.ts';
import type { VerifySignature } from '../../ledger/signature.ts';
import { encodeStateProof, type StateProof, statePath } from '../../ledger/state-proof.ts';
import { StateTree } from '../../ledger/state-tree.ts';
import type { Table, TableKey } from '../../ledger/table.ts';
import { type Call, signTransaction, type Transaction } from '../../ledger/transaction.ts';
import { multiSignature, quorum, type Validator, validatorsHash } from '../../ledger/validators.ts';
import { chooseSignatures } from '../../node/signatures.ts';
import { MemoryState } from './execution.ts';

/** Block time of block 0 in ms. */
export const GENESIS_TIME = 1_700_000_000_000;
const BLOCK_MS = 1_000;

export interface Member extends Validator {
  readonly seed: Uint8Array;
}

/** Secret seeds of the tests follow from a name, so that every run makes the same bytes. */
export const seedOf = (name: string): Uint8Array => sha256(utf8Encode(name));

export function memberOf(name: string, organisation = 'acme'): Member {
  const seed = seedOf(`consensus ${name}`);
  return { name, organisation, seed, key: publicKeyOf(seed), peerKey: publicKeyOf(seedOf(`peer ${name}`)) };
}

export interface Account {
  readonly name: string;
  readonly seed: Uint8Array;
  readonly key: Uint8Array;
}

export function accountOf(name: string): Account {
  const seed = seedOf(`account ${name}`);
  return { name, seed, key: publicKeyOf(seed) };
}

/** Accounts of every test chain with their roles. */
export const ACCOUNTS = [
  { ...accountOf('ann'), roles: ['writer', 'issuer'] },
  { ...accountOf('ben'), roles: [] },
] as const;

interface Block {
  readonly header: Header;
  readonly transactions: readonly Transaction[];
  readonly receipts: readonly Receipt[];
  readonly stateRoot: Uint8Array;
  readonly history: History;
  /** The state after it, by `table/0x<key>`. */
  readonly rows: ReadonlyMap<string, Uint8Array>;
}

/** What `certify` may get wrong on purpose. */
export interface Forgery {
  /** Indexes of the members that sign; the first q if not given. */
  readonly signers?: readonly number[];
  readonly checkpoint?: Partial<Checkpoint>;
  /** Chain that the signatures are for. */
  readonly genesisId?: Uint8Array;
}

/** A chain in memory, made with the real execution, trees and keys, without PBFT: whoever holds the seeds decides. */
export class Chain {
  readonly genesis: Genesis;
  readonly blocks: Block[] = [];
  readonly handoffs: Handoff[] = [];
  members: readonly Member[];
  epoch = 0;
  readonly #state = new MemoryState();
  readonly #tree = new StateTree();
  readonly #historyNodes = new Map<string, Uint8Array>();
  #history: History = emptyHistory;
  #nonce = 0;

  constructor(n = 4, name = 'test-chain') {
    this.members = Array.from({ length: n }, (_, index) => memberOf(`node-${index}`));
    this.genesis = genesisOf(name, this.members);
    this.#applyState(genesisState(this.genesis));
    this.#close(genesisHeader(this.genesis.id, GENESIS_TIME), [], []);
  }

  get height(): number {
    return this.blocks.length - 1;
  }

  call(module: string, action: string, args: Json): Call {
    const encoded = quorateApplication.argsFromJson(module, action, args);
    assert(encoded.ok, encoded.ok ? '' : encoded.problem);
    return { module, action, args: encoded.value };
  }

  /** A signed transaction with the next nonce. */
  transaction(sender: Account, ...calls: readonly Call[]): Transaction {
    this.#nonce += 1;
    const nonce = new Uint8Array(8);
    new DataView(nonce.buffer).setUint32(4, this.#nonce);
    const validUntil = GENESIS_TIME + this.blocks.length * BLOCK_MS + 60_000;
    const body = { sender: sender.key, nonce, validUntil, calls, memo: new Uint8Array(0) };
    return signTransaction(this.genesis.id, body, (message) => signEd25519(message, sender.seed));
  }

  /** The next block. */
  append(...transactions: readonly Transaction[]): Block {
    const parent = this.blocks.at(-1)!.header;
    const height = parent.height + 1;
    const result = executeBatch({
      application: quorateApplication,
      genesisId: this.genesis.id,
      parameters: this.genesis.parameters,
      idHorizonMs: this.genesis.parameters.maxLifetimeMs,
      state: this.#state,
      parentTimestamp: parent.timestamp,
      batch: { height, timestamp: GENESIS_TIME + height * BLOCK_MS, transactions: transactions.map(({ id }) => id) },
      transactions,
      executedBefore: (id) => this.blocks.some((block) => block.transactions.some((one) => equalBytes(one.id, id))),
    });
    this.#applyState(result.changes);
    const header: Header = {
      height,
      parent: blockHash(parent),
      timestamp: result.timestamp,
      transactionsRoot: transactionsRoot(result.executed.map(({ id }) => id)),
      receiptsRoot: receiptsRoot(result.receipts),
      count: result.receipts.length,
    };
    return this.#close(header, result.executed, result.receipts);
  }

  checkpoint(height = this.height): Checkpoint {
    const { header, stateRoot, history } = this.blocks[height]!;
    const validators = validatorsHash(this.members.map(toValidator));
    return {
      epoch: this.epoch,
      validatorsHash: validators,
      height,
      blockHash: blockHash(header),
      stateRoot,
      historyRoot: historyRoot(history),
      timestamp: header.timestamp,
      nextEpoch: this.epoch,
      nextValidatorsHash: validators,
    };
  }

  /** The certificate of a block of this epoch, or a forged one. */
  certify(height = this.height, forgery: Forgery = {}): Certificate {
    const checkpoint = { ...this.checkpoint(height), ...forgery.checkpoint };
    const message = checkpointSignBytes(forgery.genesisId ?? this.genesis.id, checkpoint);
    const n = this.members.length;
    const signers = forgery.signers ?? Array.from({ length: quorum(n) }, (_, index) => index);
    const signatures = new Map(signers.map((index) => [index, signEd25519(message, this.members[index]!.seed)]));
    return { scheme: 'ed25519-list', checkpoint, proof: multiSignature(n, signatures) };
  }

  /** C5: what member `index` says. */
  signReply(index: number, reply: Reply): SignedReply {
    const signature = signEd25519(replySignBytes(this.genesis.id, reply), this.members[index]!.seed);
    return { reply, sender: index, signature };
  }

  /** Ends the epoch with the newest block: the set hands over to `next`. */
  handOver(next: readonly Member[]): void {
    const validators = next.map(toValidator);
    const change = { nextEpoch: this.epoch + 1, nextValidatorsHash: validatorsHash(validators) };
    this.handoffs.push(handoffOf(this.certify(this.height, { checkpoint: change }), validators));
    this.members = next;
    this.epoch += 1;
  }

  bundle(fact: Bundle['fact'], certificate = this.certify()): Bundle {
    return {
      format: 'quorate-proof-1',
      genesisId: this.genesis.id,
      handoffs: this.handoffs.slice(0, certificate.checkpoint.epoch),
      certificate,
      fact,
    };
  }

  /** Proof of the transaction at `index` of block `height`. */
  transactionBundle(height: number, index: number, certificate = this.certify()): Bundle {
    const { header, transactions, receipts } = this.blocks[height]!;
    return this.bundle(
      {
        kind: 'transaction',
        value: {
          header,
          historyProof: this.historyProof(height, certificate.checkpoint.height),
          index,
          transaction: transactions[index]!.bytes,
          transactionProof: listProof(
            transactions.map(({ id }) => id),
            index,
          ),
          receipt: receipts[index]!,
          receiptProof: listProof(receipts.map(encodedReceipt), index),
        },
      },
      certificate,
    );
  }

  blockBundle(height: number, certificate = this.certify()): Bundle {
    const historyProof = this.historyProof(height, certificate.checkpoint.height);
    return this.bundle({ kind: 'block', value: { header: this.blocks[height]!.header, historyProof } }, certificate);
  }

  /** Proof of a row, or of its absence, in the state that is certified. */
  stateBundle<K extends TableKey, V>(table: Table<K, V>, key: NoInfer<K>, certificate = this.certify()): Bundle {
    return this.rowBundle(table.name, table.encodeKey(key).slice(), certificate);
  }

  /** As stateBundle, for a table that may not exist. */
  rowBundle(table: string, key: Uint8Array, certificate = this.certify()): Bundle {
    const { height } = certificate.checkpoint;
    const row = this.blocks[height]!.rows.get(`${table}/${toHex(key)}`);
    const proven = this.prove(statePath(table, key), height);
    assert.equal(proven.present, row !== undefined);
    return this.bundle(
      {
        kind: 'state',
        value: {
          table,
          key,
          value: row === undefined ? { kind: 'absent', value: {} } : { kind: 'present', value: row },
          proof: encodeStateProof(proven),
        },
      },
      certificate,
    );
  }

  /** What the state tree says of a path after block `height`. */
  prove(path: Uint8Array, height: number): StateProof & { readonly present: boolean } {
    return this.#tree.prove(path, height + 1);
  }

  /** The newest state, by `table/0x<key>`. */
  get rows(): ReadonlyMap<string, Uint8Array> {
    return this.#state.rows;
  }

  hasRow(table: string, key: Uint8Array): boolean {
    return this.#state.get(table, key) !== undefined;
  }

  historyProof(height: number, certified: number): Uint8Array[] {
    return historyProof(certified + 1, height, (level, index) => this.#historyNodes.get(`${level}/${index}`)!);
  }

  #applyState(changes: readonly StateChange[]): void {
    this.#state.apply(changes);
    this.#tree.apply(
      changes.map(({ table, key, value }) => ({
        path: statePath(table, key),
        valueHash: value === null ? null : sha256(value),
      })),
    );
  }

  #close(header: Header, transactions: readonly Transaction[], receipts: readonly Receipt[]): Block {
    const { next, nodes } = appendHistory(this.#history, blockHash(header));
    this.#history = next;
    for (const { level, index, hash } of nodes) this.#historyNodes.set(`${level}/${index}`, hash);
    const rows = new Map(this.#state.rows);
    const block = { header, transactions, receipts, stateRoot: this.#tree.root(), history: next, rows };
    this.blocks.push(block);
    return block;
  }
}

/**
 * Block 1: a transfer that fails, an issue, a record with two calls. Block 2: five transfers. Block 3: empty. Blocks 4 and
 * 5: one record each.
 */
export function smallChain(n = 4, name?: string): Chain {
  const chain = new Chain(n, name);
  const [ann, ben] = ACCOUNTS;
  const gold = (to: Account, amount: string) => ({ asset: 'gold', to: toHex(to.key), amount });
  const record = (key: string) =>
    chain.call('records', 'register', { key, digest: toHex(seedOf(`document ${key}`)), note: `note of ${key}` });
  chain.append(
    chain.transaction(ben, chain.call('assets', 'transfer', gold(ann, '1'))),
    chain.transaction(ann, chain.call('assets', 'issue', gold(ann, '1000'))),
    chain.transaction(ann, record('deed 1'), record('deed 2')),
  );
  chain.append(
    ...[1, 2, 3, 4, 5].map((amount) =>
      chain.transaction(ann, chain.call('assets', 'transfer', gold(ben, `${amount}`))),
    ),
  );
  chain.append();
  chain.append(chain.transaction(ann, record('deed 3')));
  chain.append(chain.transaction(ann, record('deed 4')));
  return chain;
}

/** A transaction of the first account that registers a record. */
export function register(chain: Chain, key: string, digest = `0x${'11'.repeat(32)}`): Transaction {
  return chain.transaction(ACCOUNTS[0], chain.call('records', 'register', { key, digest, note: '' }));
}

/** Appends blocks of 0 to 3 records each up to a height. */
export function growTo(chain: Chain, height: number): Chain {
  while (chain.height < height) {
    const records = Array.from({ length: chain.height % 4 }, (_, i) => `title ${chain.height + 1}/${i}`);
    chain.append(...records.map((key) => register(chain, key, toHex(seedOf(key)))));
  }
  return chain;
}

/** A chain of 40 blocks whose set changes at heights 5, 12 and 20: 4, 5, 7 and again 4 members, of which 3 are new. */
export function changedChain(): Chain {
  const chain = smallChain();
  const [first, ...members] = chain.members;
  const more = Array.from({ length: 3 }, (_, index) => memberOf(`node-${4 + index}`));
  chain.handOver([first!, ...members, more[0]!]);
  growTo(chain, 12);
  chain.handOver([...members, first!, ...more]);
  growTo(chain, 20);
  chain.handOver([...more, first!]);
  return growTo(chain, 40);
}

export function encodeBundle(bundle: Bundle): Uint8Array {
  return encode(bundleCodec, bundle);
}

/** The rule S5 with verdicts kept, up to `max` of them: mutations leave most signatures as they were. */
export function rememberingVerify(
  verify: VerifySignature = chooseSignatures().verify,
  max = Number.POSITIVE_INFINITY,
): VerifySignature {
  const known = new Map<string, boolean>();
  return (signature, message, publicKey) => {
    const name = [signature, message, publicKey].map((bytes) => Buffer.from(bytes).toString('base64')).join();
    let verdict = known.get(name);
    if (verdict === undefined) {
      verdict = verify(signature, message, publicKey);
      if (known.size >= max) known.clear();
      known.set(name, verdict);
    }
    return verdict;
  };
}

export function toValidator({ name, organisation, key, peerKey }: Validator): Validator {
  return { name, organisation, key, peerKey };
}

function genesisOf(chain: string, members: readonly Member[]): Genesis {
  const read = createGenesis(
    {
      chain,
      time: GENESIS_TIME,
      recovery: 67,
      organisations: [
        {
          name: 'acme',
          administrators: [publicKeyOf(seedOf('administrator'))],
          threshold: 1,
          roles: ['writer', 'issuer'],
        },
      ],
      validators: members.map((member) => ({
        ...toValidator(member),
        possession: signEd25519(possessionMessage(chain, toValidator(member)), member.seed),
        addresses: [],
      })),
      accounts: ACCOUNTS.map(({ name, key, roles }) => ({ name, key, organisation: 'acme', roles })),
      parameters: defaultParameters,
    },
    portableVerify,
  );
  assert(read.ok, read.ok ? '' : read.problem);
  return read.genesis;
}
