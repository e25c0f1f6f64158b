import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ed25519 } from '@noble/curves/ed25519.js';
import fc from 'fast-check';
import { fromHex } from '../../ledger/bytes.ts';
import { portableVerify, publicKeyOf, signEd25519 } from '../../ledger/ed25519.ts';
import { checkEngine, EDGE_VECTORS } from '../../ledger/edge-vectors.ts';
import { publicKeyProblem } from '../../ledger/public-key.ts';
import { createVerifier, signatureProblem } from '../../ledger/signature.ts';
import { makeEdgeVectors } from './make-edge-vectors.ts';

const bytes = (hex: string): Uint8Array => fromHex(`0x${hex}`)!;
const vector = (name: string) => {
  const found = EDGE_VECTORS.find((candidate) => candidate.name === name);
  assert(found !== undefined, `no edge vector "${name}"`);
  return {
    signature: fromHex(found.signature)!,
    message: fromHex(found.message)!,
    publicKey: fromHex(found.publicKey)!,
  };
};

test('V09 K04: the portable verifier gives the verdict of S5 on every edge vector', () => {
  assert.deepEqual(checkEngine(portableVerify), []);
});

test('the edge vectors are what their generator makes', () => {
  assert.deepEqual(EDGE_VECTORS, makeEdgeVectors());
  assert(EDGE_VECTORS.filter(({ valid }) => valid).length >= 4);
});

test('the edge vectors tell a cofactored verifier from S5, with and without our byte checks', () => {
  const cofactored = (signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean => {
    try {
      return ed25519.verify(signature, message, publicKey);
    } catch {
      return false;
    }
  };
  assert(checkEngine(cofactored).length > 30);
  assert.deepEqual(checkEngine(createVerifier(cofactored)), [
    'mixed-order key, valid only with the cofactor',
    'mixed-order key, valid only with the unreduced challenge',
    'mixed-order key and R, valid only with the cofactor',
    'mixed-order R, valid only with the cofactor',
  ]);
});

test('what the byte checks refuse never reaches the engine', () => {
  const reached = checkEngine(createVerifier(() => true));
  for (const name of reached)
    assert.doesNotMatch(name, /order [1248]|non-canonical|S \+|bytes|no signature|zeros|top bit/);
});

/**
 * The ten cases of novifinancial/ed25519-speccheck (cases.json), in the columns of "Taming the many EdDSAs", table 5:
 * message, key, signature, verdict of S5.
 */
const SPECCHECK: readonly (readonly [string, string, string, boolean])[] = [
  [
    '8c93255d71dcab10e8f379c26200f3c7bd5f09d9bc3068d3ef4edeb4853022b6',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a0000000000000000000000000000000000000000000000000000000000000000',
    false,
  ],
  [
    '9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
    'f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43a5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04',
    false,
  ],
  [
    'aebf3f2601a0c8c5d39cc7d8911642f740b78168218da8471772b35f9d35b9ab',
    'f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa8c4bd45aecaca5b24fb97bc10ac27ac8751a7dfe1baff8b953ec9f5833ca260e',
    false,
  ],
  [
    '9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79',
    'cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d',
    '9046a64750444938de19f227bb80485e92b83fdb4b6506c160484c016cc1852f87909e14428a7a1d62e9f22f3d3ad7802db02eb2e688b6c52fcd6648a98bd009',
    true,
  ],
  [
    'e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c',
    'cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d',
    '160a1cb0dc9c0258cd0a7d23e94d8fa878bcb1925f2c64246b2dee1796bed5125ec6bc982a269b723e0668e540911a9a6a58921d6925e434ab10aa7940551a09',
    false,
  ],
  [
    'e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c',
    'cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d',
    '21122a84e0b5fca4052f5b1235c80a537878b38f3142356b2c2384ebad4668b7e40bc836dac0f71076f9abe3a53f9c03c1ceeeddb658d0030494ace586687405',
    false,
  ],
  [
    '85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40',
    '442aad9f089ad9e14647b1ef9099a1ff4798d78589e66f28eca69c11f582a623',
    'e96f66be976d82e60150baecff9906684aebb1ef181f67a7189ac78ea23b6c0e547f7690a0e2ddcd04d87dbc3490dc19b3b3052f7ff0538cb68afb369ba3a514',
    false,
  ],
  [
    '85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40',
    '442aad9f089ad9e14647b1ef9099a1ff4798d78589e66f28eca69c11f582a623',
    '8ce5b96c8f26d0ab6c47958c9e68b937104cd36e13c33566acd2fe8d38aa19427e71f98a473474f2f13f06f97c20d58cc3f54b8bd0d272f42b695dd7e89a8c22',
    false,
  ],
  [
    'fdaebc429f4a735932a160da1301080c13280eea8bc280d1b392c6b9e6ba3a5a',
    'f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43',
    'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f454d370c8d9fc323a41450f8d513eafeb5b0697390c1e505a0d4ddc71f566607',
    false,
  ],
  [
    '84b698d39be126ff55fe45079e6c8bf64a0d7db6994560b4e96b7021eb39c1a1',
    'f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43',
    'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f084d5b99c2a9463d9c8bd5026916996984eeec87ddf1d3be329006ace1b37b09',
    false,
  ],
];

test('V09: Speccheck vectors', () => {
  const verdicts = SPECCHECK.map(([message, key, signature]) =>
    portableVerify(bytes(signature), bytes(message), bytes(key)),
  );
  assert.deepEqual(
    verdicts,
    SPECCHECK.map(([, , , valid]) => valid),
  );
});

test('signing follows RFC 8032, section 7.1, test 3', () => {
  const seed = bytes('c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7');
  assert.deepEqual(publicKeyOf(seed), bytes('fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025'));
  assert.deepEqual(
    signEd25519(bytes('af82'), seed),
    bytes(
      '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
    ),
  );
});

test('a refusal says which byte check failed', () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['signature of 63 bytes', /^expected a signature of 64 bytes, got 63$/],
    ['key of 33 bytes', /^expected a public key of 32 bytes, got 33$/],
    ['S + L', /^S of the signature is not below the group order$/],
    ['key of order 8: [3]T', /^the public key is a point of small order$/],
    ['R of order 1: [0]T', /^R of the signature is a point of small order$/],
    ['non-canonical key, y = p', /^the public key is not canonical/],
    ['non-canonical R, y = p + 1', /^R of the signature is not canonical/],
  ];
  for (const [name, reason] of cases) {
    const { signature, publicKey } = vector(name);
    assert.match(signatureProblem(signature, publicKey) ?? 'accepted', reason);
  }
});

test('a key may be registered exactly if it is canonical, of large order and on the curve', () => {
  const { publicKey } = vector('RFC 8032 test 2');
  assert.equal(publicKeyProblem(publicKey), undefined);
  assert.equal(publicKeyProblem(vector('mixed-order key, [k]A without torsion').publicKey), undefined);
  assert.match(publicKeyProblem(publicKey.subarray(1))!, /32 bytes, got 31/);
  assert.match(publicKeyProblem(vector('key of order 1: [0]T').publicKey)!, /small order/);
  assert.match(publicKeyProblem(vector('non-canonical key of large order, y = p + 3').publicKey)!, /not canonical/);
  assert.match(publicKeyProblem(vector('key not on the curve, y = 2').publicKey)!, /not a point of the curve/);
});

test('any 32 bytes are a key for us exactly if noble decodes them strictly to a point of large order', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (key) => {
      let expected: boolean;
      try {
        expected = !ed25519.Point.fromBytes(key).isSmallOrder();
      } catch {
        expected = false;
      }
      assert.equal(publicKeyProblem(key) === undefined, expected);
    }),
    { numRuns: 200 },
  );
});

test('the verdict on arbitrary bytes of any length is false, never an exception', () => {
  const any = fc.uint8Array({ maxLength: 70 });
  fc.assert(fc.property(any, any, any, (signature, message, key) => !portableVerify(signature, message, key)));
});
