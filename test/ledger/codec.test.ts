import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { batchCodec } from '../../ledger/block.ts';
import { fromHex } from '../../ledger/bytes.ts';
import {
  amount,
  blob,
  bool,
  bytes,
  bytes32,
  type Codec,
  CodecError,
  checked,
  decode,
  encode,
  type Json,
  list,
  oneOf,
  struct,
  text,
  tryDecode,
  tryFromJson,
  u8,
  u16,
  u32,
  u64,
  union,
} from '../../ledger/codec.ts';
import { sizeMaxOf } from '../../ledger/describe.ts';
import { BATCH_TRANSACTIONS_MAX } from '../../ledger/limits.ts';
import { multiSignatureCodec } from '../../ledger/validators.ts';
import { FrameParser } from '../../p2p/framing.ts';
import { FRAME_BYTES_MAX } from '../../p2p/limits.ts';
import { fuzz } from '../fuzz/decoders.ts';
import { valuesOf } from '../support/arbitrary.ts';
import { CODECS } from '../support/decoders.ts';

const hex = (digits: string): Uint8Array => fromHex(`0x${digits}`)!;

/** What the bytes decode to, or `refused`. */
function read<T>(codec: Codec<T>, digits: string): T | 'refused' {
  const decoded = tryDecode(codec, hex(digits));
  return decoded.ok ? decoded.value : 'refused';
}

describe('every codec', () => {
  for (const [name, codec] of Object.entries(CODECS)) {
    test(`${name}: decode(encode(x)) = x, in bytes and in JSON, and no longer than sizeMax`, () => {
      fc.assert(
        fc.property(valuesOf(codec), (value) => {
          const encoded = encode(codec, value);
          assert(encoded.length <= sizeMaxOf(codec));
          assert.deepEqual(decode(codec, encoded), value);
          const json = codec.toJson(value);
          assert.deepEqual(codec.fromJson(JSON.parse(JSON.stringify(json)) as Json), value);
        }),
        { numRuns: 60 },
      );
    });
  }

  test('K06: mutated bytes are refused with a reason, or are what their value encodes to', () => {
    const { counts } = fuzz(6, (runs) => runs >= 90_000);
    for (const [name, { accepted, refused }] of counts) {
      assert(refused > 50, `${name} refused ${refused}`);
      assert(accepted >= 1, `${name} accepted ${accepted}`);
    }
  });

  test('K06: one byte more or less is refused', () => {
    for (const [name, codec] of Object.entries(CODECS)) {
      for (const value of fc.sample(valuesOf(codec), { numRuns: 5, seed: 1 })) {
        const encoded = encode(codec, value);
        assert.equal(tryDecode(codec, Uint8Array.of(...encoded, 0)).ok, false, name);
        assert.equal(tryDecode(codec, encoded.subarray(0, -1)).ok, false, name);
      }
    }
  });
});

describe('primitives', () => {
  test('integers are big-endian, of fixed width, and safe', () => {
    assert.deepEqual(encode(u16, 0x0102), hex('0102'));
    assert.deepEqual(encode(u64, 2 ** 53 - 1), hex('001fffffffffffff'));
    assert.equal(read(u64, '001fffffffffffff'), 2 ** 53 - 1);
    assert.equal(read(u64, '0020000000000000'), 'refused');
    assert.equal(read(u64, 'ffffffffffffffff'), 'refused');
    assert.equal(read(u32, 'ffffffff'), 2 ** 32 - 1);
    for (const wrong of [-1, 256, 0.5, Number.NaN, Number.POSITIVE_INFINITY, -0]) {
      assert.throws(() => encode(u8, wrong), CodecError, String(wrong));
    }
    assert.throws(() => encode(u64, 2 ** 53), CodecError);
  });

  test('amounts take 16 bytes, and a decimal string in JSON', () => {
    assert.deepEqual(encode(amount, 258n), hex('00000000000000000000000000000102'));
    assert.equal(read(amount, 'f'.repeat(32)), 2n ** 128n - 1n);
    assert.throws(() => encode(amount, -1n), CodecError);
    assert.throws(() => encode(amount, 2n ** 128n), CodecError);
    for (const json of ['', '01', '+1', '-1', '1.0', '1e3', ' 1', '0x1', `${2n ** 128n}`, 1, null]) {
      assert.equal(tryFromJson(amount, json).ok, false, String(json));
    }
  });

  test('K06: a boolean is 0 or 1, a tag is one of its set', () => {
    assert.equal(read(bool, '02'), 'refused');
    assert.equal(read(bool, ''), 'refused');
    const color = oneOf({ red: 1, green: 7 });
    assert.equal(read(color, '07'), 'green');
    assert.equal(read(color, '02'), 'refused');
    const shape = union({ circle: [1, u8], square: [2, bool] });
    assert.deepEqual(read(shape, '0105'), { kind: 'circle', value: 5 });
    assert.equal(read(shape, '0305'), 'refused');
    assert.equal(read(shape, '0202'), 'refused');
    // Inherited names are not variants.
    assert.equal(tryFromJson(shape, { kind: 'constructor', value: 1 }).ok, false);
    assert.equal(tryFromJson(color, 'toString').ok, false);
    assert.throws(() => encode(color, 'toString' as 'red'), CodecError);
  });

  test('K06: text is well-formed UTF-8: no overlong form, surrogate, cut-off or stray byte', () => {
    const short = text(8);
    assert.equal(read(short, '03e282ac'), '€');
    for (const wrong of [
      '01c0',
      '02c080',
      '02c1bf',
      '03e08080',
      '03eda080',
      '04f0808080',
      '04f4908080',
      '0180',
      '02e282',
      '01ff',
    ]) {
      assert.equal(read(short, wrong), 'refused', wrong);
    }
    assert.equal(read(short, '03efbbbf'), '\ufeff', 'a byte order mark is a character like any other');
    assert.throws(() => encode(short, '\ud800'), CodecError);
    assert.throws(() => encode(short, '€€€'), CodecError);
    assert.throws(() => encode(text(8, 1), ''), CodecError);
    assert.equal(read(text(8, 1), '00'), 'refused');
  });

  test('lengths and counts take 1, 2 or 4 bytes by their bound', () => {
    for (const [max, width] of [
      [1, 1],
      [255, 1],
      [256, 2],
      [65_535, 2],
      [65_536, 4],
    ] as const) {
      assert.equal(encode(blob(max), new Uint8Array(0)).length, width, `blob up to ${max}`);
      assert.equal(encode(list(u8, max), []).length, width, `list up to ${max}`);
      assert.equal(encode(text(max), '').length, width, `text up to ${max}`);
    }
  });

  test('what has no length is neither bytes nor a list: an error, not empty bytes', () => {
    const nothing = {} as never;
    for (const codec of [blob(8), bytes(8), list(u8, 8)] as readonly Codec<unknown>[]) {
      assert.throws(() => encode(codec, nothing), CodecError);
    }
  });

  test('an object has exactly its fields in JSON', () => {
    const pair = struct({ a: u8, b: list(bytes(1), 2, 1) });
    assert.deepEqual(encode(pair, { a: 1, b: [hex('ff')] }), hex('0101ff'));
    assert.equal(tryFromJson(pair, { a: 1, b: ['0xff'] }).ok, true);
    const wrong: Record<string, Json> = {
      'value.b': { a: 1 },
      'value.c': { a: 1, b: ['0xff'], c: 0 },
      'value.b[1]': { a: 1, b: ['0xff', '0xF0'] },
      'value.a': { a: '1', b: ['0xff'] },
      value: [1, ['0xff']],
    };
    for (const [path, json] of Object.entries(wrong)) {
      const decoded = tryFromJson(pair, json);
      assert(!decoded.ok && decoded.problem.startsWith(`${path}:`), `${path}: ${decoded.ok || decoded.problem}`);
    }
    assert.equal(tryFromJson(pair, JSON.parse('{"a":1,"b":["0xff"],"__proto__":1}') as Json).ok, false);
  });

  test('a narrowed type is narrow in both directions and in JSON', () => {
    const even = checked(u8, (value) => (value % 2 === 0 ? undefined : `expected an even number, got ${value}`));
    assert.equal(read(even, '04'), 4);
    assert.equal(read(even, '05'), 'refused');
    assert.throws(() => encode(even, 5), CodecError);
    assert.equal(tryFromJson(even, 5).ok, false);
  });
});

describe('lengths from outside', () => {
  /** An item that must not be read. */
  const untouchable: Codec<never> = {
    ...u8,
    read: () => assert.fail('read'),
    fromJson: () => assert.fail('read'),
  } as never;

  test('X03: a length or count beyond its bound, or beyond what is there, is refused before anything is made of it', () => {
    for (const codec of [blob(0xffffffff), text(0xffffffff), list(untouchable, 0xffffffff)]) {
      assert.equal(read(codec as Codec<unknown>, 'ffffffff'), 'refused');
      assert.equal(read(codec as Codec<unknown>, 'ffffffff00000000'), 'refused');
    }
    assert.equal(read(list(untouchable, 3) as Codec<unknown>, '0400000000'), 'refused');
    assert.equal(read(list(untouchable, 3, 2) as Codec<unknown>, '0100'), 'refused');
    assert.equal(read(blob(3), '0400000000'), 'refused');
    assert.equal(tryFromJson(list(untouchable, 3) as Codec<unknown>, [0, 0, 0, 0]).ok, false);
  });

  test('X03: a frame that announces too much ends the channel at its header', () => {
    for (const length of [FRAME_BYTES_MAX + 1, 0xffffffff]) {
      const header = new Uint8Array(5);
      new DataView(header.buffer).setUint32(0, length);
      header[4] = 1;
      assert.throws(() => [...new FrameParser().push(header)], RangeError);
    }
  });

  test('X04: many small items cost at most a few times their bytes', () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const used = (): number => {
      collect();
      const { heapUsed, external, arrayBuffers } = process.memoryUsage();
      return heapUsed + external + arrayBuffers;
    };
    const batch = new Uint8Array(16 + 2 + 32 * BATCH_TRANSACTIONS_MAX);
    new DataView(batch.buffer).setUint16(16, BATCH_TRANSACTIONS_MAX);
    const signatures = new Uint8Array(2 + 64 * 128);
    signatures[1] = 128;
    for (const [codec, wire] of [
      [batchCodec, batch],
      [multiSignatureCodec, signatures],
      [list(bytes32, 100_000), manyBytes32(100_000)],
    ] as const) {
      const before = used();
      const kept = Array.from({ length: Math.ceil(4_000_000 / wire.length) }, () =>
        decode(codec as Codec<unknown>, wire),
      );
      const ratio = (used() - before) / (kept.length * wire.length);
      assert(ratio < 4, `heap is ${ratio.toFixed(1)} times the ${wire.length} bytes`);
    }
  });

  function manyBytes32(count: number): Uint8Array {
    const wire = new Uint8Array(4 + 32 * count);
    new DataView(wire.buffer).setUint32(0, count);
    return wire;
  }
});
