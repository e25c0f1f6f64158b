import type { Header, Receipt } from '../ledger/block.ts';
import type { Handoff } from '../ledger/bundle.ts';
import type { Certificate } from '../ledger/checkpoint.ts';
import type { SignedReady } from '../ledger/ready.ts';
import type { SignedReply } from '../ledger/reply.ts';
import type { Transaction } from '../ledger/transaction.ts';
import type { ValidatorSet } from '../ledger/validators.ts';

/** All that the REST API may ask of its node. Bytes in, decoded ledger types out; nothing here throws for bad input. */
export interface NodePort {
  readonly info: NodeInfo;
  /** Own index in the validator set; undefined while this node has no vote. */
  index(): number | undefined;
  chain(): ChainStatus;
  /**
   * Admits transactions (canonical bytes). One outcome each, same order. The same bytes again answer `known`. Resolves
   * when the outcome is decided: signatures are verified, and what was accepted is kept and forwarded.
   */
  submit(transactions: readonly Uint8Array[]): Promise<readonly SubmitOutcome[]>;
  /** Why nothing would be admitted now, for who looks at nothing then; `retryAfter` in seconds. Undefined if something would. */
  overload(): { readonly detail: string; readonly retryAfter: number } | undefined;
  /**
   * What executing a transaction (canonical bytes) now would give, or why it would not be admitted. Nothing is kept or sent,
   * and its signature is not looked at.
   */
  dryRun(transaction: Uint8Array): Promise<DryRunOutcome>;
  /**
   * As `transaction`, for many at once and without receipts and bytes; waits until `until` is reached for all. In the order of `ids`,
   * of which two may be the same.
   */
  outcomes(
    ids: readonly Uint8Array[],
    until: Exclude<Wait, 'none'>,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<readonly TransactionOutcome[]>;
  /** What is known of a transaction; waits until `until` is reached or the time is over. Never rejects on time-out. */
  transaction(id: Uint8Array, until: Wait, timeoutMs: number, signal: AbortSignal): Promise<TransactionStatus>;
  /**
   * Resolves when this node has executed a height, or for `final` has a certificate of it too, after `timeoutMs`, or on abort,
   * whichever is first; never rejects. `chain` says which it was, and no read after that answers with less.
   */
  reach(height: number, until: Exclude<Wait, 'none'>, timeoutMs: number, signal: AbortSignal): Promise<void>;
  /**
   * As `transaction` without waiting, for whoever has the bytes: with them a node can tell that a transaction has expired
   * which it never held (C4). The bytes are not admitted and their signature is not looked at.
   */
  statusOfBytes(transaction: Transaction): Promise<TransactionStatus>;
  /** C5: a status under this node's signature. Undefined: it says nothing that can be signed, or the node has halted. */
  signedReply(status: TransactionStatus): Promise<SignedReply | undefined>;
  /** Encoded bundle (ledger/bundle.ts) of a final transaction. */
  transactionProof(id: Uint8Array): Promise<Uint8Array | undefined>;
  /** Encoded bundle of a block's header, under the newest certificate or that of height `under`. */
  blockProof(height: number, under: number | undefined): Promise<Uint8Array | undefined>;
  /** Of an executed block: which epoch it is in, and which one it is the last block before. */
  epochAt(height: number): Promise<EpochPlace>;
  /** Ends of consecutive epochs from the end of epoch `from` on: at most a page (UPDATES_MAX). */
  handoffs(from: number): Promise<readonly Handoff[]>;
  block(at: number | Uint8Array): Promise<BlockView | undefined>;
  blocks(from: number, limit: number, descending: boolean): Promise<readonly HeaderView[]>;
  certificate(height: number | 'latest'): Promise<Certificate | undefined>;
  certificates(from: number, limit: number, descending: boolean): Promise<readonly Certificate[]>;
  /** Undefined: that height is not executed here, or its state is not kept. */
  state(
    table: string,
    key: Uint8Array,
    at: 'latest' | 'final' | number,
    proof: boolean,
    /** `final` is at least this height then, which `chain` said is final. */
    minHeight: number,
  ): Promise<StateView | undefined>;
  stateRows(table: string, prefix: Uint8Array, after: Uint8Array | undefined, limit: number): Promise<StateRows>;
  validators(): readonly ValidatorView[];
  consensus(): ConsensusView;
  why(): WhyView;
  /** Without a vote: whether a member was asked a moment ago, and knew nothing newer than is executed here. */
  isCurrent(): boolean;
  /** E5: this node's READY, or why it has none. */
  signReady(): SignedReady | string;
  peers(): readonly PeerView[];
  mempool(): MempoolView;
  evidence(): readonly EvidenceView[];
  /** Calls back until the function that it returns is called. Callbacks are short and throw nothing. */
  watch(watcher: Watcher): () => void;
}

export interface Watcher {
  /** Everything up to this height is executed and certified here. */
  final(height: number): void;
  /** This node took part in, or learned of, a change to a view above 0. */
  viewEntered(view: ViewEntered): void;
}

export interface ViewEntered {
  readonly epoch: number;
  readonly view: number;
  /** Index in the set of the epoch. */
  readonly leader: number;
}

export type Wait = 'none' | 'committed' | 'final';

/** `same`: send the same bytes again. `never`: these bytes can't succeed. */
export type Retry = 'never' | 'same' | 'later' | 'elsewhere';

export type SubmitOutcome =
  | { readonly kind: 'accepted'; readonly id: Uint8Array }
  | { readonly kind: 'known'; readonly id: Uint8Array }
  | {
      readonly kind: 'refused';
      readonly id: Uint8Array | undefined;
      readonly code: RefusalCode;
      readonly detail: string;
      /** Seconds after which trying again makes sense; for what another moment changes. */
      readonly retryAfter?: number;
    };

export type DryRunOutcome =
  | {
      readonly kind: 'ran';
      /** Of the newest executed block, on whose state it ran. */
      readonly height: number;
      /** Block time in ms that it ran at. */
      readonly time: number;
      /** Undefined: its id has a receipt already, so that it would be passed over. */
      readonly receipt: Receipt | undefined;
    }
  | Extract<SubmitOutcome, { kind: 'refused' }>;

export type RefusalCode =
  | 'malformed'
  | 'bad-signature'
  | 'unknown-action'
  | 'invalid-args'
  | 'not-permitted'
  | 'too-large'
  /** It can never execute (C4). */
  | 'expired'
  /** By this node's clock. */
  | 'too-late'
  | 'expiry-too-far'
  | 'overloaded'
  /** Of this account, by its role. */
  | 'too-many-pending'
  | 'too-fast'
  | 'syncing'
  | 'no-quorum'
  | 'halted'
  | 'draining';

/**
 * pending: this node holds it. committed: ordered by a quorum, executed here, receipt known. final: under a certificate, receipt
 * `ok`. rejected: under a certificate, receipt `failed`, nothing changed. expired: can no longer execute (C4). unknown:
 * this node never heard of it, or it is older than what the node keeps.
 */
export type TransactionState = 'pending' | 'committed' | 'final' | 'rejected' | 'expired' | 'unknown';

/** How far a transaction is, and where. */
export interface TransactionOutcome {
  readonly id: Uint8Array;
  readonly status: TransactionState;
  readonly block?: { readonly height: number; readonly index: number };
}

export interface TransactionStatus extends TransactionOutcome {
  readonly receipt?: Receipt;
  readonly transaction?: Uint8Array;
}

export interface NodeInfo {
  readonly name: string;
  readonly version: string;
  readonly genesisId: Uint8Array;
  readonly chain: string;
  /** The genesis file as it is. */
  readonly genesisText: string;
}

/** A page for people, one self-contained file. */
export interface BuiltPage {
  readonly html: Uint8Array;
  /** Its content security policy, as it states it itself. */
  readonly policy: string;
}

export interface ChainStatus {
  readonly epoch: number;
  /** Newest executed block. */
  readonly height: number;
  readonly blockHash: Uint8Array;
  readonly stateRoot: Uint8Array;
  /** Newest block under a certificate here. */
  readonly finalHeight: number;
  readonly finalStateRoot: Uint8Array;
  /** Chain time now in ms (T1): what validUntil is chosen from. */
  readonly time: number;
  readonly maxLifetimeMs: number;
}

export interface BlockView extends HeaderView {
  readonly transactions: readonly { readonly id: Uint8Array; readonly bytes: Uint8Array; readonly receipt: Receipt }[];
}

/** Where a block is among the epochs. */
export interface EpochPlace {
  /** Of its certificate; undefined for block 0, which no epoch has certified. */
  readonly epoch: number | undefined;
  /** The epoch that begins with the block above it, if this block ends one. */
  readonly next: { readonly number: number; readonly validators: ValidatorSet } | undefined;
}

export interface HeaderView {
  readonly hash: Uint8Array;
  readonly header: Header;
}

export interface StateView {
  readonly height: number;
  readonly value: Uint8Array | undefined;
  readonly bundle: Uint8Array | undefined;
}

export interface StateRows {
  readonly height: number;
  readonly rows: readonly { readonly key: Uint8Array; readonly value: Uint8Array }[];
}

export interface ValidatorView {
  readonly index: number;
  readonly name: string;
  readonly organisation: string;
  readonly key: Uint8Array;
  readonly leader: boolean;
  readonly connected: boolean;
}

/** starting: replaying and catching up. active: votes. behind: catching up. doubt: will not vote. halted: stopped on divergence. */
/** `observing`: it has no vote. */
export type NodeMode = 'starting' | 'active' | 'behind' | 'doubt' | 'halted' | 'observing';

export interface ConsensusView {
  readonly mode: NodeMode;
  /** Why, when the mode is not active. */
  readonly reason?: string;
  readonly epoch: number;
  /** The view entered last. */
  readonly view: number;
  /** The view asked for; above `view` while waiting for its NEW-VIEW. */
  readonly viewAsked: number;
  /** Why this node suspects that view, if it does. */
  readonly suspicion?: string;
  /** Of the current view, in ms. */
  readonly viewTimeoutMs: number;
  readonly leader: number;
  readonly low: number;
  readonly executed: number;
  readonly window: number;
  readonly quorum: number;
  readonly inFlight: number;
  /** Members with a live channel, this one included. */
  readonly connected: number;
}

/** What a node waits for, and from whom. */
export interface WhyView {
  /** For people: `Waiting for COMMIT at height 812: have 2 of 3 (acme, globex); initech silent for 41 s`. */
  readonly sentence: string;
  readonly waitingFor: (typeof WAITED_FOR)[number];
  readonly height?: number;
  readonly view?: number;
  /** Members whose part is here, and how many of them it takes. */
  readonly have?: number;
  readonly need?: number;
  /** Names of those whose part is here. */
  readonly from: readonly string[];
  readonly missing: readonly { readonly name: string; readonly why: string }[];
}

export const WAITED_FOR = [
  /** It has all it needs, and nothing is pending. */
  'nothing',
  /** Channels to a quorum. */
  'peers',
  /** What a quorum holds of its own signatures (R6). */
  'answers',
  'pre-prepare',
  'prepare',
  'commit',
  'checkpoint',
  'view-change',
  'new-view',
  /** Transactions of a proposal. */
  'bodies',
  /** Blocks below a certificate. */
  'blocks',
  /** A proposal can't be accepted yet: its time is ahead (T4), or a batch below may end the epoch (N12). */
  'held',
  /** It has halted. */
  'operator',
] as const;

/** Two different signed contents of one slot. */
export interface EvidenceView {
  /** Whose signatures they are. */
  readonly member: number;
  /** Its name, if it is a member now. */
  readonly name?: string;
  readonly kind: string;
  readonly epoch: number;
  readonly view?: number;
  readonly height: number;
  /** Canonical bytes (docs/formats.md, Evidence): anybody can check them with the genesis file. */
  readonly evidence: Uint8Array;
}

export interface PeerView {
  readonly index: number;
  readonly name: string;
  readonly connected: boolean;
  readonly addresses: readonly string[];
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly reason?: string;
}

export interface MempoolView {
  readonly transactions: number;
  readonly bytes: number;
  readonly transactionsMax: number;
  readonly bytesMax: number;
}
