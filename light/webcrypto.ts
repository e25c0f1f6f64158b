import { fromHex } from '../ledger/bytes.ts';
import { EDGE_VECTORS } from '../ledger/edge-vectors.ts';
import { signatureProblem } from '../ledger/signature.ts';

/** The rule S5 by an engine that answers later. Never rejects. */
export type VerifyAsync = (signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array) => Promise<boolean>;

/** What is used of WebCrypto. */
export type Subtle = Pick<SubtleCrypto, 'importKey' | 'verify'>;

let chosen: Promise<VerifyAsync | undefined> | undefined;

/** This platform's WebCrypto as a verifier by rule S5, or undefined if it lacks or differs. Found out once. */
export function webCryptoEngine(): Promise<VerifyAsync | undefined> {
  chosen ??= checkedWebCrypto(globalThis.crypto?.subtle);
  return chosen;
}

/** The rule S5 over `subtle`, if it gives the right verdict on every edge vector; engines differ in them. */
export async function checkedWebCrypto(subtle: Subtle | undefined): Promise<VerifyAsync | undefined> {
  if (subtle === undefined) return undefined;
  const verify: VerifyAsync = async (signature, message, publicKey) => {
    if (signatureProblem(signature, publicKey) !== undefined) return false;
    try {
      const key = await subtle.importKey('raw', publicKey as BufferSource, 'Ed25519', false, ['verify']);
      return await subtle.verify('Ed25519', key, signature as BufferSource, message as BufferSource);
    } catch {
      // Not supported, or no point of the curve.
      return false;
    }
  };
  for (const { publicKey, message, signature, valid } of EDGE_VECTORS) {
    const verdict = await verify(fromHex(signature)!, fromHex(message)!, fromHex(publicKey)!);
    if (verdict !== valid) return undefined;
  }
  return verify;
}
