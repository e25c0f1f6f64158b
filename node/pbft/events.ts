import type { Batch } from '../../ledger/block.ts';
import type { Certificate } from '../../ledger/checkpoint.ts';
import type {
  Evidence,
  Message,
  NewView,
  PreparedCertificate,
  Shown,
  Unsigned,
  ViewChangeBody,
  Vote,
} from './messages.ts';
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
  /** Epoch of the block above and the hash of its set: other than this block's own if it ends its epoch (E2). */
  readonly nextEpoch: number;
  readonly nextValidatorsHash: Uint8Array;
}

/** How a height was committed: the digest, epoch and view of the commit certificate (N11). */
export interface Ordered {
  readonly epoch: number;
  readonly digest: Uint8Array;
  readonly view: number;
}

/** An executed block that is not certified yet, and how it was ordered if it was not caught up. */
export interface UncertifiedHead extends Head {
  readonly ordered: Ordered | undefined;
}

/** What the leader could order now. `full`: a batch of the allowed size could be made. */
export interface PoolView {
  readonly orderable: number;
  readonly full: boolean;
}

/** What the pool knows about the leader's work (T3, T7). */
export interface PoolWaiting {
  /** A transaction that is orderable was handed to this leader. */
  readonly handed: boolean;
  /** T7: one was handed long ago, while the leader had room or ordered much later ones. */
  readonly overdue: boolean;
}

export type TimerName = 'heartbeat' | 'batchDelay' | 'status' | 'catchUp' | 'held' | 'tick';

/** What happens to a replica. Everything here is either our own or already verified (S3). */
export type Event =
  /** The replay is over. `uncertified`: executed blocks above the newest certificate, ascending. */
  | { readonly type: 'started'; readonly uncertified: readonly UncertifiedHead[] }
  | { readonly type: 'message'; readonly message: Verified<Message> }
  /** Our own message: its content is durable, it is signed and sent. */
  | { readonly type: 'signed'; readonly message: Message }
  | { readonly type: 'timer'; readonly timer: Exclude<TimerName, 'tick'> }
  /** The regular look at timers that run (T2). */
  | { readonly type: 'tick'; readonly waiting: PoolWaiting }
  | { readonly type: 'pool'; readonly view: PoolView }
  /** Answer to `chooseBatch`; no batch when nothing is orderable any more. */
  | {
      readonly type: 'batchReady';
      readonly height: number;
      readonly batch: Batch | undefined;
      readonly pool: PoolView;
      readonly governs: boolean;
    }
  /**
   * Answer to `requestBodies`: all bodies are here, verified and valid in the batch, or the batch is invalid (N4).
   * `governs`: executing it may end the epoch (N12).
   */
  | {
      readonly type: 'bodies';
      readonly height: number;
      readonly digest: Uint8Array;
      readonly problem: string | undefined;
      readonly governs: boolean;
    }
  /** Answer to `requestBatch`: the batch with that digest. */
  | { readonly type: 'batch'; readonly digest: Uint8Array; readonly batch: Batch }
  /**
   * A block was executed and is durable, whatever source delivered it (S4). `transactions` have a receipt. `ordered`: how
   * it was ordered, unless it was delivered by catch-up. An installed snapshot (R8) stands for all blocks up to it, and its
   * height is not above the low mark.
   */
  | {
      readonly type: 'executed';
      readonly head: Head;
      readonly transactions: number;
      readonly ordered: Ordered | undefined;
    }
  /** T2: a verified piece of a catch-up came, which is not a block that is executed. */
  | { readonly type: 'piece' }
  | { readonly type: 'syncEnded' }
  | { readonly type: 'channel'; readonly member: number; readonly open: boolean }
  /** Whether there is a channel to somebody who is admitted without being a member (E5). */
  | { readonly type: 'guest'; readonly peerKey: Uint8Array; readonly open: boolean }
  /** A member's channel is lost and dialing it is refused: nothing listens there. */
  | { readonly type: 'unreachable'; readonly member: number }
  /** V8: this message is signed by its sender and breaks the rules, which verifying it showed. */
  | { readonly type: 'misconduct'; readonly message: Message & { readonly kind: 'newView' }; readonly detail: string }
  /** R6: all that a member holds of our own signatures; verified. */
  | { readonly type: 'shown'; readonly from: number; readonly shown: readonly Shown[] }
  /** The journal can't be trusted (R1, S8): follow, serve, report, but sign no vote. */
  | { readonly type: 'doubt'; readonly reason: string }
  /** Executing certified blocks gave something else than their certificate (C3). */
  | { readonly type: 'diverged'; readonly reason: string };

/** What must be durable before a message may leave (R2). The runner adds the bodies of a proposal's batch. */
export type JournalRecord =
  | { readonly kind: 'proposal'; readonly vote: Vote; readonly signature: Uint8Array; readonly batch: Batch }
  | { readonly kind: 'prepared'; readonly certificate: PreparedCertificate; readonly batch: Batch }
  | { readonly kind: 'viewChange'; readonly body: ViewChangeBody }
  /** Our own stands here before it is signed, with signatures of zeros. */
  | { readonly kind: 'newView'; readonly newView: NewView }
  | { readonly kind: 'evidence'; readonly evidence: Evidence }
  /** R5: a message of another member. */
  | { readonly kind: 'witness'; readonly member: number; readonly shown: Shown }
  /** R2: the certificate that the window of later votes rests on, and a height that the ledger has durably executed. */
  | { readonly kind: 'stable'; readonly certificate: Certificate; readonly executed: number }
  /** E3: from here on nothing new is signed in any epoch before this one. */
  | { readonly kind: 'entered'; readonly epoch: number };

/** What a replica wants from the world. */
export type Effect =
  /** S1: records are fsynced, then each message is signed, then sent to everybody; an own message leaves no other way. */
  | { readonly type: 'persist'; readonly records: readonly JournalRecord[]; readonly then: readonly Unsigned[] }
  /** Something already signed, own or another's, for one member that lacks it (R4). */
  | { readonly type: 'send'; readonly to: number; readonly message: Message }
  /** The same for all others: proof of misconduct, evidence. */
  | { readonly type: 'relay'; readonly message: Message }
  | { readonly type: 'startTimer'; readonly timer: TimerName; readonly delayMs: number }
  | { readonly type: 'stopTimer'; readonly timer: TimerName }
  | { readonly type: 'chooseBatch'; readonly height: number; readonly timestamp: number }
  | { readonly type: 'requestBodies'; readonly batch: Batch; readonly digest: Uint8Array; readonly from: number }
  /** V9: content that a NEW-VIEW names by digest only. */
  | { readonly type: 'requestBatch'; readonly height: number; readonly digest: Uint8Array; readonly from: number }
  /** N13: its transactions are in an accepted batch of the current view. */
  | { readonly type: 'accepted'; readonly batch: Batch }
  /** The current view is another: nothing is in an accepted batch, and its leader is handed what is pending (T9). */
  | { readonly type: 'entered'; readonly view: number; readonly leader: number }
  /** V5: a VIEW-CHANGE for this view is on its way. */
  | { readonly type: 'left'; readonly view: number; readonly asked: number; readonly reason: string }
  | { readonly type: 'execute'; readonly batch: Batch; readonly ordered: Ordered }
  /** The low mark moved to this certificate (C2). */
  | { readonly type: 'stable'; readonly certificate: Certificate }
  /** The block of this certificate is executed here: keep the certificate with it. */
  | { readonly type: 'keepCertificate'; readonly certificate: Certificate }
  | { readonly type: 'startSync'; readonly certificate: Certificate }
  /** E3: the block that ends the epoch is executed here and stable, by this certificate: the next epoch can be entered. */
  | { readonly type: 'epochEnded'; readonly certificate: Certificate }
  | { readonly type: 'evidence'; readonly evidence: Evidence }
  | { readonly type: 'refused'; readonly what: string; readonly reason: string }
  /** R6: own signatures that this disk does not know. It must be remembered for ever. */
  | { readonly type: 'doubt'; readonly reason: string }
  | { readonly type: 'halt'; readonly reason: string };
