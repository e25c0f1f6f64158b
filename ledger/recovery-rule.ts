import type { Handoff } from './bundle.ts';
import type { Trust } from './checkpoint.ts';
import type { VerifySignature } from './signature.ts';

/** What a verifier allows. */
export interface RecoveryRule {
  /** Of the genesis file: how many of 100 organisations must have signed; 0: never. */
  readonly percent: number;
  /** Hashes, 0x hex, that whoever verifies was told to accept. */
  readonly accepted: readonly string[];
  /** `verifyRecovery`; undefined where no recovery is expected: every one is refused. */
  readonly judge: VerifyRecovery | undefined;
}

/** Who verifies: what was reached by certified changes, and the epoch before it, which may have certified last. */
export interface RecoveryTrust extends Trust {
  readonly previous?: Trust | undefined;
}

/** Which organisations have signed, of how many that there are. */
export interface RecoverySigners {
  readonly organisations: readonly string[];
  readonly of: number;
}

/** R10: an epoch that ended by a recovery, which whoever verifies has accepted. */
export interface EpochRecovery {
  readonly epoch: number;
  /** Of the block that the recovery put on top of the last certified one. */
  readonly height: number;
  /** By which it was accepted. */
  readonly hash: Uint8Array;
  readonly reason: string;
  /** All of it for a line of a report. */
  readonly text: string;
}

/** `verifyRecovery` of ./recovery.ts, which browsers load where there is a recovery only. */
export type VerifyRecovery = (
  handoff: Handoff,
  trust: RecoveryTrust,
  rule: Omit<RecoveryRule, 'judge'>,
  verify: VerifySignature,
) => EpochRecovery | string;
