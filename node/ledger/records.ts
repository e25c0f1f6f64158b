import { headerCodec, receiptCodec } from '../../ledger/block.ts';
import { blob, bytes32, type CodecType, list, oneOf, struct, u16, u32, u64, union } from '../../ledger/codec.ts';
import { encoded } from '../../ledger/encoded.ts';
import { BATCH_BYTES_MAX, BATCH_TRANSACTIONS_MAX } from '../../ledger/limits.ts';

/**
 * What identifies a data directory (D12): made once, compared at every start. The peer key is what every node has, and keeps
 * when its consensus key changes.
 */
export const metaCodec = struct({ format: u16, genesisId: bytes32, peerKey: bytes32 });
export const STORE_FORMAT = 4;

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

/** What an installed snapshot left out (R8). Height 0 of a chain that was executed from its beginning. */
export const baseCodec = struct({
  /** Height of the snapshot: blocks at or below it may lack. */
  height: u64,
  /** Which kind of the store holds the rows. */
  rows: oneOf({ state: 1, otherState: 2 }),
  /** C4: the executed ids of all blocks from this block time on are at hand, within the horizon. */
  idsSince: u64,
});
export type Base = CodecType<typeof baseCodec>;

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
  receipts: list(encoded(receiptCodec), BATCH_TRANSACTIONS_MAX),
});
export type BlockRecord = CodecType<typeof blockCodec>;

/** Where a transaction is. */
export const placeCodec = struct({ height: u64, index: u32 });
