import { toHex } from '../../ledger/bytes.ts';
import {
  amount,
  blob,
  bool,
  bytes,
  type Codec,
  encode,
  type Json,
  list,
  oneOf,
  text,
  u8,
  u16,
  u32,
  u64,
  union,
} from '../../ledger/codec.ts';
import { layoutOf } from '../../ledger/describe.ts';
import { joined, undecodable, unreadable } from './cases.ts';

/** The codecs of primitives.json by the layout that the cases name. */
export const PRIMITIVES: readonly Codec<unknown>[] = [
  u8,
  u16,
  u32,
  u64,
  amount,
  bool,
  bytes(4),
  blob(255),
  blob(256),
  blob(65_535),
  blob(65_536),
  text(32, 1),
  text(64),
  list(u16, 3, 1),
  list(u8, 300),
  oneOf({ ok: 0, failed: 1 }),
  union({ small: [1, u8], large: [2, u32] }),
].map((codec) => codec as unknown as Codec<unknown>);

const GOOD: Readonly<Record<string, readonly unknown[]>> = {
  u8: [0, 255],
  u16: [0, 258, 65_535],
  u32: [0, 0x01020304, 0xffffffff],
  u64: [0, 0x0102030405, Number.MAX_SAFE_INTEGER],
  u128: [0n, 258n, 2n ** 128n - 1n],
  bool: [false, true],
  bytes4: [Uint8Array.of(1, 2, 3, 255)],
  'blob<0..255>': [new Uint8Array(0), Uint8Array.of(7)],
  'blob<0..256>': [new Uint8Array(0), Uint8Array.of(7, 8)],
  'blob<0..65535>': [new Uint8Array(0), Uint8Array.of(7, 8, 9)],
  'blob<0..65536>': [new Uint8Array(0), Uint8Array.of(7, 8, 9)],
  'text<1..32>': ['a', 'ñ€😀', '\u0000', '\ufeff', 'é', 'e\u0301', 'ñ'.repeat(16)],
  'text<0..64>': ['', '"\\\b\f\n\r\t\u001f\u007f\u2028'],
  'list<u16, 1..3>': [[1], [1, 2, 3]],
  'list<u8, 0..300>': [[], [9]],
  'tag<0 ok | 1 failed>': ['ok', 'failed'],
  'union<1 small: u8 | 2 large: u32>': [
    { kind: 'small', value: 5 },
    { kind: 'large', value: 5 },
  ],
};

const BAD_BYTES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  u8: { 'too short': '', 'trailing byte': '0000' },
  u16: { 'too short': '00', 'trailing byte': '000000' },
  u32: { 'too short': '000000', 'trailing byte': '0000000000' },
  u64: {
    'above 2^53 - 1': '0020000000000000',
    'all ones': 'ffffffffffffffff',
    'too short': '00000000000000',
    'trailing byte': '000000000000000000',
  },
  u128: { 'too short': '00'.repeat(15), 'trailing byte': '00'.repeat(17) },
  bool: { 'neither 0 nor 1': '02', 'too short': '', 'trailing byte': '0100' },
  bytes4: { 'too short': '010203', 'trailing byte': '0102030405' },
  'blob<0..255>': { 'longer than what is left': '0207', 'trailing byte': '0000', 'no length': '' },
  'blob<0..256>': { 'above its bound': `0101${'00'.repeat(257)}`, 'length of one byte': '00' },
  'blob<0..65535>': { 'length of four bytes': '00000000', 'length of one byte': '00' },
  'blob<0..65536>': {
    'above its bound': '00010001',
    'length of 2^32 - 1': 'ffffffff',
    'length of two bytes': '0000',
    'little-endian length': '01000000ff',
  },
  'text<1..32>': {
    empty: '00',
    'above its bound': `21${'61'.repeat(33)}`,
    'above its bound in bytes, not in characters': `22${'c3b1'.repeat(17)}`,
    'overlong NUL': '02c080',
    'overlong slash': '03e080af',
    'lone surrogate': '03eda080',
    'two surrogates': '06eda0bdedb880',
    'above U+10FFFF': '04f4908080',
    'cut off': '02e282',
    'stray continuation byte': '0180',
    'never a first byte': '01ff',
    'longer than what is left': '0261',
    'trailing byte': '016161',
  },
  'text<0..64>': { 'above its bound': `41${'61'.repeat(65)}` },
  'list<u16, 1..3>': {
    'below its bound': '00',
    'above its bound': '040000000000000000',
    'item missing': '02000100',
    'trailing byte': '01000100',
  },
  'list<u8, 0..300>': {
    'above its bound': `012d${'00'.repeat(301)}`,
    'count beyond what is left': '000200',
    'count of one byte': '00',
  },
  'tag<0 ok | 1 failed>': { 'unknown tag': '02', 'too short': '', 'trailing byte': '0000' },
  'union<1 small: u8 | 2 large: u32>': {
    'unknown tag': '0005',
    'value of the other variant': '0200',
    'no value': '01',
    'trailing byte': '010500',
  },
};

const NO_NUMBERS = {
  'a fraction': '1.5',
  'minus zero': '-0',
  negative: '-1',
  'a string': '"1"',
  true: 'true',
  null: 'null',
  'an array': '[1]',
};

const BAD_TEXTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  u8: { 'above its bound': '256', ...NO_NUMBERS },
  u16: { 'above its bound': '65536' },
  u32: { 'above its bound': '4294967296' },
  u64: { 'above 2^53 - 1': '9007199254740992', 'far above': '1e400', 'minus zero': '-0' },
  u128: {
    'a number': '1000',
    'a leading zero': '"01"',
    empty: '""',
    'a plus sign': '"+1"',
    'a minus sign': '"-1"',
    'a space': '"1 "',
    hex: '"0x10"',
    'an exponent': '"1e3"',
    'a digit of another script': '"١"',
    'a line break at the end': '"1\\n"',
    'above 2^128 - 1': '"340282366920938463463374607431768211456"',
    'forty digits': `"1${'0'.repeat(39)}"`,
  },
  bool: { 'the number 0': '0', 'the number 1': '1', 'a string': '"true"', null: 'null' },
  bytes4: {
    'upper-case digits': '"0x010203FF"',
    'upper-case X': '"0X010203ff"',
    'no 0x': '"010203ff"',
    'half a byte': '"0x010203f"',
    'a byte too few': '"0x010203"',
    'a byte too many': '"0x010203ff00"',
    'a space': '"0x010203ff "',
    'a line break at the end': '"0x010203ff\\n"',
    'no digit': '"0x010203fg"',
    'an array': '[1,2,3,255]',
  },
  'blob<0..255>': { 'above its bound': `"0x${'00'.repeat(256)}"`, empty: '""', null: 'null' },
  'text<1..32>': {
    empty: '""',
    'above its bound': `"${'a'.repeat(33)}"`,
    'above its bound in bytes, not in characters': `"${'ñ'.repeat(17)}"`,
    'lone surrogate': '"\\ud83d"',
    'surrogates in the wrong order': '"\\ude00\\ud83d"',
    'a number': '1',
    null: 'null',
  },
  'list<u16, 1..3>': {
    'below its bound': '[]',
    'above its bound': '[1,2,3,4]',
    'a bad item': '[1,65536]',
    'an object': '{"0":1}',
    'a string': '"1"',
  },
  'list<u8, 0..300>': { 'an object without fields': '{}', 'an empty string': '""', null: 'null' },
  'tag<0 ok | 1 failed>': {
    'an unknown name': '"maybe"',
    'another case': '"OK"',
    'its number': '0',
    'a name that objects have': '"constructor"',
    null: 'null',
  },
  'union<1 small: u8 | 2 large: u32>': {
    'an unknown kind': '{"kind":"huge","value":5}',
    'a kind that objects have': '{"kind":"constructor","value":5}',
    'a value of the other variant': '{"kind":"small","value":256}',
    'no value': '{"kind":"small"}',
    'no kind': '{"value":5}',
    'a field too many': '{"kind":"small","value":5,"note":""}',
    'only the value': '5',
  },
};

export function primitiveVectors(): Json {
  return {
    about:
      'Primitives. `json` is the JSON form. A bad case must be refused at `step`: `bytes` when decoded, the JSON `text` when read as the JSON form; its name says why.',
    cases: PRIMITIVES.map((codec) => ({
      type: layoutOf(codec),
      good: GOOD[layoutOf(codec)]!.map((value) => ({ bytes: toHex(encode(codec, value)), json: codec.toJson(value) })),
      bad: [
        ...undecodable(
          Object.fromEntries(
            Object.entries(BAD_BYTES[layoutOf(codec)]!).map(([name, digits]) => [name, joined(digits)]),
          ),
        ),
        ...unreadable(BAD_TEXTS[layoutOf(codec)] ?? {}),
      ],
    })),
  };
}
