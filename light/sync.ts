import type { Genesis } from '../genesis/genesis.ts';
import type { Json } from '../ledger/codec.ts';
import { verifyRecovery } from '../ledger/recovery.ts';
import type { VerifySignature } from '../ledger/signature.ts';
import { answering, type SignatureCheck } from './engine.ts';
import type { Report } from './report.ts';
import { genesisOf, readBundle } from './texts.ts';
import { type PlanOptions, type VerifyOptions, verifyRead } from './verify-bundle.ts';

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
 * the report names the step that failed. It says what is proven: whether that answers what was asked (this id, this table
 * and key) is compared with `question`, if there is one, and else for the caller to compare with `facts`.
 */
export function verifyBundle(
  proof: Uint8Array | string | Json,
  genesis: string | Genesis,
  options: VerifyOptions,
): Report {
  return verifyRead(readBundle(proof), genesisOf(genesis, options.verify), { ...options, judge: verifyRecovery });
}

/** `verifyBundle` of what shows the value of a row, or that it does not exist, and of nothing else. */
export function verifyState(
  proof: Uint8Array | string | Json,
  genesis: string | Genesis,
  row: { readonly table: string; readonly key: Uint8Array },
  options: VerifyOptions,
): Report {
  return verifyBundle(proof, genesis, { ...options, question: { kind: 'state', ...row } });
}

/** `verifyBundle` without an engine: what has to be checked, and the report once the verdicts are known. */
export function planBundle(
  proof: Uint8Array | string | Json,
  genesis: string | Genesis,
  options: PlanOptions = {},
): BundlePlan {
  // Read once and copied: what the caller does with the proof in between must not come under these verdicts.
  const bundle = readBundle(proof instanceof Uint8Array ? proof.slice() : proof);
  const walk = (verify: VerifySignature): Report =>
    verifyRead(bundle, genesisOf(genesis, verify), { ...options, verify, judge: verifyRecovery });
  const checks: SignatureCheck[] = [];
  walk((signature, message, publicKey) => {
    checks.push({ signature, message, publicKey });
    return true;
  });
  // Both walks ask in the same order up to the first signature that is not valid, where the second one ends.
  return { checks, finish: (verdicts) => walk(answering(checks, verdicts)) };
}
