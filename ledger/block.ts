import { concatBytes, utf8Encode } from './bytes.ts';
import { blob, bytes32, type CodecType, encode, list, oneOf, struct, text, u32, u64 } from './codec.ts';
import { sha256 } from './hash.ts';
import { BATCH_TRANSACTIONS_MAX, EVENT_BYTES_MAX, EVENTS_PER_RECEIPT_MAX, NAME_BYTES_MAX } from './limits.ts';
import { listRoot } from './list-tree.ts';

/** What PBFT orders at one height. An empty batch is a heartbeat; a null batch (timestamp 0) fills a hole (V7). */
export const batchCodec = struct({
  height: u64,
  /** The leader's clock in ms when it proposed; 0 in a null batch. */
  timestamp: u64,
  /** Transaction ids in execution order. */
  transactions: list(bytes32, BATCH_TRANSACTIONS_MAX),
});
export type Batch = CodecType<typeof batchCodec>;

/** What executing the batch at `height` gave. The view is not in it: a carried batch gives the same block (V7). */
export const headerCodec = struct({
  height: u64,
  /** Hash of the block below; the genesis id below height 0. */
  parent: bytes32,
  /** Block time in ms, strictly increasing (N9). */
  timestamp: u64,
  /** List tree over the ids with a receipt, in execution order. */
  transactionsRoot: bytes32,
  /** List tree over the encoded receipts, same order. */
  receiptsRoot: bytes32,
  count: u32,
});
export type Header = CodecType<typeof headerCodec>;

export const eventCodec = struct({
  module: text(NAME_BYTES_MAX, 1),
  name: text(NAME_BYTES_MAX, 1),
  /** Canonical bytes of the event's type. */
  data: blob(EVENT_BYTES_MAX),
});
export type LedgerEvent = CodecType<typeof eventCodec>;

/** The outcome of one transaction. `failed` changed nothing; `code` says why and is empty for `ok`. */
export const receiptCodec = struct({
  id: bytes32,
  status: oneOf({ ok: 0, failed: 1 }),
  code: text(64),
  events: list(eventCodec, EVENTS_PER_RECEIPT_MAX),
});
export type Receipt = CodecType<typeof receiptCodec>;

const BATCH_DOMAIN = utf8Encode('batch');

/** SHA-256("batch" ‖ batch): what votes are about. */
export function batchDigest(batch: Batch): Uint8Array {
  return sha256(concatBytes(BATCH_DOMAIN, encode(batchCodec, batch)));
}

/** V7: fills a height that nobody can have committed. Its block time is its parent's plus one. */
export function nullBatch(height: number): Batch {
  return { height, timestamp: 0, transactions: [] };
}

export function blockHash(header: Header): Uint8Array {
  return sha256(encode(headerCodec, header));
}

/** N9: block time of a batch on a parent with block time `parentTimestamp`. */
export function blockTime(batch: Batch, parentTimestamp: number): number {
  return Math.max(batch.timestamp, parentTimestamp + 1);
}

/** Block 0: made from the genesis file, ordered by nobody. */
export function genesisHeader(genesisId: Uint8Array, timestamp: number): Header {
  return {
    height: 0,
    parent: genesisId,
    timestamp,
    transactionsRoot: listRoot([]),
    receiptsRoot: listRoot([]),
    count: 0,
  };
}

/** Root of the list tree over transaction ids. */
export function transactionsRoot(ids: readonly Uint8Array[]): Uint8Array {
  return listRoot(ids);
}

/** A receipt's canonical bytes: its leaf content in the list tree. */
export function encodedReceipt(receipt: Receipt): Uint8Array {
  return encode(receiptCodec, receipt);
}

/** Root of the list tree over receipts, each in its canonical bytes. */
export function receiptsRoot(receipts: readonly Receipt[]): Uint8Array {
  return listRoot(receipts.map(encodedReceipt));
}
