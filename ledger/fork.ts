import { handoffCodec } from './bundle.ts';
import { certificateCodec } from './checkpoint.ts';
import { bytes32, type CodecType, list, oneOf, struct, union } from './codec.ts';
import { HANDOFFS_MAX, LIST_PROOF_MAX } from './limits.ts';

/**
 * Two certificates of one epoch that can't both be of one chain: more than f validators have signed both (V19). With the
 * genesis file and nothing else it shows who.
 */
export const forkEvidenceCodec = struct({
  format: oneOf({ 'quorate-fork-1': 1 }),
  genesisId: bytes32,
  /** From genesis to the epoch whose set signed both. */
  handoffs: list(handoffCodec, HANDOFFS_MAX),
  first: certificateCodec,
  second: certificateCodec,
  conflict: union({
    /** Different checkpoints of one height. */
    sameHeight: [0, struct({})],
    /** `first` ends the epoch, and `second` is of the same epoch at a greater height (E2). */
    afterEnd: [1, struct({})],
    /** `second` is higher, and in its history another block stands at the height of `first`. */
    otherHistory: [2, struct({ blockHash: bytes32, historyProof: list(bytes32, LIST_PROOF_MAX) })],
  }),
});
export type ForkEvidence = CodecType<typeof forkEvidenceCodec>;
