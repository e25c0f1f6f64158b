import type { Effect, JournalRecord } from './events.ts';
import type { Unsigned } from './messages.ts';
import type { ReplicaState } from './state.ts';
import { rememberOwn } from './witness.ts';

/**
 * S1: the only way by which an own message leaves. S8: a member in doubt has no journal that could be trusted, so it
 * writes nothing and signs nothing; nor does one that is halted. R2, R5: the low mark and what others signed are written along.
 */
export function persist(
  state: ReplicaState,
  records: readonly JournalRecord[],
  then: readonly Unsigned[],
  effects: Effect[],
): void {
  if (!mayWrite(state)) return;
  for (const unsigned of then) rememberOwn(state, unsigned);
  const all = records.length === 0 ? records : [...records, ...takeUnwritten(state)];
  effects.push({ type: 'persist', records: all, then });
}

/** R5: durable soon, although nothing waits for it. */
export function writeWitnessed(state: ReplicaState, effects: Effect[]): void {
  const records = takeUnwritten(state);
  if (records.length > 0 && mayWrite(state)) effects.push({ type: 'persist', records, then: [] });
}

/** Nor does one that has no vote. */
function mayWrite({ mode }: ReplicaState): boolean {
  return mode !== 'doubt' && mode !== 'halted' && mode !== 'observing';
}

function takeUnwritten({ unwritten }: ReplicaState): JournalRecord[] {
  const records = [...unwritten.values()];
  unwritten.clear();
  return records;
}
