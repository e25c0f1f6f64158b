import type { Effect, JournalRecord } from './events.ts';
import type { Unsigned } from './messages.ts';
import type { ReplicaState } from './state.ts';

/**
 * S1: the only way by which an own message leaves. S8: a member in doubt has no journal that could be trusted, so it
 * writes nothing and signs nothing.
 */
export function persist(
  state: ReplicaState,
  records: readonly JournalRecord[],
  then: readonly Unsigned[],
  effects: Effect[],
): void {
  if (state.mode !== 'doubt') effects.push({ type: 'persist', records, then });
}
