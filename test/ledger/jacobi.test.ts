import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ed25519 } from '@noble/curves/ed25519.js';
import fc from 'fast-check';
import { toHex } from '../../ledger/bytes.ts';
import { jacobi } from '../../ledger/jacobi.ts';
import { publicKeyProblem } from '../../ledger/public-key.ts';

/** By Euler: value^((prime - 1) / 2), as 1, 0 or -1. */
function euler(value: bigint, prime: bigint): number {
  let base = value % prime;
  let power = 1n;
  for (let exponent = (prime - 1n) / 2n; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) power = (power * base) % prime;
    base = (base * base) % prime;
  }
  return power === prime - 1n ? -1 : Number(power);
}

const PRIME = 2n ** 255n - 19n;

test('the Jacobi symbol is what Euler says, for every remainder of small primes and for any of the large one', () => {
  for (const prime of [3n, 5n, 7n, 11n, 13n, 17n, 257n])
    for (let value = 0n; value < 2n * prime; value++)
      assert.equal(jacobi(value, prime), euler(value, prime), `${value} / ${prime}`);
  const large = fc.bigInt(0n, PRIME * PRIME);
  fc.assert(
    fc.property(large, (value) => assert.equal(jacobi(value, PRIME), euler(value, PRIME))),
    { numRuns: 300 },
  );
  // Many zeros at the end, and nothing but them.
  for (const shift of [1n, 31n, 32n, 33n, 64n, 253n, 254n])
    for (const odd of [1n, 3n])
      assert.equal(jacobi(odd << shift, PRIME), euler(odd << shift, PRIME), `${odd} << ${shift}`);
});

test('for a modulus that is no prime it is the product of those of its factors', () => {
  for (let value = 0n; value < 15n; value++)
    assert(jacobi(value, 15n) === euler(value, 3n) * euler(value, 5n), `${value}`);
});

test('a key is taken exactly if noble finds a point for it', () => {
  const bytes = fc.uint8Array({ minLength: 32, maxLength: 32 });
  let points = 0;
  fc.assert(
    fc.property(bytes, (key) => {
      let isPoint = true;
      try {
        ed25519.Point.fromBytes(key);
      } catch {
        isPoint = false;
      }
      if (isPoint) points++;
      assert.equal(publicKeyProblem(key) === undefined, isPoint, toHex(key));
    }),
    { numRuns: 400 },
  );
  assert(points > 50, `${points}`);
});
