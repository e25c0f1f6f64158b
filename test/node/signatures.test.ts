import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { ed25519 } from '@noble/curves/ed25519.js';
import fc from 'fast-check';
import { concatBytes, fromHex } from '../../ledger/bytes.ts';
import { portableVerify, publicKeyOf, signEd25519 } from '../../ledger/ed25519.ts';
import { checkEngine, EDGE_VECTORS } from '../../ledger/edge-vectors.ts';
import { loadOptional } from '../../node/optional.ts';
import { checkedVerifier, chooseSignatures, createSigner, SIGNATURE_ENGINES } from '../../node/signatures.ts';

/** sodium-native has no build for some platforms; the others are always there. */
const engines = SIGNATURE_ENGINES.filter((name) => name !== 'sodium-native' || 'module' in loadOptional(name));
const verifiers = engines.map((name) => chooseSignatures([name]));
const seeds = fc.uint8Array({ minLength: 32, maxLength: 32 });
const messages = fc.uint8Array({ maxLength: 300 });

test('V09 K04: sodium, node:crypto and the portable verifier give the verdict of S5 on every edge vector', () => {
  assert(verifiers.length >= 2);
  for (const { name, verify } of verifiers) assert.deepEqual(checkEngine(verify), [], name);
});

/** Adds the group order times `factor` to S; undefined when it does not fit. */
function addToS(signature: Uint8Array, factor: bigint): Uint8Array {
  let S =
    signature.subarray(32).reduceRight((value, byte) => value * 256n + BigInt(byte), 0n) +
    factor * ed25519.Point.Fn.ORDER;
  const changed = signature.slice();
  for (let i = 32; i < 64; i++, S >>= 8n) changed[i] = Number(S & 255n);
  return changed;
}

type Signed = { readonly signature: Uint8Array; readonly message: Uint8Array; readonly key: Uint8Array };

/** What someone on the path, or the signer himself, can do to a valid signature. */
const mutations: fc.Arbitrary<(signed: Signed) => Signed> = fc.oneof(
  fc.constant((signed: Signed) => signed),
  fc.nat(511).map((bit) => (signed: Signed) => ({ ...signed, signature: flip(signed.signature, bit) })),
  fc.nat(255).map((bit) => (signed: Signed) => ({ ...signed, key: flip(signed.key, bit) })),
  fc.bigInt(1n, 14n).map((factor) => (signed: Signed) => ({ ...signed, signature: addToS(signed.signature, factor) })),
  messages.map((message) => (signed: Signed) => ({ ...signed, message })),
  fc.nat(70).map((length) => (signed: Signed) => ({ ...signed, signature: resize(signed.signature, length) })),
  fc.nat(40).map((length) => (signed: Signed) => ({ ...signed, key: resize(signed.key, length) })),
  fc.constantFrom(...EDGE_VECTORS).map(({ publicKey }) => (signed: Signed) => ({
    ...signed,
    key: fromHex(publicKey)!,
  })),
  fc.constantFrom(...EDGE_VECTORS).map(({ signature }) => (signed: Signed) => ({
    ...signed,
    signature: concatBytes(fromHex(signature)!.subarray(0, 32), signed.signature.subarray(32)),
  })),
);

function flip(bytes: Uint8Array, bit: number): Uint8Array {
  const changed = bytes.slice();
  changed[bit >> 3]! ^= 1 << (bit & 7);
  return changed;
}

function resize(bytes: Uint8Array, length: number): Uint8Array {
  const resized = new Uint8Array(length);
  resized.set(bytes.subarray(0, length));
  return resized;
}

test('K04: every engine gives the same verdict on mutated signatures', () => {
  fc.assert(
    fc.property(seeds, messages, mutations, (seed, message, mutate) => {
      const signed = { signature: signEd25519(message, seed), message, key: publicKeyOf(seed) };
      const { signature, message: said, key } = mutate(signed);
      const verdicts = verifiers.map(({ verify }) => verify(signature, said, key));
      assert.equal(new Set(verdicts).size, 1, `verdicts ${verdicts.join()}`);
    }),
    { numRuns: 400 },
  );
});

test('K04: every engine gives the same verdict on keys and R with torsion', () => {
  const { Point } = ed25519;
  const T = Point.fromBytes(fromHex(EDGE_VECTORS.find(({ name }) => name === 'key of order 8: [1]T')!.publicKey)!);
  const scalars = fc.bigInt(1n, Point.Fn.ORDER - 1n);
  const torsion = fc.bigInt(0n, 7n);
  let accepted = 0;
  fc.assert(
    fc.property(scalars, scalars, torsion, torsion, messages, (secret, nonce, inKey, inR, message) => {
      const key = Point.BASE.multiply(secret).add(T.multiplyUnsafe(inKey)).toBytes();
      const R = Point.BASE.multiply(nonce).add(T.multiplyUnsafe(inR)).toBytes();
      const signature = addToS(concatBytes(R, new Uint8Array(32)), 0n);
      const k = challenge(R, key, message);
      let S = (nonce + k * secret) % Point.Fn.ORDER;
      for (let i = 32; i < 64; i++, S >>= 8n) signature[i] = Number(S & 255n);
      const expected = (inR + k * inKey) % 8n === 0n;
      if (expected) accepted++;
      for (const { name, verify } of verifiers) assert.equal(verify(signature, message, key), expected, name);
    }),
    { numRuns: 200 },
  );
  assert(accepted > 0, 'no run made a signature that S5 accepts');
});

/** k of RFC 8032, reduced modulo the group order. */
function challenge(R: Uint8Array, key: Uint8Array, message: Uint8Array): bigint {
  const digest = createHash('sha512').update(R).update(key).update(message).digest();
  return digest.reduceRight((value, byte) => value * 256n + BigInt(byte), 0n) % ed25519.Point.Fn.ORDER;
}

test('a node does not start on an engine with a verdict of its own', () => {
  const cofactored = (signature: Uint8Array, message: Uint8Array, key: Uint8Array): boolean => {
    try {
      return ed25519.verify(signature, message, key);
    } catch {
      return false;
    }
  };
  assert.throws(() => checkedVerifier('cofactored', cofactored), {
    code: 'SIGNATURE_ENGINE_DIFFERS',
    message: /cofactored differs from rule S5 on 4 edge vectors, the first: mixed-order key/,
  });
});

test('the fastest engine that loads is chosen, the others of higher rank are named with a reason', () => {
  const { name, skipped } = chooseSignatures();
  assert.equal(name, engines[0]);
  assert.equal(skipped.length, SIGNATURE_ENGINES.indexOf(name));
  assert.throws(() => chooseSignatures([]), { message: /none of the signature engines/ });
});

test('a module without a build for this platform is a reason, not an exception', () => {
  const loaded = loadOptional('no-such-accelerator');
  assert('reason' in loaded);
  assert.match(loaded.reason, /no-such-accelerator/);
});

test('every signer makes the one signature of RFC 8032', () => {
  fc.assert(
    fc.property(seeds, messages, (seed, message) => {
      const expected = signEd25519(message, seed);
      for (const name of engines) {
        const signer = createSigner(seed, [name]);
        assert.deepEqual(signer.publicKey, publicKeyOf(seed), name);
        assert.deepEqual(signer.sign(message), expected, name);
        assert(portableVerify(signer.sign(message), message, signer.publicKey), name);
      }
    }),
    { numRuns: 20 },
  );
});

test('a seed of another length is refused', () => {
  assert.throws(() => createSigner(new Uint8Array(31)), { message: 'expected a secret seed of 32 bytes, got 31' });
});
