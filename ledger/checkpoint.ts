import { equalBytes } from './bytes.ts';
import { bytes32, type CodecType, encode, oneOf, struct, u64 } from './codec.ts';
import { signBytes } from './sign-bytes.ts';
import type { VerifySignature } from './signature.ts';
import { checkMultiSignature, multiSignatureCodec, quorum, type ValidatorSet, validatorsHash } from './validators.ts';

/** C1: what every validator signs after executing and persisting block `height`. The same bytes for all of them. */
export const checkpointCodec = struct({
  epoch: u64,
  /** Hash of the set that signs. */
  validatorsHash: bytes32,
  height: u64,
  blockHash: bytes32,
  /** Root of the state tree after this block. */
  stateRoot: bytes32,
  /** List tree over the hashes of blocks 0 to `height`: proves any older block. */
  historyRoot: bytes32,
  /** Block time of `height` in ms. */
  timestamp: u64,
  /** `epoch`, or `epoch + 1` when this block ends the epoch (E2). */
  nextEpoch: u64,
  /** Hash of the set that signs the next block. */
  nextValidatorsHash: bytes32,
});
export type Checkpoint = CodecType<typeof checkpointCodec>;

/**
 * C2: the finality certificate: signatures of at least q members over the same checkpoint. R10: of scheme `recovery` nobody's,
 * for the one block that a recovery puts on top of the last certified one; what shows it stands in the hand-off.
 */
export const certificateCodec = struct({
  scheme: oneOf({ 'ed25519-list': 1, recovery: 2 }),
  checkpoint: checkpointCodec,
  proof: multiSignatureCodec,
});
export type Certificate = CodecType<typeof certificateCodec>;

/** What a validator signs for a checkpoint. */
export function checkpointSignBytes(genesisId: Uint8Array, checkpoint: Checkpoint): Uint8Array {
  return signBytes('checkpoint', genesisId, encode(checkpointCodec, checkpoint));
}

export interface Trust {
  readonly genesisId: Uint8Array;
  /** The epoch and its set that the verifier has reached from genesis by certified changes. */
  readonly epoch: number;
  readonly validators: ValidatorSet;
}

export type Checked =
  | { readonly ok: true; readonly signers: readonly number[] }
  | { readonly ok: false; readonly problem: string };

/**
 * C2: true finality, judged by the set the caller trusts, never by a set the certificate brings along. Form first,
 * signatures last. `verify` is the one Ed25519 rule (S5).
 */
export function verifyCertificate(certificate: Certificate, trust: Trust, verify: VerifySignature): Checked {
  const { scheme, checkpoint, proof } = certificate;
  if (scheme === 'recovery') return problem('only its hand-off shows a recovery');
  if (checkpoint.epoch !== trust.epoch)
    return problem(`certificate is of epoch ${checkpoint.epoch}, expected ${trust.epoch}`);
  if (!equalBytes(checkpoint.validatorsHash, validatorsHash(trust.validators))) {
    return problem('certificate names another validator set');
  }
  if (checkpoint.nextEpoch !== checkpoint.epoch && checkpoint.nextEpoch !== checkpoint.epoch + 1) {
    return problem(`next epoch ${checkpoint.nextEpoch} does not follow ${checkpoint.epoch}`);
  }
  if (
    checkpoint.nextEpoch === checkpoint.epoch &&
    !equalBytes(checkpoint.nextValidatorsHash, checkpoint.validatorsHash)
  ) {
    return problem('the validator set changes inside an epoch');
  }
  const message = checkpointSignBytes(trust.genesisId, checkpoint);
  const signers = checkMultiSignature(proof, message, trust.validators, quorum(trust.validators.length), verify);
  return typeof signers === 'string' ? problem(signers) : { ok: true, signers };
}

function problem(text: string): Checked {
  return { ok: false, problem: text };
}
