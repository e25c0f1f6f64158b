import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import fc from 'fast-check';
import { hashPairs, installHashEngine, portableHashEngine, sha256 } from '../../ledger/hash.ts';
import { checkHashEngine, installFastHashing } from '../../node/hashing.ts';

afterEach(() => installHashEngine(portableHashEngine));

test('the native hashes give the same bytes as the portable ones', () => {
  const names = installFastHashing();
  assert.match(names.sha256, /node:crypto/);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2_000, size: 'max' }), fc.nat(7), (data, offset) => {
      const view = data.subarray(Math.min(offset, data.length));
      const hash = sha256(view);
      assert.deepEqual(hash, portableHashEngine.sha256(view));
      assert.equal(Object.getPrototypeOf(hash), Uint8Array.prototype);
      const pairs = view.subarray(0, view.length - (view.length % 64));
      const [native, portable] = [new Uint8Array(pairs.length / 2), new Uint8Array(pairs.length / 2)];
      hashPairs(pairs, native);
      portableHashEngine.hashPairs(pairs, portable);
      assert.deepEqual(native, portable);
    }),
  );
});

test('a node does not start on a hash engine that is wrong for one length or one batch size', () => {
  const wrongSha256 = (data: Uint8Array): Uint8Array =>
    data.length === 119 ? new Uint8Array(32) : portableHashEngine.sha256(data);
  assert.throws(() => checkHashEngine({ ...portableHashEngine, name: 'wrong', sha256: wrongSha256 }), {
    code: 'HASH_ENGINE_DIFFERS',
    message: 'hash engine wrong differs from SHA-256 on 119 bytes',
  });
  const wrongPlace = (data: Uint8Array, target: Uint8Array, at: number): void => {
    portableHashEngine.sha256Into(data, target, at);
    if (data.length === 70) target[at + 32] = 1;
  };
  assert.throws(() => checkHashEngine({ ...portableHashEngine, name: 'wrong', sha256Into: wrongPlace }), {
    code: 'HASH_ENGINE_DIFFERS',
    message: 'hash engine wrong differs from SHA-256 on 70 bytes',
  });
  const wrongPairs = (input: Uint8Array, output: Uint8Array): void => {
    portableHashEngine.hashPairs(input, output);
    if (input.length === 8 * 64) output[255]! ^= 1;
  };
  assert.throws(() => checkHashEngine({ ...portableHashEngine, name: 'wrong', hashPairs: wrongPairs }), {
    code: 'HASH_ENGINE_DIFFERS',
    message: 'hash engine wrong differs from SHA-256 on 8 pairs',
  });
});
