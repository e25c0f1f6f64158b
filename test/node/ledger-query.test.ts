import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodedReceipt } from '../../ledger/block.ts';
import { encode } from '../../ledger/codec.ts';
import { packTransactions } from '../../ledger/transaction.ts';
import { LedgerQuery } from '../../node/ledger/queries.ts';
import { blockCodec, placeCodec } from '../../node/ledger/records.ts';
import type { LedgerState } from '../../node/ledger/state.ts';
import { heightOfKey, type Store } from '../../node/store/store.ts';
import { smallChain } from '../support/chain.ts';

const HASH = new Uint8Array(32);
const { header, transactions, receipts } = smallChain().blocks[1]!;
const record = encode(blockCodec, {
  header,
  stateRoot: HASH,
  historyRoot: HASH,
  ordered: { kind: 'caughtUp', value: {} },
  ids: transactions.map(({ id }) => id),
  transactions: packTransactions(transactions.map(({ bytes }) => bytes)),
  receipts: receipts.map(encodedReceipt),
});
/** Of a transaction that a test says is at some height. */
const idAt = (height: number): Uint8Array => new Uint8Array(32).fill(height);

/** Queries of a store in which each height has the same block, and the heights of the blocks that were read there. */
function queries() {
  const read: number[] = [];
  const failing = new Set<number>();
  const lacking = new Set<number>();
  const place = (id: Uint8Array) => encode(placeCodec, { height: id[0]!, index: 0 });
  const store = {
    get: (_: 'transaction', id: Uint8Array) => place(id),
    async getAsync(kind: 'transaction' | 'block', key: Uint8Array) {
      if (kind === 'transaction') return place(key);
      const height = heightOfKey(key);
      read.push(height);
      if (failing.has(height)) throw new Error('a bad disk');
      return lacking.has(height) ? undefined : record;
    },
  } as unknown as Store;
  const now = () => ({ finalHeight: 0 });
  return { read, failing, lacking, query: new LedgerQuery(store, {} as LedgerState, now as never, async () => {}) };
}

describe('blocks that are read for several questions', () => {
  const ids = (...heights: number[]): Uint8Array => Buffer.concat(heights.map(idAt));

  it('are read once for many transactions and for questions that follow, and the two read last are kept', async () => {
    const { read, query } = queries();
    const found = await query.answer('outcomes', { ids: ids(1, 1, 2, 1, 2) });
    assert.deepEqual(found[4], { height: 2, index: 0, status: receipts[0]!.status });
    assert.deepEqual(read, [1, 2]);
    const one = await query.answer('transaction', { id: idAt(1) });
    assert.deepEqual(one?.transaction, transactions[0]!.bytes);
    await query.answer('outcomes', { ids: ids(3, 1) });
    assert.deepEqual(read, [1, 2, 3], 'block 1 was asked for later than block 2');
    await query.answer('transaction', { id: idAt(2) });
    assert.deepEqual(read, [1, 2, 3, 2]);
  });

  it('are read again where they lacked, or could not be read', async () => {
    const { read, failing, lacking, query } = queries();
    lacking.add(1);
    failing.add(2);
    assert.deepEqual(await query.answer('outcomes', { ids: ids(1) }), [undefined]);
    await assert.rejects(query.answer('transaction', { id: idAt(2) }), /a bad disk/);
    lacking.clear();
    failing.clear();
    const found = await query.answer('outcomes', { ids: ids(1, 2) });
    assert.deepEqual(
      found.map((one) => one?.height),
      [1, 2],
    );
    assert.deepEqual(read, [1, 2, 1, 2]);
  });
});
