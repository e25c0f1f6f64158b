import { blockHash, type Header } from '../../ledger/block.ts';
import { decode, encode } from '../../ledger/codec.ts';
import type { BatchResult } from '../../ledger/execution.ts';
import { decodeTransaction, packTransactions, type Transaction, unpackTransactions } from '../../ledger/transaction.ts';
import type { UncertifiedHead } from '../pbft/events.ts';
import type { Head, JournalMark } from '../ports.ts';
import { heightKey, type Store, type StoreBatch } from '../store/store.ts';
import { LedgerError } from './error.ts';
import type { Epochs } from './membership.ts';
import { NO_KEY } from './opening.ts';
import { type BlockRecord, blockCodec, headCodec, placeCodec } from './records.ts';

/** Blocks as records of the store. */

export const CAUGHT_UP = { kind: 'caughtUp', value: {} } as const;

/** Everything that is kept of an executed block, as one part of its batch (R3). */
export function putBlock(
  stored: StoreBatch,
  header: Header,
  head: Head,
  { executed, receipts }: BatchResult,
  ordered: BlockRecord['ordered'],
  mark: JournalMark,
): void {
  const { height, blockHash: hash, stateRoot, historyRoot: root } = head;
  const ids = executed.map(({ id }) => id);
  const transactions = packTransactions(executed.map(({ bytes }) => bytes));
  const record: BlockRecord = { header, stateRoot, historyRoot: root, ordered, ids, transactions, receipts };
  stored.put('block', heightKey(height), encode(blockCodec, record));
  stored.put('blockHash', hash, heightKey(height));
  for (const [index, id] of ids.entries()) stored.put('transaction', id, encode(placeCodec, { height, index }));
  stored.put('head', NO_KEY, encode(headCodec, { ...head, ...mark }));
}

/**
 * The blocks from the newest one down to the horizon and the newest certificate, ascending, without what the ledger does
 * not need again; the height of one that lacks: without its ids what it executed would execute again.
 */
export async function newestBlocks(
  store: Store,
  from: number,
  newest: number,
  oldest: number,
  finalHeight: number,
): Promise<readonly BlockRecord[] | number> {
  const blocks: BlockRecord[] = [];
  let expected = newest;
  for await (const { value } of store.range('block', { from: heightKey(from), reverse: true })) {
    const block = decode(blockCodec, value);
    if (block.header.height !== expected) return expected;
    expected--;
    if (block.header.timestamp < oldest && block.header.height <= finalHeight) break;
    blocks.push({ ...block, transactions: NO_KEY, receipts: [], ids: block.ids.map((id) => id.slice()) });
  }
  return blocks.reverse();
}

/** What of a block is signed again, after a restart. Only the newest one can end an epoch: the next begins with a certificate. */
export function uncertifiedHead(
  { header, stateRoot, historyRoot, ordered }: BlockRecord,
  head: Head,
  epochs: Epochs,
): UncertifiedHead {
  const { height, timestamp } = header;
  const epoch = epochs.numberAt(head.height);
  const { nextEpoch, nextValidatorsHash } = height === head.height ? head : epochs.inside(epoch);
  return {
    height,
    blockHash: blockHash(header),
    stateRoot,
    historyRoot,
    timestamp,
    nextEpoch,
    nextValidatorsHash,
    ordered: ordered.kind === 'here' ? { epoch, ...ordered.value } : undefined,
  };
}

/** The transactions of a batch whose bodies have been checked before; throws LedgerError for others. */
export function decodeTransactions(genesisId: Uint8Array, packed: Uint8Array): readonly Transaction[] {
  const unpacked = unpackTransactions(packed, Number.MAX_SAFE_INTEGER);
  if (!unpacked.ok) throw new LedgerError('BAD_INPUT', unpacked.problem);
  return unpacked.value.map((bytes) => {
    const decoded = decodeTransaction(genesisId, bytes);
    if (!decoded.ok) throw new LedgerError('BAD_INPUT', decoded.problem);
    return decoded.value;
  });
}
