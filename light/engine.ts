import { equalBytes } from '../ledger/bytes.ts';
import type { VerifySignature } from '../ledger/signature.ts';

/** A signature that a verification rests on. */
export interface SignatureCheck {
  readonly signature: Uint8Array;
  readonly message: Uint8Array;
  readonly publicKey: Uint8Array;
}

/** Signatures that are checked at once: what is wasted behind one that is not valid. */
const AT_ONCE = 64;

/**
 * A synchronous verification with engines that answer later. `walk` runs until all its questions have verdicts: first to see
 * which signatures it asks about, as if all were valid, then with the verdicts, and again for what it asks behind one that is
 * not. Given the same verdicts it must ask the same; a question that differs counts as not valid.
 */
export async function withEngine<T>(walk: (verify: VerifySignature) => T): Promise<T> {
  let checks: readonly SignatureCheck[] = [];
  let verdicts: readonly boolean[] = [];
  for (;;) {
    const known = verdicts.length;
    const answer = answering(checks, verdicts);
    const asked: SignatureCheck[] = [];
    let questions = 0;
    const result = walk((signature, message, publicKey) => {
      if (questions++ < known) return answer(signature, message, publicKey);
      asked.push({ signature, message, publicKey });
      return true;
    });
    if (asked.length === 0) return result;
    verdicts = [...verdicts, ...(await verdictsOf(asked))];
    checks = [...checks, ...asked].slice(0, verdicts.length);
  }
}

/** Answers the questions of a walk that asked them before. */
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

/**
 * By WebCrypto's Ed25519 when it is there and keeps to rule S5, else by the portable verifier; each loaded when needed. The
 * first verdict that is false is the last: a proof with a million signatures is refused at the first bad one.
 */
export async function verdictsOf(checks: readonly SignatureCheck[]): Promise<readonly boolean[]> {
  // Pages without https have no `subtle`, and need not load what tries it.
  const native = globalThis.crypto?.subtle && (await (await import('./webcrypto.ts')).webCryptoEngine());
  const engine = native ?? (await import('../ledger/portable.ts')).portableVerify;
  const verdicts: boolean[] = [];
  for (let from = 0; from < checks.length; from += AT_ONCE) {
    const some = checks.slice(from, from + AT_ONCE);
    verdicts.push(
      ...(await Promise.all(some.map(({ signature, message, publicKey }) => engine(signature, message, publicKey)))),
    );
    const bad = verdicts.indexOf(false, from);
    if (bad >= 0) return verdicts.slice(0, bad + 1);
  }
  return verdicts;
}
