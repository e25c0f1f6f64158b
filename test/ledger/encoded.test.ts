import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Receipt, receiptCodec } from '../../ledger/block.ts';
import { concatBytes } from '../../ledger/bytes.ts';
import {
  amount,
  blob,
  bool,
  bytes,
  CodecError,
  decode,
  encode,
  list,
  oneOf,
  struct,
  text,
  u8,
  u16,
  u64,
  union,
  Writer,
} from '../../ledger/codec.ts';
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

test('the end of a value of any shape is found without a look into it, and cut bytes are refused', () => {
  const all = struct({
    height: u64,
    balance: amount,
    last: bool,
    key: bytes(5),
    data: blob(70_000),
    name: text(300),
    items: list(union({ few: [1, struct({ a: u8 })], many: [2, list(text(9), 9)] }), 5),
    status: oneOf({ ok: 0, failed: 7 }),
  });
  const value = {
    height: 2 ** 40,
    balance: 2n ** 100n,
    last: true,
    key: new Uint8Array(5).fill(9),
    data: new Uint8Array(66_000).fill(1),
    name: 'Zoë 😀',
    items: [
      { kind: 'few', value: { a: 3 } },
      { kind: 'many', value: ['', 'ü', 'two'] },
    ],
    status: 'failed',
  } as const;
  const one = encode(all, value);
  const two = list(encoded(all), 9);
  const written = encode(two, [one, one]);
  assert.deepEqual(decode(two, written), [one, one]);
  for (const length of [0, 1, 9, 30, 66_050, written.length - 1])
    assert.throws(() => decode(two, written.subarray(0, length)), CodecError, `${length} bytes`);
  const variant = union({ few: [1, u8], many: [2, u16] });
  assert.throws(() => decode(encoded(variant), Uint8Array.of(3, 0)), CodecError);
});
