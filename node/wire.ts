import { batchCodec, headerCodec } from '../ledger/block.ts';
import { concatBytes } from '../ledger/bytes.ts';
import { certificateCodec } from '../ledger/checkpoint.ts';
import { blob, bytes32, type CodecType, encode, list, struct, text, u16, u64, union } from '../ledger/codec.ts';
import {
  BATCH_BYTES_MAX,
  BATCH_TRANSACTIONS_MAX,
  LIST_PROOF_MAX,
  NAME_BYTES_MAX,
  TABLE_KEY_BYTES_MAX,
  TABLE_VALUE_BYTES_MAX,
  TRANSACTION_BYTES_MAX,
} from '../ledger/limits.ts';
import {
  FORWARD_BYTES_MAX,
  SHOWN_MAX,
  SNAPSHOT_BLOCKS_MAX,
  SNAPSHOT_PARTS_MAX,
  SNAPSHOT_ROWS_MAX,
  SYNC_BLOCKS_MAX,
} from './limits.ts';
import { type Message, messageCodec, shownCodec } from './pbft/messages.ts';

/** First byte of a frame on the channel between two validators. */
export const FRAME_MESSAGE = 1;
export const FRAME_TRANSACTIONS = 2;
/** Ids of pending transactions, 32 bytes each: whoever lacks one asks for it (T9). */
export const FRAME_OFFER = 3;

export function messageFrame(message: Message): Uint8Array {
  return concatBytes(Uint8Array.of(FRAME_MESSAGE), encode(messageCodec, message));
}

export function transactionsFrame(packed: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(FRAME_TRANSACTIONS), packed);
}

export function offerFrame(ids: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(FRAME_OFFER), ids);
}

/** Questions that one validator asks another. */
export const requestCodec = union({
  /** Bodies by id; answered with packed transactions, those that are at hand. */
  bodies: [1, struct({ ids: list(bytes32, BATCH_TRANSACTIONS_MAX) })],
  /** R7: blocks above a height. */
  blocks: [2, struct({ above: u64 })],
  /** V9: the batch at a height with this digest. */
  batch: [3, struct({ height: u64, digest: bytes32 })],
  /** R6: what was seen to be signed by this consensus key in this epoch. */
  shown: [4, struct({ epoch: u64, key: bytes32 })],
  /** R8: a snapshot of the state above a height. */
  snapshot: [5, struct({ above: u64 })],
  /** R8: the rows of the snapshot of this height whose paths begin with the first `depth` bits of `prefix`. */
  snapshotRows: [6, struct({ height: u64, prefix: bytes32, depth: u16 })],
  /** R8: headers and ids of blocks, from this height downwards. */
  blockIds: [7, struct({ from: u64 })],
  /** E7: hand-offs from the end of this epoch on; answered with a page of them. */
  handoffs: [8, struct({ from: u64 })],
  /** R9: the newest certificate of a height above this one, for who knows the set of this epoch and of none later. */
  newest: [9, struct({ epoch: u64, above: u64 })],
  /** T9: packed transactions, which a node without a vote hands over to be admitted. */
  submit: [10, struct({ transactions: blob(FORWARD_BYTES_MAX + TRANSACTION_BYTES_MAX + 8) })],
});

/** The answer to `shown` (R5, R6): it counts only for the epoch that was asked about. */
export const shownAnswerCodec = union({
  shown: [0, list(shownCodec, SHOWN_MAX)],
  /** The epoch is over, by this certificate. */
  ended: [1, certificateCodec],
});

export type ShownAnswer = CodecType<typeof shownAnswerCodec>;

/** The answer to `newest`. `later`: there is a later epoch, and hand-offs lead to it. */
export const certificateAnswerCodec = union({
  nothing: [0, struct({})],
  certificate: [1, certificateCodec],
  later: [2, struct({})],
});

/** The answer to `batch`. */
export const batchAnswerCodec = union({ nothing: [0, struct({})], batch: [1, batchCodec] });

/**
 * R7: a certificate, all headers up to it, and the transactions of a prefix of them. `nothing`: no certificate above is
 * here, or not yet. `lacks`: there are some, but a snapshot took the place of the blocks (R8).
 */
export const blocksAnswerCodec = union({
  nothing: [0, struct({})],
  blocks: [
    1,
    struct({
      certificate: certificateCodec,
      headers: list(headerCodec, SYNC_BLOCKS_MAX),
      transactions: list(blob(BATCH_BYTES_MAX + 4 * BATCH_TRANSACTIONS_MAX), SYNC_BLOCKS_MAX),
    }),
  ],
  lacks: [2, struct({})],
});
export type BlocksAnswer = CodecType<typeof blocksAnswerCodec>;

/** R8: what a snapshot is made of. Everything in it is proven by the certificate. */
export const snapshotCodec = struct({
  certificate: certificateCodec,
  /** Of the history of block hashes: they give the certificate's historyRoot. */
  peaks: list(bytes32, LIST_PROOF_MAX),
  /** Subtrees of the state tree from left to right: they give its stateRoot. Each is one chunk of rows. */
  parts: list(struct({ depth: u16, hash: bytes32 }), SNAPSHOT_PARTS_MAX),
});
export type Snapshot = CodecType<typeof snapshotCodec>;

/** The answer to `snapshot`; nothing also while one is being made. */
export const snapshotAnswerCodec = union({ nothing: [0, struct({})], snapshot: [1, snapshotCodec] });

export const stateRowCodec = struct({
  table: text(2 * NAME_BYTES_MAX + 1, 3),
  key: blob(TABLE_KEY_BYTES_MAX),
  value: blob(TABLE_VALUE_BYTES_MAX),
});
export type StateRow = CodecType<typeof stateRowCodec>;

/** The answer to `snapshotRows`, in the order of their paths. */
export const rowsAnswerCodec = union({
  nothing: [0, struct({})],
  rows: [1, struct({ rows: list(stateRowCodec, SNAPSHOT_ROWS_MAX) })],
});

/** A block as a snapshot carries it: what it executed, by id. */
export const blockIdsCodec = struct({ header: headerCodec, ids: list(bytes32, BATCH_TRANSACTIONS_MAX) });
export type BlockIds = CodecType<typeof blockIdsCodec>;

/** The answer to `blockIds`, newest first. */
export const blockIdsAnswerCodec = union({
  nothing: [0, struct({})],
  blocks: [1, struct({ blocks: list(blockIdsCodec, SNAPSHOT_BLOCKS_MAX) })],
});
