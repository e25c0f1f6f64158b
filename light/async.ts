import type { Genesis } from '../genesis/genesis.ts';
import type { Json } from '../ledger/codec.ts';
import type { Report } from './report.ts';
import { type PlanOptions, planBundle, type SignatureCheck } from './verify-bundle.ts';
import { webCryptoEngine } from './webcrypto.ts';

/**
 * `verifyBundle` for browsers: by WebCrypto's Ed25519 when it is there and keeps to rule S5 on every edge vector, else by
 * the portable verifier. Both are loaded when they are needed. Rejects only if that loading fails.
 */
export async function verifyBundleAsync(
  proof: Uint8Array | string | Json,
  genesis: string | Genesis,
  options: PlanOptions = {},
): Promise<Report> {
  const plan = planBundle(proof, genesis, options);
  return plan.finish(plan.checks.length === 0 ? [] : await verdictsOf(plan.checks));
}

async function verdictsOf(checks: readonly SignatureCheck[]): Promise<readonly boolean[]> {
  const engine = await webCryptoEngine();
  if (engine !== undefined) {
    return Promise.all(checks.map(({ signature, message, publicKey }) => engine(signature, message, publicKey)));
  }
  const { portableVerify } = await import('../ledger/portable.ts');
  return checks.map(({ signature, message, publicKey }) => portableVerify(signature, message, publicKey));
}
