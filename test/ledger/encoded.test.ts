import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Receipt, receiptCodec } from '../../ledger/block.ts';
import { concatBytes } from '../../ledger/bytes.ts';
import { decode, encode, list, u16, Writer } from '../../ledger/codec.ts';
import { encodeAll, encodeBehind, encoded } from '../../ledger/encoded.ts';

const receipts: Receipt[] = Array.from({ length: 9 }, (_, i) => ({
  id: new Uint8Array(32).fill(i),
  status: i % 2 === 0 ? 'ok' : 'failed',
  code: i % 2 === 0 ? '' : 'overflow',
  events: i % 2 === 0 ? [{ module: 'assets', name: 'issued', data: new Uint8Array(100 * i).fill(i) }] : [],
}));

test('encoded values are written as they are, and read as the bytes of each', () => {
  const each = receipts.map((one) => encode(receiptCodec, one));
  const plain = encode(list(receiptCodec, 100), receipts);
  assert.deepEqual(encode(list(encoded(receiptCodec), 100), each), plain);
  assert.deepEqual(decode(list(encoded(receiptCodec), 100), plain), each);
  const codec = encoded(receiptCodec);
  assert.deepEqual(codec.toJson(each[2]!), receiptCodec.toJson(receipts[2]!));
  assert.deepEqual(codec.fromJson(codec.toJson(each[2]!)), each[2]);
});

test('many values share a buffer, and earlier ones stay what they were when it grows', () => {
  assert.deepEqual(
    encodeAll(receiptCodec, receipts),
    receipts.map((one) => encode(receiptCodec, one)),
  );
  const writer = new Writer(new Uint8Array(3));
  const values = Array.from({ length: 40 }, (_, i) => 1_000 * i);
  const views = values.map((value) => encodeBehind(writer, u16, value));
  assert.deepEqual(concatBytes(...views), concatBytes(...values.map((value) => encode(u16, value))));
});
