import type { Handoff } from '../ledger/bundle.ts';
import { type Certificate, checkpointCodec } from '../ledger/checkpoint.ts';
import { sameEncoding } from '../ledger/codec.ts';
import type { ForkEvidence } from '../ledger/fork.ts';

export function sameCheckpoint(a: Certificate, b: Certificate): boolean {
  return sameEncoding(checkpointCodec, a.checkpoint, b.checkpoint);
}

/** A verified way from genesis to a certificate. */
export interface View {
  readonly handoffs: readonly Handoff[];
  /** Of the epoch that the hand-offs lead to; undefined while none of it is known. */
  readonly certificate: Certificate | undefined;
}

/** The last certificate on a way. */
export function newestOf({ handoffs, certificate }: View): Certificate | undefined {
  return certificate ?? handoffs.at(-1)?.certificate;
}

/**
 * What shows that two verified ways are not of one chain, as far as certificates alone can: two ends of one epoch, two
 * checkpoints of one height, or one of an epoch above its end.
 */
export function findFork(genesisId: Uint8Array, a: View, b: View): ForkEvidence | undefined {
  const epochs = Math.max(a.handoffs.length, b.handoffs.length);
  for (let epoch = 0; epoch <= epochs; epoch++) {
    const [one, other] = [lastOf(a, epoch), lastOf(b, epoch)];
    if (one === undefined || other === undefined) return undefined;
    if (sameCheckpoint(one, other)) continue;
    const [first, second] = one.checkpoint.height <= other.checkpoint.height ? [one, other] : [other, one];
    const kind = conflictOf(first, second);
    if (kind === undefined) return undefined;
    const handoffs = a.handoffs.slice(0, epoch);
    return { format: 'quorate-fork-1', genesisId, handoffs, first, second, conflict: { kind, value: {} } };
  }
  return undefined;
}

/** The last certificate of an epoch that a view knows. */
export function lastOf({ handoffs, certificate }: View, epoch: number): Certificate | undefined {
  return epoch < handoffs.length ? handoffs[epoch]!.certificate : epoch === handoffs.length ? certificate : undefined;
}

function conflictOf(first: Certificate, second: Certificate): 'sameHeight' | 'afterEnd' | undefined {
  if (first.checkpoint.height === second.checkpoint.height) return 'sameHeight';
  return first.checkpoint.nextEpoch !== first.checkpoint.epoch ? 'afterEnd' : undefined;
}
