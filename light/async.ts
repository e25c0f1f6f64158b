import type { Genesis, ReadGenesis } from '../genesis/genesis.ts';
import type { Bundle } from '../ledger/bundle.ts';
import type { Json } from '../ledger/codec.ts';
import type { VerifySignature } from '../ledger/signature.ts';
import { withEngine } from './engine.ts';
import { loadRecovery } from './handoffs.ts';
import type { Report } from './report.ts';
import { decodeBundle, type PlanOptions, verifyRead } from './verify-bundle.ts';

/**
 * `verifyBundle` for browsers: by WebCrypto's Ed25519 when it is there and keeps to rule S5 on every edge vector, else by
 * the portable verifier. Both, and what reads a genesis file or JSON, are loaded when they are needed. Rejects only if that
 * loading fails.
 */
export async function verifyBundleAsync(
  proof: Uint8Array | string | Json,
  genesis: string | Genesis,
  options: PlanOptions = {},
): Promise<Report> {
  // What the caller does with its bytes meanwhile must not come under verdicts on these.
  const copy = proof instanceof Uint8Array ? proof.slice() : proof;
  if (copy instanceof Uint8Array && typeof genesis !== 'string') {
    return verifyWith(decodeBundle(copy), () => ({ ok: true, genesis }), options);
  }
  const { verifyTexts } = await import('./texts.ts');
  return verifyTexts(copy, genesis, options);
}

/** `readGenesis` by the engines of `verifyBundleAsync`. What it gives serves for many proofs. */
export async function readGenesisAsync(text: string): Promise<ReadGenesis> {
  const { readGenesisText } = await import('./texts.ts');
  return readGenesisText(text);
}

/** A bundle by the best engine of this platform, with the genesis file that `read` reads. */
export async function verifyWith(
  bundle: Bundle | string,
  read: (verify: VerifySignature) => ReadGenesis,
  options: PlanOptions,
): Promise<Report> {
  const judge = typeof bundle === 'string' ? undefined : (await loadRecovery(bundle.handoffs))?.verifyRecovery;
  return withEngine((verify) => verifyRead(bundle, read(verify), { ...options, verify, judge }));
}
