import { headerCodec, receiptCodec } from '../../ledger/block.ts';
import { blob, bytes32, type CodecType, list, struct, u16, u32, u64, union } from '../../ledger/codec.ts';
import { BATCH_BYTES_MAX, BATCH_TRANSACTIONS_MAX } from '../../ledger/limits.ts';

/** What identifies a data directory (D12): made once, compared at every start. */
export const metaCodec = struct({ format: u16, genesisId: bytes32, validatorKey: bytes32 });
export const STORE_FORMAT = 2;

export const headCodec = struct({
  height: u64,
  blockHash: bytes32,
  stateRoot: bytes32,
  historyRoot: bytes32,
  timestamp: u64,
  /** R1: the last journal group whose fsync had returned when the block was handed over; 0 and zeros at height 0. */
  group: u64,
  chain: bytes32,
});

/** One block in one record. */
export const blockCodec = struct({
  header: headerCodec,
  stateRoot: bytes32,
  historyRoot: bytes32,
  /** N11: how this validator saw it ordered; absent in blocks of a catch-up. */
  ordered: union({ caughtUp: [0, struct({})], here: [1, struct({ digest: bytes32, view: u64 })] }),
  ids: list(bytes32, BATCH_TRANSACTIONS_MAX),
  /** Packed transactions, in the order of `ids`. */
  transactions: blob(BATCH_BYTES_MAX + 4 * BATCH_TRANSACTIONS_MAX),
  receipts: list(receiptCodec, BATCH_TRANSACTIONS_MAX),
});
export type BlockRecord = CodecType<typeof blockCodec>;

/** Where a transaction is. */
export const placeCodec = struct({ height: u64, index: u32 });
