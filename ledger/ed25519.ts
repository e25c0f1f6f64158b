import { ed25519 } from '@noble/curves/ed25519.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { concatBytes, equalBytes } from './bytes.ts';
import { createVerifier, type SignatureEngine, type VerifySignature } from './signature.ts';

const { Point } = ed25519;

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
  const k = littleEndianNumber(sha512(concatBytes(R, publicKey, message))) % Point.Fn.ORDER;
  const expected = Point.BASE.multiplyUnsafe(S).subtract(A.multiplyUnsafe(k)).toBytes();
  return equalBytes(expected, R);
};

/** The rule S5, runs everywhere, about 20 times slower than a native engine. */
export const portableVerify: VerifySignature = createVerifier(portableEngine);

/** The public key, 32 bytes, of a 32-byte secret seed (RFC 8032 section 5.1.5). Throws on any other length. */
export function publicKeyOf(secretSeed: Uint8Array): Uint8Array {
  return ed25519.getPublicKey(secretSeed);
}

/** The one signature, 64 bytes, of a message by a 32-byte secret seed: deterministic (RFC 8032 section 5.1.6). */
export function signEd25519(message: Uint8Array, secretSeed: Uint8Array): Uint8Array {
  return ed25519.sign(message, secretSeed);
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
