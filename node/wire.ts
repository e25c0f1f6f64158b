import { batchCodec, headerCodec } from '../ledger/block.ts';
import { concatBytes } from '../ledger/bytes.ts';
import { certificateCodec } from '../ledger/checkpoint.ts';
import { blob, bytes32, type CodecType, encode, list, struct, u64, union } from '../ledger/codec.ts';
import { BATCH_BYTES_MAX, BATCH_TRANSACTIONS_MAX } from '../ledger/limits.ts';
import { SHOWN_MAX, SYNC_BLOCKS_MAX } from './limits.ts';
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
  /** R6: what was seen to be signed by whoever asks. */
  shown: [4, struct({})],
});

/** The answer to `shown` (R5). */
export const shownAnswerCodec = list(shownCodec, SHOWN_MAX);

/** The answer to `batch`. */
export const batchAnswerCodec = union({ nothing: [0, struct({})], batch: [1, batchCodec] });

/** R7: a certificate, all headers up to it, and the transactions of a prefix of them. Empty when there is nothing. */
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
});
export type BlocksAnswer = CodecType<typeof blocksAnswerCodec>;
