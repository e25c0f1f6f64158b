/**
 * Makes the cases of ledger/edge-vectors.ts from noble's points; the test compares. Each case is the strongest of its
 * kind: where some equation can hold (with or without the cofactor, k reduced or not, challenge over the given or the
 * re-encoded bytes), the message is chosen so that it does, and only the one named reason decides.
 */
import { ed25519 } from '@noble/curves/ed25519.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { concatBytes, equalBytes, toHex } from '../../ledger/bytes.ts';
import type { EdgeVector } from '../../ledger/edge-vectors.ts';

const { Point } = ed25519;
type P = InstanceType<typeof Point>;
const L = Point.Fn.ORDER;
const B = Point.BASE;
const FIELD = 2n ** 255n - 19n;

/** All cases in the order of the table. */
export function makeEdgeVectors(): EdgeVector[] {
  return [...rfcCases(), ...torsionCases(), ...smallOrderKeyCases(), ...smallOrderRCases(), ...encodingCases()];
}

/** Section 7.1 of RFC 8032, tests 1 and 2, and what is one bit or byte beside test 2. */
function rfcCases(): EdgeVector[] {
  const empty = ed25519Case('RFC 8032 test 1, empty message', RFC_SEED_1, new Uint8Array(0));
  const good = ed25519Case('RFC 8032 test 2', RFC_SEED_2, Uint8Array.of(0x72));
  const { key, message, signature } = good;
  const bad = (name: string, changed: Partial<Case>): EdgeVector => print({ ...good, ...changed, name, valid: false });
  return [
    print(empty),
    print(good),
    bad('one bit of the message flipped', { message: flip(message, 0) }),
    bad('one bit of R flipped', { signature: flip(signature, 0) }),
    bad('sign bit of R flipped', { signature: flip(signature, 255) }),
    bad('one bit of S flipped', { signature: flip(signature, 256) }),
    bad('sign bit of the key flipped', { key: flip(key, 255) }),
    bad('S + L', { signature: withS(signature, scalarOf(signature) + L) }),
    bad('S + 8L', { signature: withS(signature, scalarOf(signature) + 8n * L) }),
    bad('S with its top bit set', { signature: flip(signature, 511) }),
    bad('signature of 63 bytes', { signature: signature.subarray(0, 63) }),
    bad('signature of 65 bytes', { signature: concatBytes(signature, Uint8Array.of(0)) }),
    bad('no signature', { signature: new Uint8Array(0) }),
    bad('key of 31 bytes', { key: key.subarray(0, 31) }),
    bad('key of 33 bytes', { key: concatBytes(key, Uint8Array.of(0)) }),
    bad('zeros for key and signature', { key: new Uint8Array(32), signature: new Uint8Array(64) }),
  ];
}

/** Keys and R with a torsion component: only the equation tells. */
function torsionCases(): EdgeVector[] {
  const mixedKey = B.multiply(SECRET).add(torsion(1)).toBytes();
  const plainKey = B.multiply(SECRET).toBytes();
  const nonce = B.multiply(NONCE);
  const mixedR = nonce.add(torsion(3)).toBytes();
  return [
    find('mixed-order key, [k]A without torsion', true, {
      key: mixedKey,
      R: nonce.toBytes(),
      accept: ({ k }) => (k % L) % 8n === 0n && k % 8n !== 0n,
    }),
    find('mixed-order key, valid only with the cofactor', false, {
      key: mixedKey,
      R: nonce.toBytes(),
      accept: ({ k }) => (k % L) % 8n === 1n,
    }),
    find('mixed-order key, valid only with the unreduced challenge', false, {
      key: mixedKey,
      R: nonce.toBytes(),
      accept: ({ k }) => k % 8n === 0n && (k % L) % 8n !== 0n,
    }),
    find('mixed-order key and R, the torsion cancels', true, {
      key: mixedKey,
      R: mixedR,
      accept: ({ k }) => (3n + (k % L)) % 8n === 0n,
    }),
    find('mixed-order key and R, valid only with the cofactor', false, {
      key: mixedKey,
      R: mixedR,
      accept: ({ k }) => (3n + (k % L)) % 8n === 4n,
    }),
    find('mixed-order R, valid only with the cofactor', false, { key: plainKey, R: mixedR, accept: () => true }),
  ];
}

/** The equation of S5 holds in each; the key is refused. */
function smallOrderKeyCases(): EdgeVector[] {
  return [0, 4, 2, 6, 1, 3, 5, 7].map((i) =>
    find(`key of order ${ORDERS[i]}: [${i}]T`, false, {
      key: torsion(i).toBytes(),
      secret: 0n,
      R: B.multiply(NONCE).toBytes(),
      accept: ({ k }) => ((k % L) * BigInt(i)) % 8n === 0n,
    }),
  );
}

/** The equation of S5 holds in each; R is refused. */
function smallOrderRCases(): EdgeVector[] {
  const mixedKey = B.multiply(SECRET).add(torsion(1)).toBytes();
  const cases = [0, 4, 2, 6, 1, 3, 5, 7].map((i) =>
    find(`R of order ${ORDERS[i]}: [${i}]T`, false, {
      key: mixedKey,
      R: torsion(i).toBytes(),
      nonce: 0n,
      accept: ({ k }) => (BigInt(i) + (k % L)) % 8n === 0n,
    }),
  );
  const both = find('key and R of order 8, S = 0', false, {
    key: torsion(1).toBytes(),
    secret: 0n,
    R: torsion(7).toBytes(),
    nonce: 0n,
    accept: ({ k }) => (7n + (k % L)) % 8n === 0n,
  });
  return [...cases, both];
}

/** Encodings that name a point in a second way, or name none. */
function encodingCases(): EdgeVector[] {
  const plainKey = B.multiply(SECRET).toBytes();
  const mixedKey = B.multiply(SECRET).add(torsion(1)).toBytes();
  const nonce = B.multiply(NONCE).toBytes();
  const cases: EdgeVector[] = [];
  for (const { name, bytes, i } of SECOND_ENCODINGS) {
    cases.push(
      find(`non-canonical key, ${name}`, false, {
        key: bytes,
        secret: 0n,
        R: nonce,
        accept: ({ k }) => ((k % L) * BigInt(i)) % 8n === 0n,
      }),
      find(`non-canonical key, ${name}, challenge over the canonical one`, false, {
        key: bytes,
        hashedKey: torsion(i).toBytes(),
        secret: 0n,
        R: nonce,
        accept: ({ k }) => ((k % L) * BigInt(i)) % 8n === 0n,
      }),
      find(`non-canonical R, ${name}`, false, {
        key: mixedKey,
        R: bytes,
        nonce: 0n,
        accept: ({ k }) => (BigInt(i) + (k % L)) % 8n === 0n,
      }),
    );
  }
  // y = 3 is on the curve with a large order, so only its size tells that p + 3 is refused.
  cases.push(
    print({ name: 'non-canonical key of large order, y = p + 3', key: encodeY(FIELD + 3n, 0), ...FILL, valid: false }),
    print({ name: 'key not on the curve, y = 2', key: encodeY(2n, 0), ...FILL, valid: false }),
    find('R not on the curve, y = 2', false, { key: plainKey, R: encodeY(2n, 0), accept: () => true }),
  );
  return cases;
}

interface Case {
  readonly name: string;
  readonly key: Uint8Array;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
  readonly valid: boolean;
}

interface Search {
  readonly key: Uint8Array;
  readonly R: Uint8Array;
  /** Discrete logarithm of the key's and of R's part in the prime-order group. */
  readonly secret?: bigint;
  readonly nonce?: bigint;
  /** Key bytes that go into the challenge, if not those given. */
  readonly hashedKey?: Uint8Array;
  readonly accept: (found: { k: bigint }) => boolean;
}

/** Tries messages of one counter until the challenge is wanted, and makes S = r + k a for it. */
function find(name: string, valid: boolean, search: Search): EdgeVector {
  const { key, R, secret = SECRET, nonce = NONCE, hashedKey = key, accept } = search;
  for (let counter = 0; counter < 10_000; counter++) {
    const message = Uint8Array.of(counter >> 8, counter & 255);
    const k = number(sha512(concatBytes(R, hashedKey, message)));
    if (!accept({ k })) continue;
    const S = (nonce + (k % L) * secret) % L;
    return print({ name, key, message, signature: concatBytes(R, bytesOf(S)), valid });
  }
  throw new Error(`no message found for ${name}`);
}

function ed25519Case(name: string, seed: Uint8Array, message: Uint8Array): Case {
  return { name, key: ed25519.getPublicKey(seed), message, signature: ed25519.sign(message, seed), valid: true };
}

function print({ name, key, message, signature, valid }: Case): EdgeVector {
  return { name, publicKey: toHex(key), message: toHex(message), signature: toHex(signature), valid };
}

/** [i]T for one point T of order 8. */
function torsion(i: number): P {
  let point = Point.ZERO;
  for (let k = 0; k < i; k++) point = point.add(TORSION);
  return point;
}

function encodeY(y: bigint, sign: 0 | 1): Uint8Array {
  return bytesOf(y + (BigInt(sign) << 255n));
}

function withS(signature: Uint8Array, S: bigint): Uint8Array {
  return concatBytes(signature.subarray(0, 32), bytesOf(S));
}

function scalarOf(signature: Uint8Array): bigint {
  return number(signature.subarray(32));
}

function flip(bytes: Uint8Array, bit: number): Uint8Array {
  const changed = bytes.slice();
  changed[bit >> 3]! ^= 1 << (bit & 7);
  return changed;
}

function number(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => value * 256n + BigInt(byte), 0n);
}

function bytesOf(value: bigint): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => Number((value >> BigInt(8 * i)) & 255n));
}

/** [L]P of the first y whose P has full order. */
function findTorsion(): P {
  for (let y = 2n; ; y++) {
    try {
      const point = Point.fromBytes(encodeY(y, 0));
      const candidate = point.multiplyUnsafe(L - 1n).add(point);
      if (!candidate.double().double().is0()) return candidate;
    } catch {
      // Not on the curve: the next one.
    }
  }
}

function multipleOf(bytes: Uint8Array): number {
  const point = Point.fromBytes(bytes, true);
  for (let i = 0; i < 8; i++) if (torsion(i).equals(point)) return i;
  throw new Error('not a point of small order');
}

const RFC_SEED_1 = bytesOf(number(fromDigits('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60')));
const RFC_SEED_2 = bytesOf(number(fromDigits('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb')));
/** Any two numbers; nobody needs to keep them. */
const SECRET = number(sha512(Uint8Array.of(1))) % L;
const NONCE = number(sha512(Uint8Array.of(2))) % L;
const TORSION = findTorsion();
const ORDERS = [1, 8, 4, 8, 2, 8, 4, 8];
const FILL = { message: Uint8Array.of(0), signature: concatBytes(B.toBytes(), bytesOf(1n)) };

/** Every second encoding of a small-order point: y >= p, or x = 0 with the sign bit set. */
const SECOND_ENCODINGS = [
  { name: 'y = p', bytes: encodeY(FIELD, 0) },
  { name: 'y = p with sign bit', bytes: encodeY(FIELD, 1) },
  { name: 'y = p + 1', bytes: encodeY(FIELD + 1n, 0) },
  { name: 'y = p + 1 with sign bit', bytes: encodeY(FIELD + 1n, 1) },
  { name: 'y = 1 with sign bit', bytes: encodeY(1n, 1) },
  { name: 'y = -1 with sign bit', bytes: encodeY(FIELD - 1n, 1) },
].map((encoding) => ({ ...encoding, i: multipleOf(encoding.bytes) }));

function fromDigits(digits: string): Uint8Array {
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) => Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16));
}

/** Guards against a wrong second encoding above. */
if (SECOND_ENCODINGS.some(({ bytes, i }) => equalBytes(bytes, torsion(i).toBytes()))) throw new Error('is canonical');
