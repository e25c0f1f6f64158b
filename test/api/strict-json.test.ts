import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { JSON_DEPTH_MAX } from '../../api/limits.ts';
import { Problem } from '../../api/problems.ts';
import { parseStrictJson } from '../../api/strict-json.ts';
import { utf8Encode } from '../../ledger/bytes.ts';

const refused = (text: string | Uint8Array) =>
  assert.throws(
    () => parseStrictJson(typeof text === 'string' ? utf8Encode(text) : text),
    (error) => error instanceof Problem && error.code === 'malformed',
    `${text}`.slice(0, 80),
  );

describe('strict JSON (H02)', () => {
  it('a key twice in one object is refused however it is written; in two objects it is not', () => {
    refused('{"a":1,"a":1}');
    refused('{"a":1,"\\u0061":2}');
    refused('{"x":[{"a":{"b":1},"c":[],"a":2}]}');
    assert.deepEqual(parseStrictJson(utf8Encode('{"a":{"a":1},"b":[{"a":1},{"a":2}],"c":"a"}')), {
      a: { a: 1 },
      b: [{ a: 1 }, { a: 2 }],
      c: 'a',
    });
  });

  it('the key __proto__ is refused at any depth; as a text it is one like others', () => {
    refused('{"__proto__":{}}');
    refused('{"a":[{"\\u005f_proto__":1}]}');
    assert.deepEqual(parseStrictJson(utf8Encode('["__proto__",{"constructor":1}]')), ['__proto__', { constructor: 1 }]);
  });

  it('numbers that are not whole, or that a double would change, are refused', () => {
    const odd = [
      '1e400',
      '1e3',
      '1.0',
      '0.1',
      '-0',
      '9007199254740992',
      '-9007199254740992',
      '1e-400',
      '01',
      '+1',
      '--1',
    ];
    for (const number of odd) {
      refused(number);
      refused(`{"a":[${number}]}`);
    }
    for (const number of [0, 7, -7, Number.MAX_SAFE_INTEGER]) {
      assert.equal(parseStrictJson(utf8Encode(`${number}`)), number);
    }
    assert.equal(parseStrictJson(utf8Encode('"1e400 -0 1.5"')), '1e400 -0 1.5');
  });

  it('bytes that are no UTF-8, a BOM and half surrogate pairs are refused', () => {
    refused(Uint8Array.of(0x22, 0xff, 0x22));
    refused(Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22));
    refused('\ufeff{}');
    refused('"\\ud800"');
    refused('{"\\udc00":1}');
    refused('["\\ud800x"]');
    assert.equal(parseStrictJson(utf8Encode('"\\ud83d\\ude00"')), '😀');
  });

  it('depth is bounded before anything recurses', () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
    parseStrictJson(utf8Encode(nested(JSON_DEPTH_MAX)));
    refused(nested(JSON_DEPTH_MAX + 1));
    refused('{"a":'.repeat(100_000));
  });

  it('what is no JSON is refused', () => {
    for (const text of [
      '',
      ' ',
      '{',
      '"',
      '"\\',
      '{"a"}',
      '[1,]',
      "{'a':1}",
      'undefined',
      'NaN',
      '{"a":1}}',
      '//',
      '1 1',
    ]) {
      refused(text);
    }
  });

  it('any other JSON is what JSON.parse gives', () => {
    const whole = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.maxSafeInteger().map((n) => n || 0),
      fc.boolean(),
      fc.constant(null),
    );
    const key = fc.string().filter((text) => text !== '__proto__');
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: 'small' },
        whole,
        fc.array(tie('value')),
        fc.dictionary(key, tie('value'), { noNullPrototype: true }),
      ),
    }));
    fc.assert(
      fc.property(value, fc.integer({ min: 0, max: 3 }), (json, spaces) => {
        assert.deepEqual(parseStrictJson(utf8Encode(JSON.stringify(json, null, spaces))), json);
      }),
    );
  });

  it('any bytes give a value or the problem', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc.string({ unit: fc.constantFrom(...'{}[]",:\\u0123456789-.eE _proto') }).map(utf8Encode),
    );
    fc.assert(
      fc.property(bytes, (input) => {
        try {
          parseStrictJson(input);
        } catch (error) {
          assert(error instanceof Problem && error.code === 'malformed', `${error}`);
        }
      }),
      { numRuns: 500 },
    );
  });
});
