import type { Genesis } from '../genesis/genesis.ts';
import type { Application } from '../ledger/application.ts';
import type { VerifySignature } from '../ledger/signature.ts';
import type { Log, PeerNetwork } from '../p2p/index.ts';
import type { Now } from './pbft/events.ts';
import type { PendingLog } from './pending-log.ts';
import type { JournalPort, LedgerPort, OpenedLedger, Scheduler } from './ports.ts';
import type { Signer } from './signatures.ts';
import type { VerifyPool } from './verify/pool.ts';

export interface ValidatorOptions {
  readonly genesis: Genesis;
  readonly application: Application;
  /** Public key of this node's libp2p identity, 32 bytes: which member it is follows from the set of the epoch. */
  readonly peerKey: Uint8Array;
  /** Its consensus keys: the one that the set names is used. */
  readonly signers: readonly Signer[];
  readonly verify: VerifySignature;
  readonly verifyPool: VerifyPool;
  readonly ledger: LedgerPort;
  readonly opened: OpenedLedger;
  readonly journal: JournalPort;
  readonly records: readonly Uint8Array[];
  /** Why the journal can't be trusted, if it can't (R1). */
  readonly doubt: string | undefined;
  readonly pendingLog: PendingLog;
  readonly network: PeerNetwork;
  /** R10: hashes (0x hex) of recoveries that the operator accepts. */
  readonly acceptRecovery?: readonly string[];
  readonly log: Log;
  readonly scheduler: Scheduler;
  /** R8: how many blocks behind a certificate a snapshot is taken instead. */
  readonly snapshotBlocks?: number;
  now(): Now;
  fatal(error: unknown): void;
}

/** Callbacks of one node that its API side hangs on. */
export interface Observer {
  /** A block is executed; `outcomes` as in Executed. */
  executed(height: number, keys: readonly string[]): void;
  /** Everything up to this height is executed and certified here. */
  final(height: number): void;
  expired(keys: readonly string[]): void;
  /** Of a view above 0. */
  viewEntered?(epoch: number, view: number, leader: number): void;
}
