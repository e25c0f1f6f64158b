import { type Genesis, type ReadGenesis, readGenesis } from '../genesis/genesis.ts';
import type { Json } from '../ledger/codec.ts';
import type { VerifySignature } from '../ledger/signature.ts';
import { answering, type SignatureCheck } from './engine.ts';
import type { Report } from './report.ts';
import { type PlanOptions, readBundle, readCopy, type VerifyOptions, verifyRead } from './verify-bundle.ts';

/** A verification in two phases, for engines that answer later. */
export interface BundlePlan {
  /** Everything to check by the rule S5, in order; fewer when an earlier step has failed already. */
  readonly checks: readonly SignatureCheck[];
  /** The report, given one verdict for each of `checks`; a missing one counts as not valid. */
  finish(verdicts: readonly boolean[]): Report;
}

/**
 * Checks a proof with nothing but the genesis file: encoded bytes, or the JSON form as text or parsed. `genesis` is the
 * file's text, or what `readGenesis` made of it, which saves time when many proofs are checked. Never throws for bad input;
 * the report names the step that failed. It says what is proven: whether that answers the question asked (this id, this
 * table and key) is for the caller to compare with `facts`.
 */
export function verifyBundle(
  proof: Uint8Array | string | Json,
  genesis: string | Genesis,
  options: VerifyOptions,
): Report {
  return verifyRead(readBundle(proof), genesisOf(genesis, options.verify), options);
}

/** `verifyBundle` without an engine: what has to be checked, and the report once the verdicts are known. */
export function planBundle(
  proof: Uint8Array | string | Json,
  genesis: string | Genesis,
  options: PlanOptions = {},
): BundlePlan {
  const bundle = readCopy(proof);
  const walk = (verify: VerifySignature): Report =>
    verifyRead(bundle, genesisOf(genesis, verify), { ...options, verify });
  const checks: SignatureCheck[] = [];
  walk((signature, message, publicKey) => {
    checks.push({ signature, message, publicKey });
    return true;
  });
  // Both walks ask in the same order up to the first signature that is not valid, where the second one ends.
  return { checks, finish: (verdicts) => walk(answering(checks, verdicts)) };
}

/** What is read from the file's text, or has been read before. */
function genesisOf(genesis: string | Genesis, verify: VerifySignature): ReadGenesis {
  return typeof genesis === 'string' ? readGenesis(genesis, verify) : { ok: true, genesis };
}
