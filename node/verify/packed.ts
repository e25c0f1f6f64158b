import { signBytes } from '../../ledger/sign-bytes.ts';
import { KEY_BYTES, SIGNATURE_BYTES } from '../../ledger/signature.ts';
import type { Transaction } from '../../ledger/transaction.ts';

/** One signature to check by S5. */
export interface SignatureCheck {
  readonly signature: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
}

/** Many checks in one buffer, which moves to the verify thread: do not use it after handing it over. */
export interface PackedChecks {
  readonly count: number;
  /** For each check: signature 64 bytes, public key 32, length of the message 4 (big-endian), message. */
  readonly bytes: ArrayBuffer;
}

const NOTHING = new Uint8Array(0);
const HEAD_BYTES = SIGNATURE_BYTES + KEY_BYTES + 4;

/**
 * Copies the checks into one buffer, each message behind the same `prefix`. Wrong lengths come from outside: such a check
 * is packed so that S5 refuses it.
 */
export function packChecks(checks: readonly SignatureCheck[], prefix: Uint8Array = NOTHING): PackedChecks {
  let length = 0;
  for (const { message } of checks) length += HEAD_BYTES + prefix.length + message.length;
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const { signature, publicKey, message } of checks) {
    // Left as zeros, the key is a point of small order, which S5 refuses.
    if (signature.length === SIGNATURE_BYTES && publicKey.length === KEY_BYTES) {
      bytes.set(signature, at);
      bytes.set(publicKey, at + SIGNATURE_BYTES);
    }
    view.setUint32(at + SIGNATURE_BYTES + KEY_BYTES, prefix.length + message.length);
    bytes.set(prefix, at + HEAD_BYTES);
    bytes.set(message, at + HEAD_BYTES + prefix.length);
    at += HEAD_BYTES + prefix.length + message.length;
  }
  return { count: checks.length, bytes: bytes.buffer };
}

/** Of the signatures of these transactions: no message of its own is made for each. */
export function packTransactionChecks(genesisId: Uint8Array, transactions: readonly Transaction[]): PackedChecks {
  const checks = transactions.map(({ signature, body, bytes }) => {
    return { signature, publicKey: body.sender, message: bytes.subarray(0, bytes.length - SIGNATURE_BYTES) };
  });
  return packChecks(checks, signBytes('transaction', genesisId, NOTHING));
}

/** The checks again, as views into the buffer. Throws if the buffer is not exactly what `packChecks` makes: our bug. */
export function* unpackChecks({ count, bytes }: PackedChecks): Generator<SignatureCheck, void> {
  const view = new DataView(bytes);
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + HEAD_BYTES > bytes.byteLength) throw new RangeError(`packed checks end within check ${i} of ${count}`);
    const length = view.getUint32(at + SIGNATURE_BYTES + KEY_BYTES);
    const end = at + HEAD_BYTES + length;
    if (end > bytes.byteLength) throw new RangeError(`packed checks end within the message of check ${i} of ${count}`);
    yield {
      signature: new Uint8Array(bytes, at, SIGNATURE_BYTES),
      publicKey: new Uint8Array(bytes, at + SIGNATURE_BYTES, KEY_BYTES),
      message: new Uint8Array(bytes, at + HEAD_BYTES, length),
    };
    at = end;
  }
  if (at !== bytes.byteLength) {
    throw new RangeError(`expected ${at} bytes for ${count} packed checks, got ${bytes.byteLength}`);
  }
}

/** A bitmap for `count` verdicts, all false. */
export function emptyVerdicts(count: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Math.ceil(count / 8));
}

/** Marks check `index` as valid. */
export function markValid(verdicts: Uint8Array, index: number): void {
  verdicts[index >> 3]! |= 1 << (index & 7);
}

/** Verdict of check `index` in a bitmap that a pool answered. */
export function isValid(verdicts: Uint8Array, index: number): boolean {
  return (verdicts[index >> 3]! & (1 << (index & 7))) !== 0;
}
