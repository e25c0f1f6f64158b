import type { Genesis } from '../../genesis/genesis.ts';
import {
  type Batch,
  blockHash,
  genesisHeader,
  type Header,
  headerCodec,
  receiptCodec,
  transactionsRoot,
} from '../../ledger/block.ts';
import { equalBytes } from '../../ledger/bytes.ts';
import { type Certificate, certificateCodec } from '../../ledger/checkpoint.ts';
import { decode, encode } from '../../ledger/codec.ts';
import { encodeAll } from '../../ledger/encoded.ts';
import type { BatchResult } from '../../ledger/execution.ts';
import { appendHistory, emptyHistory, historyRoot } from '../../ledger/history.ts';
import { listRoot } from '../../ledger/list-tree.ts';
import { decodeTransaction, packTransactions, type Transaction, unpackTransactions } from '../../ledger/transaction.ts';
import type { UncertifiedHead } from '../pbft/events.ts';
import type { Head, JournalMark, SyncBlock } from '../ports.ts';
import { heightKey, historyKey, type Store, type StoreBatch } from '../store/store.ts';
import type { BlockIds } from '../wire.ts';
import { LedgerError } from './error.ts';
import type { Epochs } from './membership.ts';
import { carriedIds, NO_KEY } from './opening.ts';
import { type Base, type BlockRecord, blockCodec, headCodec, placeCodec } from './records.ts';

/** Blocks as records of the store. */

/** Of a block that no journal group came before. */
export const NO_MARK: JournalMark = { group: 0, chain: new Uint8Array(32) };
export const CAUGHT_UP = { kind: 'caughtUp', value: {} } as const;

/** What a block is made of, each receipt encoded once: its bytes are what is hashed and what is stored. */
export interface BlockContent {
  /** Block time in ms. */
  readonly timestamp: number;
  readonly ids: readonly Uint8Array[];
  readonly transactions: readonly Uint8Array[];
  readonly receipts: readonly Uint8Array[];
}

export function contentOf({ timestamp, executed, receipts }: BatchResult): BlockContent {
  return {
    timestamp,
    ids: executed.map(({ id }) => id),
    transactions: executed.map(({ bytes }) => bytes),
    receipts: encodeAll(receiptCodec, receipts),
  };
}

/** Of the block that executing a batch gives. */
export function headerOf(height: number, parent: Uint8Array, { timestamp, ids, receipts }: BlockContent): Header {
  const roots = { transactionsRoot: transactionsRoot(ids), receiptsRoot: listRoot(receipts) };
  return { height, parent, timestamp, ...roots, count: ids.length };
}

/** Everything that is kept of an executed block, as one part of its batch (R3). */
export function putBlock(
  stored: StoreBatch,
  header: Header,
  head: Head,
  { ids, transactions, receipts }: BlockContent,
  ordered: BlockRecord['ordered'],
  mark: JournalMark,
): void {
  const { height, blockHash: hash, stateRoot, historyRoot: root } = head;
  const packed = packTransactions(transactions);
  const record: BlockRecord = { header, stateRoot, historyRoot: root, ordered, ids, transactions: packed, receipts };
  stored.put('block', heightKey(height), encode(blockCodec, record));
  stored.put('blockHash', hash, heightKey(height));
  for (const [index, id] of ids.entries()) stored.put('transaction', id, encode(placeCodec, { height, index }));
  stored.put('head', NO_KEY, encode(headCodec, { ...head, ...mark }));
}

/** That of the newest certified block at or below a height. */
export async function newestCertificate(store: Store, height: number): Promise<Certificate | undefined> {
  const range = { to: heightKey(height + 1), limit: 1, reverse: true };
  for await (const { value } of store.range('certificate', range)) return decode(certificateCodec, value);
  return undefined;
}

/** What an opened ledger goes on from, oldest first. */
export interface BlocksAtHand {
  /** Those within the horizon, also those that only a snapshot brought. */
  readonly recent: readonly BlockIds[];
  /** Of those above the newest certificate. */
  readonly uncertified: readonly UncertifiedHead[];
}

/** Or the height of a block that lacks: without its ids what it executed would execute again. */
export async function blocksAtHand(
  store: Store,
  base: Base,
  { head, epochs, finalHeight }: { readonly head: Head; readonly epochs: Epochs; readonly finalHeight: number },
  oldest: number,
): Promise<BlocksAtHand | number> {
  const own: BlockRecord[] = [];
  const from = base.height === 0 ? 0 : base.height + 1;
  let expected = head.height;
  for await (const { value } of store.range('block', { from: heightKey(from), reverse: true })) {
    const block = decode(blockCodec, value);
    if (block.header.height !== expected) return expected;
    expected--;
    if (block.header.timestamp < oldest && block.header.height <= finalHeight) break;
    own.push({ ...block, transactions: NO_KEY, receipts: [], ids: block.ids.map((id) => id.slice()) });
  }
  own.reverse();
  const carried = await carriedIds(store, base, oldest);
  return {
    recent: [...carried, ...own.filter(({ header }) => header.timestamp >= oldest)],
    uncertified: own.flatMap((block) =>
      block.header.height > finalHeight ? [uncertifiedHead(block, head, epochs)] : [],
    ),
  };
}

/** What of a block is signed again, after a restart. Only the newest one can end an epoch: the next begins with a certificate. */
function uncertifiedHead(
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

/** Block 0 and its place in the history; its head. */
export function putGenesis(
  stored: StoreBatch,
  { id, time }: Pick<Genesis, 'id' | 'time'>,
  stateRoot: Uint8Array,
  following: Pick<Head, 'nextEpoch' | 'nextValidatorsHash'>,
): Head {
  const header = genesisHeader(id, time);
  const hash = blockHash(header);
  const { next, nodes } = appendHistory(emptyHistory, hash);
  const { timestamp } = header;
  const head = { height: 0, blockHash: hash, stateRoot, historyRoot: historyRoot(next), timestamp, ...following };
  for (const node of nodes) stored.put('history', historyKey(node.level, node.index), node.hash);
  putBlock(stored, header, head, { timestamp, ids: [], transactions: [], receipts: [] }, CAUGHT_UP, NO_MARK);
  return head;
}

/** What a peer's block is made of; throws LedgerError if it does not follow, or its transactions are not those of its header. */
export function decodeSynced(block: SyncBlock, head: Head, genesisId: Uint8Array) {
  const header = decode(headerCodec, block.header);
  const transactions = decodeTransactions(genesisId, block.transactions);
  const ids = transactions.map(({ id }) => id);
  if (header.height !== head.height + 1 || !equalBytes(header.parent, head.blockHash))
    throw new LedgerError('BAD_BLOCK', `block ${header.height} does not follow block ${head.height}`);
  if (ids.length !== header.count || !equalBytes(transactionsRoot(ids), header.transactionsRoot))
    throw new LedgerError('BAD_BLOCK', `the transactions of block ${header.height} are not those of its header`);
  const batch: Batch = { height: header.height, timestamp: header.timestamp, transactions: ids };
  return { header, batch, transactions };
}
