import type { ValidatorSet } from '../ledger/validators.ts';
/**
 * What the replica needs from the world, as interfaces: production wires threads, sockets and disks behind them, the
 * simulator its own. Only packed bytes cross to other threads, never a message per transaction.
 */

import type { Receipt } from '../ledger/block.ts';
import type { RoleLimits } from '../ledger/modules/account-limits.ts';
import type { Epoch } from '../ledger/modules/epoch.ts';
import type { Head, Ordered, UncertifiedHead } from './pbft/events.ts';

export type { Head } from './pbft/events.ts';

/** Timers of one process. */
export interface Scheduler {
  /** Runs `run` after `delayMs`; returns what stops it. */
  setTimer(delayMs: number, run: () => void): () => void;
  /** Runs `run` when the current turn of the event loop is over. */
  soon(run: () => void): void;
}

/** Where the journal stood when a block was handed over: the last group whose fsync had returned (R1). */
export interface JournalMark {
  readonly group: number;
  /** Chain hash of that group, 32 bytes. */
  readonly chain: Uint8Array;
}

/** Who may send, and how much. */
export interface PackedSenders {
  /** Public keys with what each may send and for whom (node/senders.ts), one after the other. */
  readonly entries: Uint8Array;
  /** Rows of `governance.limits`; undefined: it is gone. */
  readonly limits: readonly { readonly role: string; readonly limits: RoleLimits | undefined }[];
}

export interface Executed extends Head {
  /** One byte per position of the batch: 0 ok, 1 failed, 2 skipped (N9). */
  readonly outcomes: Uint8Array;
  /** Those for whom it changed; undefined if for nobody. */
  readonly senders: PackedSenders | undefined;
  /** Whether it changes Membership, but for what its time ends. */
  readonly membership: boolean;
}

/** Who is admitted without being a member: a candidate or an observer. */
export interface Guest {
  readonly name: string;
  readonly peerKey: Uint8Array;
}

/** E1, R8: what the newest executed block says about who takes part. */
export interface Membership {
  /** The epoch of the next block. */
  readonly current: Epoch;
  readonly previous: Epoch | undefined;
  /** By the time of that block. */
  readonly guests: readonly Guest[];
  /** The block time in ms after which the first of them is none any more; undefined if none of them has an end. */
  readonly guestsUntil: number | undefined;
}

export interface OpenedLedger {
  readonly head: Head;
  /** Executed blocks above the newest certificate, ascending, the head last: their CHECKPOINTs are signed again. */
  readonly uncertified: readonly UncertifiedHead[];
  /** Encoded newest certificate, if any block above genesis is final here. */
  readonly certificate: Uint8Array | undefined;
  /** The journal mark of the newest block's LevelDB batch; undefined at height 0. */
  readonly mark: JournalMark | undefined;
  /** Ids with a receipt in blocks within idHorizon, 32 bytes each, one after the other. */
  readonly recentIds: Uint8Array;
  /** All who may send. */
  readonly senders: PackedSenders;
  /** R8: height of the installed snapshot, 0 if there is none: what executed in blocks up to it may be out of sight here. */
  readonly base: number;
  readonly membership: Membership;
}

/** R8: a piece of a snapshot as a peer gave it, not yet trusted. */
export type SnapshotStep =
  /** Encoded Snapshot, whose certificate is verified. */
  | { readonly kind: 'begin'; readonly snapshot: Uint8Array }
  /** Encoded RowsAnswer: rows of the part that `rows` of the last progress names. */
  | { readonly kind: 'rows'; readonly answer: Uint8Array }
  /** Encoded BlockIdsAnswer: from the height that `blocks` of the last progress names. */
  | { readonly kind: 'blocks'; readonly answer: Uint8Array };

/** What a snapshot on its way still lacks: it is complete when it is neither rows nor blocks. */
export interface SnapshotProgress {
  /** Why the last piece was refused. */
  readonly problem: string | undefined;
  /** How many parts still lack their rows, and the first of them. */
  readonly parts: number;
  readonly rows: { readonly prefix: Uint8Array; readonly depth: number } | undefined;
  /** Height of the next block whose ids lack. */
  readonly blocks: number | undefined;
}

/** What a node goes on from after it took a snapshot. */
export interface Installed {
  readonly head: Head;
  /** Encoded, of the head. */
  readonly certificate: Uint8Array;
  readonly recentIds: Uint8Array;
  /** All who may send by the installed state. */
  readonly senders: PackedSenders;
  readonly membership: Membership;
}

/** One block as a peer hands it to a node that is behind (R7): header and the transactions that have a receipt. */
export interface SyncBlock {
  /** Encoded header. */
  readonly header: Uint8Array;
  /** Packed transactions (ledger/transaction.ts), in order; the peer's bodies, not yet trusted. */
  readonly transactions: Uint8Array;
}

/** Sole owner of LevelDB, state tree and application code (S4: one owner of execution). In a worker in production. */
/** R10: what a recovery is to say. `time` in ms of block time. */
export interface RecoveryDraft {
  readonly next: ValidatorSet;
  readonly reason: string;
  readonly time: number;
}

export interface LedgerPort {
  open(): Promise<OpenedLedger>;
  /**
   * Executes and persists the next height. `batch` is encoded, `transactions` packed in batch order. `ordered` is kept with
   * the block: N11 holds across a restart. Undefined, and nothing is executed, if a block below has ended its epoch (E2).
   */
  execute(
    batch: Uint8Array,
    transactions: Uint8Array,
    ordered: Ordered,
    mark: JournalMark,
  ): Promise<Executed | undefined>;
  /**
   * Executes a block of a peer at or below a verified certificate. The header must follow from executing it; it is
   * compared before anything is written. `expected` has the certified roots when `header` is the certified one.
   */
  executeSynced(block: SyncBlock, expected: Head | undefined, mark: JournalMark): Promise<Executed>;
  /** Keeps an encoded certificate whose block was executed here. */
  storeCertificate(certificate: Uint8Array): Promise<void>;
  /** Keeps verified hand-offs (encoded `updatesCodec`) of epochs whose blocks may lack here: bundles need them. */
  storeHandoffs(updates: Uint8Array): Promise<void>;
  /**
   * Blocks for a peer that has executed up to `above`: a certificate at the greatest height at hand not above
   * `above + 256`, nor above the end of the epoch of `above + 1`, all headers from `above + 1` to it, and transactions of
   * a prefix of them up to `bytesMax`. `lacks` when a snapshot took the place of some of these blocks; undefined when no
   * such certificate is here, or not yet.
   */
  blocksAbove(above: number, bytesMax: number): Promise<SyncAnswer | 'lacks' | undefined>;
  /** R8: takes the next piece of a snapshot. Nothing of it is seen before `install`. */
  stage(step: SnapshotStep): Promise<SnapshotProgress>;
  /** R8: the complete snapshot becomes the state, in one synced batch; undefined if the own height has reached it. */
  install(mark: JournalMark): Promise<Installed | undefined>;
  /**
   * R10: executes the block of a verified and accepted recovery (encoded `handoffCodec`) on top of the newest one. What is
   * open from then on; rejects with `DIVERGED`, and changes nothing, if it is not what the recovery says.
   */
  recover(handoff: Uint8Array, mark: JournalMark | undefined): Promise<OpenedLedger>;
  query<Q extends keyof LedgerQueries>(name: Q, args: LedgerQueries[Q]['args']): Promise<LedgerQueries[Q]['result']>;
  close(): Promise<void>;
}

export interface SyncAnswer {
  readonly certificate: Uint8Array;
  readonly headers: readonly Uint8Array[];
  /** Packed transactions of the first `transactions.length` headers. */
  readonly transactions: readonly Uint8Array[];
}

export interface StoredOutcome {
  readonly height: number;
  /** Position among the block's transactions with a receipt. */
  readonly index: number;
  /** Of its receipt. */
  readonly status: Receipt['status'];
}

export interface StoredTransaction extends Omit<StoredOutcome, 'status'> {
  /** Encoded receipt. */
  readonly receipt: Uint8Array;
  readonly transaction: Uint8Array;
}

export interface StoredBlock {
  readonly hash: Uint8Array;
  /** Encoded header. */
  readonly header: Uint8Array;
  /** Transaction bytes in order. */
  readonly transactions: readonly Uint8Array[];
  readonly ids: readonly Uint8Array[];
  /** Encoded receipts, same order. */
  readonly receipts: readonly Uint8Array[];
}

/** `latest` is the newest executed block, `final` the newest one under a certificate here; or a height. */
export type At = 'latest' | 'final' | number;

export interface StateValue {
  /** Height the answer holds at. */
  readonly height: number;
  readonly value: Uint8Array | undefined;
  /** Encoded bundle (ledger/bundle.ts), when asked for and a certificate exists. */
  readonly bundle: Uint8Array | undefined;
}

/** Where a block is among the epochs. */
export interface EpochPlace {
  /** Of its certificate; undefined for block 0. */
  readonly epoch: number | undefined;
  /** The epoch that begins with the block above it, if this block ends one. */
  readonly next: { readonly number: number; readonly validators: ValidatorSet } | undefined;
}

export interface LedgerQueries {
  transaction: { args: { id: Uint8Array }; result: StoredTransaction | undefined };
  /** Of each of these ids (32 bytes each, one after the other), in order: undefined if none has executed. */
  outcomes: { args: { ids: Uint8Array }; result: readonly (StoredOutcome | undefined)[] };
  /** Which of these ids (32 bytes each, one after the other) have a receipt: bit i of byte i>>3. */
  executedAmong: { args: { ids: Uint8Array }; result: Uint8Array };
  /**
   * C4: whether a transaction with this validUntil has a receipt in a block at or below the head; undefined where blocks
   * that could hold it are not at hand.
   */
  hasExecuted: { args: { id: Uint8Array; validUntil: number }; result: boolean | undefined };
  /** Encoded bundle of a final transaction. */
  transactionBundle: { args: { id: Uint8Array }; result: Uint8Array | undefined };
  /** Encoded bundle of a block's header, under the newest certificate or that of height `under`. */
  blockBundle: { args: { height: number; under: number | undefined }; result: Uint8Array | undefined };
  /** Encoded page (`updatesCodec`) of hand-offs from the end of epoch `from` on. */
  handoffs: { args: { from: number }; result: Uint8Array };
  /** Of an executed block. */
  epochAt: { args: { height: number }; result: EpochPlace };
  block: { args: { at: number | Uint8Array }; result: StoredBlock | undefined };
  /** Encoded headers, newest first when `descending`. */
  headers: {
    args: { from: number; limit: number; descending: boolean };
    result: readonly { readonly hash: Uint8Array; readonly header: Uint8Array }[];
  };
  /** Encoded certificate of a height. */
  certificate: { args: { height: number }; result: Uint8Array | undefined };
  certificates: {
    args: { from: number; limit: number; descending: boolean };
    result: readonly Uint8Array[];
  };
  /** Undefined if that height is not executed, or no longer kept. */
  /** Final state is at least that of `minHeight`, whose certificate was handed over before. */
  state: {
    args: { table: string; key: Uint8Array; at: At; proof: boolean; minHeight?: number };
    result: StateValue | undefined;
  };
  stateRows: {
    args: { table: string; prefix: Uint8Array; after: Uint8Array | undefined; limit: number };
    result: {
      readonly height: number;
      readonly rows: readonly { readonly key: Uint8Array; readonly value: Uint8Array }[];
    };
  };
  /**
   * What these transaction bytes would come to as the only ones of the next block, proposed at `timestamp` (ms): an encoded
   * receipt, or undefined if their id has one or their time is over. Changes nothing; their signature is not looked at.
   */
  dryRun: {
    args: { transaction: Uint8Array; timestamp: number };
    result: {
      /** Of the newest executed block, on whose state it ran. */
      readonly height: number;
      /** Block time in ms that it ran at. */
      readonly time: number;
      readonly receipt: Uint8Array | undefined;
    };
  };
  /** R8: encoded SnapshotAnswer for a peer that has executed up to `above`. May begin to make one. */
  snapshot: { args: { above: number }; result: Uint8Array };
  /** Encoded RowsAnswer. */
  snapshotRows: { args: { height: number; prefix: Uint8Array; depth: number }; result: Uint8Array };
  /** Encoded BlockIdsAnswer. */
  blockIds: { args: { from: number }; result: Uint8Array };
  membership: { args: Record<string, never>; result: Membership };
  sizes: {
    args: Record<string, never>;
    result: { readonly rows: number; readonly stateTreeBytes: number };
  };
}

/** One record of the journal in the replica's own format. */
export interface JournalEntry {
  /** `prune` of this height or a greater one makes the entry useless. */
  readonly height: number;
  /** Not copied: it must not change until `append` has resolved. */
  readonly bytes: Uint8Array;
}

/** R6: the last epoch in which a validator in doubt signs nothing. One that halted never signs again. */
export type DoubtTerm = number | 'for ever';

export interface Doubt {
  readonly reason: string;
  readonly through: DoubtTerm;
}

/** What a journal begins with. */
export interface JournalBeginning {
  readonly epoch: number;
  /** Consensus key that the validator has in this epoch. */
  readonly validatorKey: Uint8Array;
}

/** Append-only groups; what is appended while a group is being written shares the next one. */
export interface JournalPort {
  /**
   * Resolves when the group that holds the entries is fsynced. Rejects after a failed write or fsync, which is fatal, and
   * when the journal is in doubt.
   */
  append(entries: readonly JournalEntry[]): Promise<JournalMark>;
  /**
   * R6: in doubt from now on and at every later start, until the journal begins anew in an epoch after `through`; `append`
   * refuses. Resolves when that is durable.
   */
  doubt(reason: string, through: DoubtTerm): Promise<void>;
  /**
   * Begins the journal anew, when doubt ends with an epoch or the consensus key changes with it; else a journal goes on.
   * Resolves when that is durable: what was appended before is void, `append` works. Until then, whatever happens, all is
   * as it was. Rejects, and changes nothing, while there is doubt that holds in this epoch. The ledger must have the
   * certificate of the last block of the epoch before, durably: a start in an earlier epoch than the journal's is doubt.
   */
  renew(beginning: JournalBeginning): Promise<void>;
  /** The last group whose fsync had returned; after `renew` one that stands for the beginning. */
  mark(): JournalMark;
  /** Entries at or below `height` are no longer needed: its block is final, executed and durable in LevelDB. */
  prune(height: number): void;
  close(): Promise<void>;
}
