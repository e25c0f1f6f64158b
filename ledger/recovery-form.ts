import type { Handoff } from './bundle.ts';
import { concatBytes, utf8Encode } from './bytes.ts';
import { certificateCodec, checkpointCodec } from './checkpoint.ts';
import { blob, bytes32, bytes64, type CodecType, encode, list, struct, text } from './codec.ts';
import { sha256 } from './hash.ts';
import {
  ADMINISTRATORS_MAX,
  NAME_BYTES_MAX,
  ORGANISATIONS_MAX,
  RECOVERY_REASON_BYTES_MAX,
  TABLE_VALUE_BYTES_MAX,
} from './limits.ts';
import { stateProofCodec } from './state-proof.ts';
import { validatorSetCodec } from './validators.ts';

/**
 * R10: more than n - q validators are gone for good, so the epoch can't end by itself. The organisations' administrators
 * put one empty block on top of the last certified one, which ends the epoch and names the set of the next.
 */

/** What administrators sign, and what is accepted by its hash. */
export const recoveryBodyCodec = struct({
  /** Of the empty block; its `nextValidatorsHash` names the set. */
  checkpoint: checkpointCodec,
  /** For people, who read it on terminals: a readable name. */
  reason: text(RECOVERY_REASON_BYTES_MAX, 1),
});
export type RecoveryBody = CodecType<typeof recoveryBodyCodec>;

/** A row as of the last certified block. */
const provenRow = struct({ value: blob(TABLE_VALUE_BYTES_MAX), proof: stateProofCodec });

const approvalCodec = struct({
  organisation: text(NAME_BYTES_MAX, 1),
  /** Its row of `members.organisations`, which has its administrators. */
  row: provenRow,
  /** That it has no row in `members.expelled`. */
  notExpelled: stateProofCodec,
  signatures: list(struct({ administrator: bytes32, signature: bytes64 }), ADMINISTRATORS_MAX),
});

/** R10: everything that shows it, but for the genesis file and the sets of before. */
export const recoveryCodec = struct({
  body: recoveryBodyCodec,
  /** Of the last certified block, by validators. */
  basis: certificateCodec,
  /** The row of `governance.summary`, which has how many organisations there are. */
  summary: provenRow,
  approvals: list(approvalCodec, ORGANISATIONS_MAX),
});
export type Recovery = CodecType<typeof recoveryCodec>;

const DOMAIN = utf8Encode('recovery');

/** By which operators and light clients accept it. */
export function recoveryHash(body: RecoveryBody): Uint8Array {
  return sha256(concatBytes(DOMAIN, encode(recoveryBodyCodec, body)));
}

/** As people pass it on and sign it: a hand-off whose recovery is read. */
export const recoveryFileCodec = struct({
  certificate: certificateCodec,
  next: validatorSetCodec,
  recovery: recoveryCodec,
});
export type RecoveryFile = CodecType<typeof recoveryFileCodec>;

/** As the chain keeps it. */
export function asHandoff({ certificate, next, recovery }: RecoveryFile): Handoff {
  return { certificate, next, recovery: encode(recoveryCodec, recovery) };
}
