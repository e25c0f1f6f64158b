import type { Handoff } from '../ledger/bundle.ts';
import { equalBytes } from '../ledger/bytes.ts';
import { verifyCertificate } from '../ledger/checkpoint.ts';
import type { EpochRecovery, RecoveryRule, RecoveryTrust } from '../ledger/recovery-rule.ts';
import type { VerifySignature } from '../ledger/signature.ts';
import { validatorsHash } from '../ledger/validators.ts';

/** What hand-offs lead to. */
export interface Followed extends RecoveryTrust {
  /** R10: epochs on the way that ended by a recovery. */
  readonly recoveries: readonly EpochRecovery[];
}

/** R10: whoever is not told of any accepts none. */
const NONE: RecoveryRule = { percent: 0, accepted: [], judge: undefined };

/**
 * V03: the set reached by hand-offs, each certified by the set before it, or by a recovery that `rule` accepts; never a set
 * that a proof brings along. Returns what is wrong with the first bad one.
 */
export function followHandoffs(
  handoffs: readonly Handoff[],
  from: RecoveryTrust & Partial<Followed>,
  verify: VerifySignature,
  rule = NONE,
): Followed | string {
  let reached: Followed = { ...from, recoveries: from.recoveries ?? [] };
  for (const handoff of handoffs) {
    const next = followOne(handoff, reached, verify, rule);
    if (typeof next === 'string') return `hand-off from epoch ${reached.epoch}: ${next}`;
    reached = next;
  }
  return reached;
}

function followOne(handoff: Handoff, from: Followed, verify: VerifySignature, rule: RecoveryRule): Followed | string {
  const { certificate, next, recovery } = handoff;
  const { scheme, checkpoint } = certificate;
  const { genesisId, epoch, validators } = from;
  const previous = { genesisId, epoch, validators };
  let { recoveries } = from;
  if (scheme === 'recovery') {
    const recovered = rule.judge?.(handoff, from, rule, verify) ?? 'a recovery';
    if (typeof recovered === 'string') return recovered;
    recoveries = [...recoveries, recovered];
  } else {
    if (recovery.length > 0) return 'a recovery with a certificate';
    const checked = verifyCertificate(certificate, previous, verify);
    if (!checked.ok) return checked.problem;
  }
  if (checkpoint.nextEpoch !== epoch + 1) return `the certificate of height ${checkpoint.height} ends no epoch`;
  if (!equalBytes(checkpoint.nextValidatorsHash, validatorsHash(next)))
    return `the set of epoch ${checkpoint.nextEpoch} is not the one that was certified`;
  return { genesisId, epoch: checkpoint.nextEpoch, validators: next, previous, recoveries };
}

/** What reads and judges recoveries, loaded if there is one. */
export async function loadRecovery(handoffs: readonly Handoff[]) {
  return handoffs.every(({ recovery }) => recovery.length === 0) ? undefined : import('./texts.ts');
}
