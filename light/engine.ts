import { equalBytes } from '../ledger/bytes.ts';
import type { VerifySignature } from '../ledger/signature.ts';

/** A signature that a verification rests on. */
export interface SignatureCheck {
  readonly signature: Uint8Array;
  readonly message: Uint8Array;
  readonly publicKey: Uint8Array;
}

/**
 * A synchronous verification with engines that answer later. `walk` runs twice: once to see which signatures it asks about,
 * and once with the verdicts. It must ask in the same order both times, up to where it ends; a question that was not seen
 * in the first walk counts as not valid.
 */
export async function withEngine<T>(walk: (verify: VerifySignature) => T): Promise<T> {
  const checks: SignatureCheck[] = [];
  const first = walk((signature, message, publicKey) => {
    checks.push({ signature, message, publicKey });
    return true;
  });
  if (checks.length === 0) return first;
  return walk(answering(checks, await verdictsOf(checks)));
}

/** Answers the questions of a second walk. */
export function answering(checks: readonly SignatureCheck[], verdicts: readonly boolean[]): VerifySignature {
  let next = 0;
  return (signature, message, publicKey) => {
    const check = checks[next];
    const verdict = verdicts[next++];
    return (
      check !== undefined &&
      verdict === true &&
      equalBytes(check.signature, signature) &&
      equalBytes(check.message, message) &&
      equalBytes(check.publicKey, publicKey)
    );
  };
}

/** By WebCrypto's Ed25519 when it is there and keeps to rule S5, else by the portable verifier; each loaded when needed. */
export async function verdictsOf(checks: readonly SignatureCheck[]): Promise<readonly boolean[]> {
  // Pages without https have no `subtle`, and need not load what tries it.
  const engine = globalThis.crypto?.subtle && (await (await import('./webcrypto.ts')).webCryptoEngine());
  if (engine !== undefined) {
    return Promise.all(checks.map(({ signature, message, publicKey }) => engine(signature, message, publicKey)));
  }
  const { portableVerify } = await import('../ledger/portable.ts');
  return checks.map(({ signature, message, publicKey }) => portableVerify(signature, message, publicKey));
}
