import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { packedTransaction, packTransactions, unpackTransactions } from '../../ledger/transaction.ts';

describe('packed transactions', () => {
  const transactions = [Uint8Array.of(1), Uint8Array.of(2, 2, 2), new Uint8Array(0), Uint8Array.of(4, 4)];
  // Not at the beginning of its memory, and not up to its end.
  const packed = Buffer.concat([Buffer.alloc(3), packTransactions(transactions), Buffer.alloc(9)]).subarray(3, -9);

  it('are found one by one, as all together', () => {
    assert.deepEqual(unpackTransactions(packed, 4), { ok: true, value: transactions.map((one) => Buffer.from(one)) });
    for (const [i, one] of transactions.entries()) assert.deepEqual([...packedTransaction(packed, i)], [...one]);
  });

  it('throw where there is none, or only a part of one', () => {
    assert.throws(() => packedTransaction(packed, 4), RangeError);
    for (let cut = 1; cut <= 6; cut++) {
      assert.throws(() => packedTransaction(packed.subarray(0, -cut), 3), RangeError, `${cut} bytes less`);
    }
  });
});
