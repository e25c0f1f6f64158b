/**
 * S5: the one Ed25519 rule. RFC 8032 with the equation checked without the cofactor; canonical S, A and R; small-order
 * A and R refused; exactly 64 and 32 bytes. The byte checks run here, before any engine, because engines differ in
 * them. Nothing but byte comparisons: the light client's core carries this file without any curve library.
 */

import { jacobi } from './jacobi.ts';

/**
 * Checks [S]B = R + [k]A exactly, k = SHA-512(R ‖ A ‖ message) mod L. Only called with bytes that passed
 * `signatureProblem`; answers false, and never throws, when A or R is no point of the curve.
 */
export type SignatureEngine = (signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array) => boolean;

/** The whole rule S5: true only for an acceptable signature. Never throws, whatever the bytes are. */
export type VerifySignature = SignatureEngine;

/** Bytes of an Ed25519 signature, R ‖ S. */
export const SIGNATURE_BYTES = 64;
/** Bytes of an Ed25519 public key, and of the secret seed it is made from. */
export const KEY_BYTES = 32;

/** The rule S5 over an engine: byte checks first, then the equation. */
export function createVerifier(engine: SignatureEngine): VerifySignature {
  return (signature, message, publicKey) =>
    signatureProblem(signature, publicKey) === undefined && engine(signature, message, publicKey);
}

/**
 * Why these bytes are refused before any engine sees them, or undefined when the equation decides. For engines that
 * can't be a `SignatureEngine` because they are asynchronous (WebCrypto).
 */
export function signatureProblem(signature: Uint8Array, publicKey: Uint8Array): string | undefined {
  if (signature.length !== SIGNATURE_BYTES) return `expected a signature of 64 bytes, got ${signature.length}`;
  if (publicKey.length !== KEY_BYTES) return `expected a public key of 32 bytes, got ${publicKey.length}`;
  if (!isBelow(signature, 32, GROUP_ORDER)) return 'S of the signature is not below the group order';
  return pointProblem(publicKey, 'the public key') ?? pointProblem(signature, 'R of the signature');
}

/**
 * Why a public key must not be registered, or undefined if it may: S5, and it is a point of the curve. Run at genesis
 * and at registration. A key with a torsion component passes: the equation has one meaning for it everywhere.
 */
export function publicKeyProblem(key: Uint8Array): string | undefined {
  if (key.length !== KEY_BYTES) return `expected a public key of 32 bytes, got ${key.length}`;
  const problem = pointProblem(key, 'the public key');
  if (problem !== undefined) return problem;
  return isOnCurve(key) ? undefined : 'the public key is not a point of the curve';
}

/** L, the order of the base point, little-endian. */
const GROUP_ORDER = littleEndian(2n ** 252n + 27742317777372353535851937790883648493n);
/** p, the order of the field. */
const FIELD = 2n ** 255n - 19n;
const FIELD_ORDER = littleEndian(FIELD);
/** d of the curve -x² + y² = 1 + d x² y². */
const CURVE_D = 37095705934669439343138083508754565189542113879843219016388785533085940283555n;

/**
 * The y of all eight points whose order divides 8: orders 1, 2, 4, and twice two of order 8 (x and -x share a y).
 * Found as the multiples of [L]P for points P of full order; the test does it again.
 */
const SMALL_ORDER_Y: readonly Uint8Array[] = [
  littleEndian(1n),
  littleEndian(FIELD - 1n),
  littleEndian(0n),
  littleEndian(2707385501144840649318225287225658788936804267575313519463743609750303402022n),
  littleEndian(55188659117513257062467267217118295137698188065244968500265048394206261417927n),
];

/** The first 32 bytes of `bytes` as an encoded point: a little-endian y, the top bit of the last byte is x's sign. */
function pointProblem(bytes: Uint8Array, what: string): string | undefined {
  // x = 0 with a sign bit, the other non-canonical form, happens only for two small-order y.
  if (!isBelow(bytes, 0, FIELD_ORDER, 0x7f)) return `${what} is not canonical: y is not below the field order`;
  if (SMALL_ORDER_Y.some((y) => isEqual(bytes, y))) return `${what} is a point of small order`;
  return undefined;
}

/** Little-endian comparison of 32 bytes at `offset`; `topMask` is applied to the last one. */
function isBelow(bytes: Uint8Array, offset: number, bound: Uint8Array, topMask = 0xff): boolean {
  for (let i = 31; i >= 0; i--) {
    const byte = bytes[offset + i]! & (i === 31 ? topMask : 0xff);
    if (byte !== bound[i]!) return byte < bound[i]!;
  }
  return false;
}

function isEqual(bytes: Uint8Array, y: Uint8Array): boolean {
  for (let i = 0; i < 31; i++) if (bytes[i] !== y[i]) return false;
  return (bytes[31]! & 0x7f) === y[31];
}

/** x² = (y² - 1) / (d y² + 1) has a root: numerator times denominator, which is never 0, is a square. */
function isOnCurve(key: Uint8Array): boolean {
  let y = 0n;
  for (let i = 31; i >= 0; i--) y = y * 256n + BigInt(i === 31 ? key[i]! & 0x7f : key[i]!);
  const y2 = (y * y) % FIELD;
  return jacobi((y2 - 1n + FIELD) * (CURVE_D * y2 + 1n), FIELD) >= 0;
}

function littleEndian(value: bigint): Uint8Array {
  const bytes = new Uint8Array(32);
  for (let i = 0; i < 32; i++) bytes[i] = Number((value >> BigInt(8 * i)) & 255n);
  return bytes;
}
