import type { RefusalCode } from '../api/ports.ts';
import { FOLLOW_BLOCKS_MAX } from './limits.ts';
import type { ReplicaState } from './pbft/state.ts';

export interface Refusal {
  readonly code: RefusalCode;
  readonly detail: string;
  /** Seconds. */
  readonly retryAfter: number;
}

/** Hundreds of blocks are not fetched in a moment. */
const FAR_BEHIND_SECONDS = 10;

/** Why this node admits no transactions now; undefined if it does. `connected` validators, itself counted. */
export function refusalOf(
  { mode, reason, quorum, low, executed }: ReplicaState,
  connected: number,
): Refusal | undefined {
  if (mode === 'halted') return { code: 'halted', detail: reason, retryAfter: 60 };
  const isFarBehind = low > executed.height + FOLLOW_BLOCKS_MAX;
  if (mode === 'behind' || ((mode === 'observing' || mode === 'starting') && isFarBehind))
    return { code: 'syncing', detail: reason, retryAfter: isFarBehind ? FAR_BEHIND_SECONDS : 1 };
  // Whoever does not vote, or not yet (R6), hands on what it gets: it needs somebody who takes it.
  const needed = mode === 'observing' ? 2 : quorum;
  if (connected >= needed) return undefined;
  const detail = `${connected} of ${needed} validators needed are connected`;
  return { code: 'no-quorum', detail, retryAfter: 1 };
}
