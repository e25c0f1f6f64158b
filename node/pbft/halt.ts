import { toHex } from '../../ledger/bytes.ts';
import type { Effect } from './events.ts';
import { type ReplicaState, sameDigest } from './state.ts';

/** What the reason of a doubt begins with that is a halt of before the last start (C3). */
export const HALTED = 'halted: ';

/** C3: whether it found its own state wrong, also before the last start. */
export function hasHalted({ mode, reason }: ReplicaState): boolean {
  return mode === 'halted' || (mode === 'doubt' && reason.startsWith(HALTED));
}

/** Promise 6: halt rather than diverge. */
export function halt(state: ReplicaState, reason: string, effects: Effect[]): void {
  state.mode = 'halted';
  state.reason = reason;
  effects.push({ type: 'halt', reason });
}

/**
 * N11: why an executed height proves more than f faults: whatever was committed is carried by every later view, and this
 * view, later than the one that it was committed in, carries something else.
 */
export function carriedOtherwise({ ordered, slots }: ReplicaState, height: number): string | undefined {
  const here = ordered.get(height);
  const proposal = slots.get(height)?.proposal;
  if (here === undefined || proposal?.carried !== true || proposal.vote.view <= here.view) return undefined;
  const { digest, view } = proposal.vote;
  if (sameDigest(digest, here.digest)) return undefined;
  const executed = `${toHex(here.digest)} of view ${here.view} is executed here`;
  return `view ${view} carries ${toHex(digest)} at height ${height}, but ${executed}`;
}
