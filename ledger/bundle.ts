import { headerCodec, receiptCodec } from './block.ts';
import { certificateCodec } from './checkpoint.ts';
import { blob, bytes32, type CodecType, list, oneOf, struct, text, u32, union } from './codec.ts';
import {
  HANDOFFS_MAX,
  LIST_PROOF_MAX,
  NAME_BYTES_MAX,
  STATE_PROOF_MAX,
  TABLE_KEY_BYTES_MAX,
  TABLE_VALUE_BYTES_MAX,
  TRANSACTION_BYTES_MAX,
  UPDATES_MAX,
} from './limits.ts';
import { validatorSetCodec } from './validators.ts';

/**
 * The end of an epoch: the certificate of its last block, signed by the epoch's set, and the set that signs from then on,
 * whose hash the certificate names (E2). If the epoch only changed parameters, it is the same set.
 */
export const handoffCodec = struct({ certificate: certificateCodec, next: validatorSetCodec });
export type Handoff = CodecType<typeof handoffCodec>;

/** Hand-offs of consecutive epochs, as nodes serve them: one page. */
export const updatesCodec = struct({ handoffs: list(handoffCodec, UPDATES_MAX) });

/** Siblings of a list-tree proof, from the leaf upwards. Their number follows from index and count. */
const listProofCodec = list(bytes32, LIST_PROOF_MAX);

/** State-tree proof; see ledger/state-proof.ts. `bitmap` has one bit per level, set where the sibling is not empty. */
export const stateProofCodec = struct({
  depth: u32,
  bitmap: blob(STATE_PROOF_MAX / 8),
  siblings: list(bytes32, STATE_PROOF_MAX),
  end: union({
    /** The row itself, or (absence) nothing, stands at this depth. */
    self: [0, struct({})],
    /** Absence: another row's leaf stands where the row would be. */
    other: [1, struct({ path: bytes32, valueHash: bytes32 })],
  }),
});
export type EncodedStateProof = CodecType<typeof stateProofCodec>;

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
