import { blob, bytes32, bytes64, type CodecType, encode, list, struct, text } from './codec.ts';
import { sha256 } from './hash.ts';
import { NAME_BYTES_MAX, VALIDATORS_MAX } from './limits.ts';
import type { VerifySignature } from './signature.ts';

/** A member of an epoch's ordered set V_e. Its position is its index in bitmaps and votes. */
export const validatorCodec = struct({
  name: text(NAME_BYTES_MAX, 1),
  organisation: text(NAME_BYTES_MAX, 1),
  /** Consensus key: signs PBFT messages, checkpoints, replies and peer records. */
  key: bytes32,
  /** libp2p identity. */
  peerKey: bytes32,
});
export type Validator = CodecType<typeof validatorCodec>;
export type ValidatorSet = readonly Validator[];

export const validatorSetCodec = list(validatorCodec, VALIDATORS_MAX, 1);

/** SHA-256 of the encoded set: `validatorsHash` of checkpoints. */
export function validatorsHash(set: ValidatorSet): Uint8Array {
  return sha256(encode(validatorSetCodec, set));
}

/** f = floor((n-1)/3): how many members may be Byzantine. */
export function faultsTolerated(n: number): number {
  return Math.floor((n - 1) / 3);
}

/** q = ceil((n+f+1)/2): any two quorums share a correct member, and q <= n-f. */
export function quorum(n: number): number {
  return Math.ceil((n + faultsTolerated(n) + 1) / 2);
}

/** Index of leader(e,v) = V_e[(e+v) mod n]. */
export function leaderIndex(epoch: number, view: number, n: number): number {
  return (epoch + view) % n;
}

/** Signatures of several members over the same bytes: a bitmap of who (bit i of byte i>>3), then one signature each. */
export const multiSignatureCodec = struct({
  signers: blob(VALIDATORS_MAX / 8),
  signatures: list(bytes64, VALIDATORS_MAX),
});
export type MultiSignature = CodecType<typeof multiSignatureCodec>;

/** Gathers signatures by member index into a multi-signature. */
export function multiSignature(n: number, signatures: ReadonlyMap<number, Uint8Array>): MultiSignature {
  const signers = new Uint8Array(Math.ceil(n / 8));
  const ordered: Uint8Array[] = [];
  for (let index = 0; index < n; index++) {
    const signature = signatures.get(index);
    if (signature === undefined) continue;
    signers[index >> 3]! |= 1 << (index & 7);
    ordered.push(signature);
  }
  return { signers, signatures: ordered };
}

/** Indexes of a bitmap's members, or what is wrong with it: length, padding bits (V05). */
export function signerIndexes(signers: Uint8Array, n: number): readonly number[] | string {
  const length = Math.ceil(n / 8);
  if (signers.length !== length)
    return `signer bitmap has ${signers.length} bytes, expected ${length} for ${n} members`;
  const indexes: number[] = [];
  for (let index = 0; index < signers.length * 8; index++) {
    if (((signers[index >> 3]! >> (index & 7)) & 1) === 0) continue;
    if (index >= n) return `signer bitmap names member ${index} of ${n}`;
    indexes.push(index);
  }
  return indexes;
}

/**
 * Checks a multi-signature over `message` by members of `set`: form, at least `needed` signers, every signature valid (an
 * extra bad one spoils the whole: V11). Returns what is wrong, or the indexes of the signers.
 */
export function checkMultiSignature(
  proof: MultiSignature,
  message: Uint8Array,
  set: ValidatorSet,
  needed: number,
  verify: VerifySignature,
): readonly number[] | string {
  const indexes = signerIndexes(proof.signers, set.length);
  if (typeof indexes === 'string') return indexes;
  if (indexes.length !== proof.signatures.length) {
    return `${proof.signatures.length} signatures for ${indexes.length} signers in the bitmap`;
  }
  if (indexes.length < needed) return `${indexes.length} of ${set.length} members signed, ${needed} are needed`;
  for (let i = 0; i < indexes.length; i++) {
    const member = set[indexes[i]!]!;
    if (!verify(proof.signatures[i]!, message, member.key))
      return `signature of member ${indexes[i]} (${member.name}) is not valid`;
  }
  return indexes;
}
