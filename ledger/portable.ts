import { edwards } from '@noble/curves/abstract/edwards.js';
import { _SHA512 } from '@noble/hashes/sha2.js';
import { concatBytes, equalBytes } from './bytes.ts';
import { CURVE_D } from './public-key.ts';
import { createVerifier, FIELD, GROUP_ORDER, type SignatureEngine, type VerifySignature } from './signature.ts';

/** edwards25519 (RFC 8032 section 5.1) without what noble adds to it for signing: browsers load this file. */
const Point = edwards({
  p: FIELD,
  n: GROUP_ORDER,
  h: 8n,
  a: FIELD - 1n,
  d: CURVE_D,
  Gx: 15112221349535400772501151409588531511454012693041857206046113283949847762202n,
  Gy: 46316835694926478169428394003475163141307993866256225615783033603165251855960n,
});

/**
 * The equation of S5 on noble's points: [S]B - [k]A encodes to exactly R, as in RFC 8032 section 5.1.7 without the
 * cofactor. Not noble's `verify`, which multiplies by the cofactor.
 */
export const portableEngine: SignatureEngine = (signature, message, publicKey) => {
  const A = decodePoint(publicKey);
  if (A === undefined) return false;
  const R = signature.subarray(0, 32);
  const S = littleEndianNumber(signature.subarray(32));
  // k is reduced first: a key with a torsion component gives another [k]A for the unreduced k.
  const k = littleEndianNumber(sha512(concatBytes(R, publicKey, message))) % GROUP_ORDER;
  const expected = Point.BASE.multiplyUnsafe(S).subtract(A.multiplyUnsafe(k)).toBytes();
  return equalBytes(expected, R);
};

/** The rule S5, runs everywhere, about 20 times slower than a native engine. */
export const portableVerify: VerifySignature = createVerifier(portableEngine);

/** The class itself, as in hash.ts. */
function sha512(data: Uint8Array): Uint8Array {
  return new _SHA512().update(data).digest();
}

/** Undefined when no point of the curve has this y. */
function decodePoint(bytes: Uint8Array): InstanceType<typeof Point> | undefined {
  try {
    return Point.fromBytes(bytes);
  } catch {
    return undefined;
  }
}

function littleEndianNumber(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
  return value;
}
