import type { RefusalCode } from '../api/ports.ts';
import type { ReplicaState } from './pbft/state.ts';

export interface Refusal {
  readonly code: RefusalCode;
  readonly detail: string;
  /** Seconds. */
  readonly retryAfter: number;
}

/** Why this node admits no transactions now; undefined if it does. `connected` validators, itself counted. */
export function refusalOf({ mode, reason, quorum }: ReplicaState, connected: number): Refusal | undefined {
  if (mode === 'halted') return { code: 'halted', detail: reason, retryAfter: 60 };
  if (mode === 'behind' || mode === 'starting') return { code: 'syncing', detail: reason, retryAfter: 1 };
  if (connected >= quorum) return undefined;
  const detail = `${connected} of ${quorum} validators needed are connected`;
  return { code: 'no-quorum', detail, retryAfter: 1 };
}
