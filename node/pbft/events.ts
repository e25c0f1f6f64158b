import type { Batch } from '../../ledger/block.ts';
import type { Certificate } from '../../ledger/checkpoint.ts';
import type { Message, PreparedCertificate, SignedCheckpoint, SignedVote, Unsigned, Vote } from './messages.ts';
import type { Verified } from './verify.ts';

/** Both clocks in ms (T1): only `monotonic` drives timers. */
export interface Now {
  readonly wall: number;
  readonly monotonic: number;
}

/** The newest executed and durable block. */
export interface Head {
  readonly height: number;
  readonly blockHash: Uint8Array;
  readonly stateRoot: Uint8Array;
  readonly historyRoot: Uint8Array;
  /** Block time in ms. */
  readonly timestamp: number;
}

/** What the leader could order now. `full`: a batch of the allowed size could be made. */
export interface PoolView {
  readonly orderable: number;
  readonly full: boolean;
}

export type TimerName = 'heartbeat' | 'batchDelay' | 'status' | 'catchUp' | 'held';

/** What happens to a replica. Everything here is either our own or already verified (S3). */
export type Event =
  /** The replay is over. `uncertified`: executed blocks above the newest certificate, ascending. */
  | { readonly type: 'started'; readonly uncertified: readonly Head[] }
  | { readonly type: 'message'; readonly message: Verified<Message> }
  /** Our own message: its content is durable, it is signed and sent. */
  | { readonly type: 'signed'; readonly message: Message }
  | { readonly type: 'timer'; readonly timer: TimerName }
  | { readonly type: 'pool'; readonly view: PoolView }
  /** Answer to `chooseBatch`; no batch when nothing is orderable any more. */
  | { readonly type: 'batchReady'; readonly height: number; readonly batch: Batch | undefined; readonly pool: PoolView }
  /** Answer to `requestBodies`: all bodies are here, verified and valid in the batch, or the batch is invalid (N4). */
  | {
      readonly type: 'bodies';
      readonly height: number;
      readonly digest: Uint8Array;
      readonly problem: string | undefined;
    }
  /** A block was executed and is durable, whatever source delivered it (S4). */
  | { readonly type: 'executed'; readonly head: Head; readonly synced: boolean }
  | { readonly type: 'syncEnded' }
  | { readonly type: 'channel'; readonly member: number; readonly open: boolean }
  /** The journal can't be trusted (R1, S8): follow, serve, report, but sign no vote. */
  | { readonly type: 'doubt'; readonly reason: string }
  /** Executing certified blocks gave something else than their certificate (C3). */
  | { readonly type: 'diverged'; readonly reason: string };

/** What must be durable before a message may leave (R2). The runner adds the bodies of a proposal's batch. */
export type JournalRecord =
  | { readonly kind: 'proposal'; readonly vote: Vote; readonly signature: Uint8Array; readonly batch: Batch }
  | { readonly kind: 'prepared'; readonly certificate: PreparedCertificate; readonly batch: Batch };

/** Two different signed contents of one slot (C6). */
export type Evidence =
  | { readonly kind: 'vote'; readonly member: number; readonly first: SignedVote; readonly second: SignedVote }
  | { readonly kind: 'prePrepare'; readonly member: number; readonly first: SignedVote; readonly second: SignedVote }
  | {
      readonly kind: 'checkpoint';
      readonly member: number;
      readonly first: SignedCheckpoint;
      readonly second: SignedCheckpoint;
    };

/** What a replica wants from the world. */
export type Effect =
  /** S1: records are fsynced, then each message is signed, then sent to everybody; an own message leaves no other way. */
  | { readonly type: 'persist'; readonly records: readonly JournalRecord[]; readonly then: readonly Unsigned[] }
  /** Something already signed, own or another's, for one member that lacks it (R4). */
  | { readonly type: 'send'; readonly to: number; readonly message: Message }
  | { readonly type: 'startTimer'; readonly timer: TimerName; readonly delayMs: number }
  | { readonly type: 'stopTimer'; readonly timer: TimerName }
  | { readonly type: 'chooseBatch'; readonly height: number; readonly timestamp: number }
  | { readonly type: 'requestBodies'; readonly batch: Batch; readonly digest: Uint8Array; readonly from: number }
  | { readonly type: 'execute'; readonly batch: Batch; readonly digest: Uint8Array }
  /** The low mark moved to this certificate (C2). */
  | { readonly type: 'stable'; readonly certificate: Certificate }
  /** The block of this certificate is executed here: keep the certificate with it. */
  | { readonly type: 'keepCertificate'; readonly certificate: Certificate }
  | { readonly type: 'startSync'; readonly certificate: Certificate }
  | { readonly type: 'evidence'; readonly evidence: Evidence }
  | { readonly type: 'refused'; readonly what: string; readonly reason: string }
  | { readonly type: 'halt'; readonly reason: string };
