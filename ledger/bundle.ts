import { headerCodec, receiptCodec } from './block.ts';
import { type Certificate, certificateCodec } from './checkpoint.ts';
import { blob, bytes32, type CodecType, list, oneOf, struct, text, u32, union } from './codec.ts';
import {
  HANDOFFS_MAX,
  LIST_PROOF_MAX,
  NAME_BYTES_MAX,
  RECOVERY_BYTES_MAX,
  TABLE_KEY_BYTES_MAX,
  TABLE_VALUE_BYTES_MAX,
  TRANSACTION_BYTES_MAX,
  UPDATES_MAX,
} from './limits.ts';
import { stateProofCodec } from './state-proof.ts';
import { type ValidatorSet, validatorSetCodec } from './validators.ts';

/**
 * The end of an epoch: the certificate of its last block, signed by the epoch's set, and the set that signs from then on,
 * whose hash the certificate names (E2). If the epoch only changed parameters, it is the same set.
 */
export const handoffCodec = struct({
  certificate: certificateCodec,
  next: validatorSetCodec,
  /** R10: an encoded Recovery if the certificate is of scheme `recovery`, else nothing. Read by whoever has to judge it. */
  recovery: blob(RECOVERY_BYTES_MAX),
});
export type Handoff = CodecType<typeof handoffCodec>;

const NO_RECOVERY = new Uint8Array(0);

/** By the validators of the epoch that it ends. */
export function handoffOf(certificate: Certificate, next: ValidatorSet): Handoff {
  return { certificate, next, recovery: NO_RECOVERY };
}

/** Hand-offs of consecutive epochs, as nodes serve them: one page. */
export const updatesCodec = struct({ handoffs: list(handoffCodec, UPDATES_MAX) });

/** Siblings of a list-tree proof, from the leaf upwards. Their number follows from index and count. */
const listProofCodec = list(bytes32, LIST_PROOF_MAX);

export const blockFactCodec = struct({ header: headerCodec, historyProof: listProofCodec });

export const transactionFactCodec = struct({
  header: headerCodec,
  /** Of the header's hash at its height in the certificate's history. */
  historyProof: listProofCodec,
  /** Position among the block's transactions with a receipt. */
  index: u32,
  /** body ‖ signature. */
  transaction: blob(TRANSACTION_BYTES_MAX),
  transactionProof: listProofCodec,
  receipt: receiptCodec,
  receiptProof: listProofCodec,
});

export const stateFactCodec = struct({
  table: text(2 * NAME_BYTES_MAX + 1, 3),
  key: blob(TABLE_KEY_BYTES_MAX),
  value: union({ absent: [0, struct({})], present: [1, blob(TABLE_VALUE_BYTES_MAX)] }),
  proof: stateProofCodec,
});

/**
 * A self-contained proof: with the genesis file and nothing else it shows that a fact is final. The certificate is of
 * the epoch that the hand-offs lead to; each hand-off carries the set it hands over to.
 */
export const bundleCodec = struct({
  format: oneOf({ 'quorate-proof-1': 1 }),
  genesisId: bytes32,
  handoffs: list(handoffCodec, HANDOFFS_MAX),
  certificate: certificateCodec,
  fact: union({ transaction: [1, transactionFactCodec], block: [2, blockFactCodec], state: [3, stateFactCodec] }),
});
export type Bundle = CodecType<typeof bundleCodec>;
export type TransactionFact = CodecType<typeof transactionFactCodec>;
export type StateFact = CodecType<typeof stateFactCodec>;
