import type { Handoff } from '../ledger/bundle.ts';
import { equalBytes } from '../ledger/bytes.ts';
import { type Trust, verifyCertificate } from '../ledger/checkpoint.ts';
import type { VerifySignature } from '../ledger/signature.ts';
import { validatorsHash } from '../ledger/validators.ts';

/**
 * V03: the set reached by hand-offs, each certified by the set before it; never a set that a proof brings along. Returns
 * what is wrong with the first bad one.
 */
export function followHandoffs(handoffs: readonly Handoff[], from: Trust, verify: VerifySignature): Trust | string {
  let trust = from;
  for (const { certificate, next } of handoffs) {
    const checked = verifyCertificate(certificate, trust, verify);
    if (!checked.ok) return `hand-off from epoch ${trust.epoch}: ${checked.problem}`;
    const { checkpoint } = certificate;
    if (checkpoint.nextEpoch !== trust.epoch + 1) return `the certificate of height ${checkpoint.height} ends no epoch`;
    if (!equalBytes(checkpoint.nextValidatorsHash, validatorsHash(next))) {
      return `the set of epoch ${checkpoint.nextEpoch} is not the one that was certified`;
    }
    trust = { ...trust, epoch: checkpoint.nextEpoch, validators: next };
  }
  return trust;
}
